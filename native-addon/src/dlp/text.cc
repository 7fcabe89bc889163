#include "dlp/text.h"

#include <string.h>

#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace sentinel::dlp {
namespace {

constexpr size_t kOutBytes = 16 * 1024;
// A character, and what a vector writes behind its end.
constexpr size_t kOutSlack = 32;

// Windows-1252 0x80..0x9F; 0 where it defines nothing.
constexpr uint16_t kWindows1252[32] = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

// How many bytes from here on are ASCII.
size_t asciiRun(const uint8_t* bytes, size_t length) {
  size_t i = 0;
#if defined(__x86_64__)
  for (; i + 16 <= length; i += 16) {
    const int high = _mm_movemask_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i)));
    if (high != 0) return i + static_cast<size_t>(__builtin_ctz(static_cast<uint32_t>(high)));
  }
#endif
  while (i < length && bytes[i] < 0x80) i++;
  return i;
}

// Turns UTF-16 units into ASCII up to the first that is none, at most sixteen, of which the first is; returns how many.
// Writes at most 16 bytes.
size_t asciiUnits(const uint8_t* bytes, size_t units, bool bigEndian, uint8_t* to) {
#if defined(__x86_64__)
  if (units >= 16) {
    __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)), b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + 16));
    if (bigEndian) {
      a = _mm_or_si128(_mm_slli_epi16(a, 8), _mm_srli_epi16(a, 8));
      b = _mm_or_si128(_mm_slli_epi16(b, 8), _mm_srli_epi16(b, 8));
    }
    const __m128i beyond = _mm_set1_epi16(static_cast<int16_t>(0xFF80)), zero = _mm_setzero_si128();
    const __m128i ascii = _mm_packs_epi16(_mm_cmpeq_epi16(_mm_and_si128(a, beyond), zero), _mm_cmpeq_epi16(_mm_and_si128(b, beyond), zero));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(a, b));
    const uint32_t other = ~static_cast<uint32_t>(_mm_movemask_epi8(ascii)) & 0xFFFF;
    return other != 0 ? static_cast<size_t>(__builtin_ctz(other)) : 16;
  }
#endif
  size_t count = 0;
  for (; count < units && count < 16; count++) {
    const uint8_t low = bytes[2 * count + (bigEndian ? 1 : 0)], high = bytes[2 * count + (bigEndian ? 0 : 1)];
    if (high != 0 || low >= 0x80) break;
    to[count] = low;
  }
  return count;
}

}  // namespace

int utf8Sequence(const uint8_t* bytes, size_t available) {
  const uint8_t lead = bytes[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const int size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (available > 1) {
    const uint8_t second = bytes[1];
    if ((second & 0xC0) != 0x80) return 0;
    if (lead == 0xE0 && second < 0xA0) return 0;
    if (lead == 0xED && second > 0x9F) return 0;
    if (lead == 0xF0 && second < 0x90) return 0;
    if (lead == 0xF4 && second > 0x8F) return 0;
  }
  for (int i = 2; i < size && static_cast<size_t>(i) < available; i++)
    if ((bytes[i] & 0xC0) != 0x80) return 0;
  return available >= static_cast<size_t>(size) ? size : -1;
}

size_t encodeUtf8(uint32_t point, uint8_t* to) {
  const auto more = [point](int shift) { return static_cast<uint8_t>(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) return to[0] = static_cast<uint8_t>(point), 1;
  if (point < 0x800) return to[0] = static_cast<uint8_t>(0xC0 | point >> 6), to[1] = more(0), 2;
  if (point < 0x10000) return to[0] = static_cast<uint8_t>(0xE0 | point >> 12), to[1] = more(6), to[2] = more(0), 3;
  return to[0] = static_cast<uint8_t>(0xF0 | point >> 18), to[1] = more(12), to[2] = more(6), to[3] = more(0), 4;
}

uint32_t utf8CodePoint(const uint8_t* bytes, int length) {
  if (length == 1) return bytes[0];
  if (length == 2) return (bytes[0] & 0x1Fu) << 6 | (bytes[1] & 0x3Fu);
  if (length == 3) return (bytes[0] & 0x0Fu) << 12 | (bytes[1] & 0x3Fu) << 6 | (bytes[2] & 0x3Fu);
  return (bytes[0] & 0x07u) << 18 | (bytes[1] & 0x3Fu) << 12 | (bytes[2] & 0x3Fu) << 6 | (bytes[3] & 0x3Fu);
}

uint64_t streamOffset(const OffsetRun* runs, size_t count, uint64_t decoded) {
  if (count == 0) return decoded;
  size_t low = 0, high = count;
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    (runs[middle].decoded <= decoded ? low : high) = middle;
  }
  const OffsetRun& run = runs[low];
  if (decoded < run.decoded) return run.stream;
  const uint64_t distance = decoded - run.decoded;
  return run.stream + (run.decodedUnit == 1 ? distance : distance / run.decodedUnit) * run.streamUnit;
}

Decoder::Decoder(bool portable) : portable_(portable), out_(new uint8_t[kOutBytes + kOutSlack]()) {}

Decoder::~Decoder() { reset(); }

void Decoder::reset() {
  now_ = {TextMode::kPass, false, false};
  offset_ = 0;
  heldLength_ = runLength_ = tailLength_ = 0;
  highSurrogate_ = 0;
  explicit_bzero(held_, sizeof held_);
  explicit_bzero(out_.get(), kOutBytes + kOutSlack);
  outLength_ = 0;
  runs_.clear();
  decoded_ = 0;
}

void Decoder::feed(const uint8_t* bytes, size_t length, bool last, TextSink& sink) {
  const uint64_t begin = offset_;
  offset_ += length;
  size_t i = 0;
  if (heldLength_ > 0) {
    const size_t wanted = kBlock - heldLength_;
    i = length < wanted ? length : wanted;
    if (i > 0) std::memcpy(held_ + heldLength_, bytes, i);
    heldLength_ += i;
    if (heldLength_ == kBlock) {
      block(held_, kBlock, begin + i - kBlock, sink);
      flushRun(sink);
      heldLength_ = 0;
    }
  }
  for (; length - i >= kBlock; i += kBlock) block(bytes + i, kBlock, begin + i, sink);
  flushRun(sink);
  flushOut(sink);
  if (length > i) {
    std::memcpy(held_, bytes + i, length - i);
    heldLength_ = length - i;
  }
  if (!last) return;
  if (heldLength_ > 0) block(held_, heldLength_, offset_ - heldLength_, sink);
  heldLength_ = 0;
  flushRun(sink);
  settleTail(sink);
  flushOut(sink);
}

void Decoder::block(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink) {
  if (offset == 0 && length >= 2) {
    // A byte order mark is no text; UTF-16's tells what the first blocks are if they look like it at all.
    size_t mark = 0;
    if (length >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF) mark = 3;
    if (bytes[0] == 0xFF && bytes[1] == 0xFE) now_ = {TextMode::kUtf16, false, false}, mark = 2;
    if (bytes[0] == 0xFE && bytes[1] == 0xFF) now_ = {TextMode::kUtf16, true, false}, mark = 2;
    bytes += mark;
    length -= mark;
    offset += mark;
    if (length == 0) return;
  }
  const Judgement next = judgeBlock(bytes, length, now_, portable_);
  if (next.mode == TextMode::kPass && now_.mode == TextMode::kPass) {
    if (runLength_ == 0) run_ = bytes, runOffset_ = offset;
    runLength_ += length;
    return;
  }
  become(next, sink);
  if (next.mode == TextMode::kPass) run_ = bytes, runOffset_ = offset, runLength_ = length;
  else if (next.mode == TextMode::kEightBit) eightBit(bytes, length, offset, sink);
  else utf16(bytes, length, offset, sink);
}

void Decoder::become(Judgement next, TextSink& sink) {
  if (next.mode == now_.mode && next.bigEndian == now_.bigEndian && next.odd == now_.odd) return;
  flushRun(sink);
  // Eight-bit text and clean text may share a sequence that the edge of a block cuts.
  if (now_.mode == TextMode::kUtf16 || next.mode == TextMode::kUtf16) settleTail(sink);
  flushOut(sink);
  now_ = next;
}

void Decoder::settleTail(TextSink& sink) {
  if (highSurrogate_ != 0) {
    highSurrogate_ = 0;
    put(0xFFFD, highOffset_, 2, sink);
  }
  for (size_t i = 0; i < tailLength_; i++) {
    if (now_.mode == TextMode::kPass) {
      raw(tail_ + i, 1, tailOffset_ + i, sink);
    } else if (now_.mode == TextMode::kEightBit) {
      const uint8_t byte = tail_[i];
      const uint16_t mapped = byte < 0x80 || byte >= 0xA0 ? byte : kWindows1252[byte - 0x80];
      put(mapped != 0 ? mapped : byte, tailOffset_ + i, 1, sink);
    } else {
      // Half a unit at the end: text only if it is ASCII.
      if (tail_[i] < 0x80 && tail_[i] != 0) put(tail_[i], tailOffset_ + i, 1, sink);
    }
  }
  tailLength_ = 0;
}

void Decoder::flushRun(TextSink& sink) {
  if (runLength_ == 0) return;
  const size_t length = runLength_;
  runLength_ = 0;
  pass(run_, length, runOffset_, sink);
}

void Decoder::flushOut(TextSink& sink) {
  if (outLength_ == 0) return;
  sink.text(out_.get(), outLength_, {decoded_, runs_.data(), runs_.size()});
  decoded_ += outLength_;
  outLength_ = 0;
  runs_.clear();
}

void Decoder::pass(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink) {
  size_t i = 0;
  while (tailLength_ > 0 && i < length) {
    tail_[tailLength_++] = bytes[i++];
    const int size = utf8Sequence(tail_, tailLength_);
    if (size < 0) continue;
    if (size == 0) {
      // The new byte does not belong to it.
      i--;
      tailLength_--;
    }
    raw(tail_, tailLength_, tailOffset_, sink);
    tailLength_ = 0;
  }
  flushOut(sink);
  if (i == length) return;
  size_t end = length;
  for (size_t back = 1; back <= 3 && back <= length - i; back++) {
    const uint8_t byte = bytes[length - back];
    if ((byte & 0xC0) == 0x80) continue;
    if (byte >= 0xC2 && utf8Sequence(bytes + length - back, back) < 0) end = length - back;
    break;
  }
  if (end > i) {
    const OffsetRun same{decoded_, offset + i, 1, 1};
    sink.text(bytes + i, end - i, {decoded_, &same, 1});
    decoded_ += end - i;
  }
  tailLength_ = length - end;
  tailOffset_ = offset + end;
  if (tailLength_ > 0) std::memcpy(tail_, bytes + end, tailLength_);
}

void Decoder::eightBit(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink) {
  size_t i = 0;
  while (i < length || tailLength_ > 0) {
    if (tailLength_ == 0) {
      const size_t ascii = asciiRun(bytes + i, length - i);
      raw(bytes + i, ascii, offset + i, sink);
      i += ascii;
      if (i == length) return;
    }
    uint8_t joined[8];
    const uint8_t* at = bytes + i;
    size_t available = length - i;
    uint64_t where = offset + i;
    const size_t before = tailLength_;
    if (before > 0) {
      // A sequence that began in the block before.
      const size_t more = available < 4 ? available : 4;
      std::memcpy(joined, tail_, before);
      std::memcpy(joined + before, bytes + i, more);
      at = joined;
      available = before + more;
      where = tailOffset_;
    }
    const int size = utf8Sequence(at, available);
    if (size < 0) {
      // Only at the end of the block.
      std::memmove(tail_, at, available);
      tailLength_ = available;
      tailOffset_ = where;
      return;
    }
    size_t used = 1;
    if (size > 0) {
      used = static_cast<size_t>(size);
      raw(at, used, where, sink);
    } else {
      const uint8_t byte = *at;
      const uint16_t mapped = byte >= 0xA0 ? byte : kWindows1252[byte - 0x80];
      put(mapped != 0 ? mapped : byte, where, 1, sink);
    }
    if (used >= before) {
      i += used - before;
      tailLength_ = 0;
    } else {
      std::memmove(tail_, tail_ + used, before - used);
      tailLength_ = before - used;
      tailOffset_ += used;
    }
  }
}

void Decoder::utf16(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink) {
  size_t i = 0;
  if (tailLength_ > 0) {
    const uint8_t first = tail_[0], second = bytes[0];
    tailLength_ = 0;
    unit(static_cast<uint16_t>(now_.bigEndian ? first << 8 | second : second << 8 | first), tailOffset_, sink);
    i = 1;
  } else if (now_.odd && (offset & 1) == 0) {
    // The unit that this byte ends began in something else.
    if (bytes[0] != 0 && bytes[0] < 0x80) put(bytes[0], offset, 1, sink);
    i = 1;
  }
  while (i + 1 < length) {
    const uint16_t value = static_cast<uint16_t>(now_.bigEndian ? bytes[i] << 8 | bytes[i + 1] : bytes[i + 1] << 8 | bytes[i]);
    if (value < 0x80 && highSurrogate_ == 0) {
      if (outLength_ >= kOutBytes) flushOut(sink);
      const size_t units = asciiUnits(bytes + i, (length - i) / 2, now_.bigEndian, out_.get() + outLength_);
      map(offset + i, 1, 2, units);
      outLength_ += units;
      i += 2 * units;
    } else {
      unit(value, offset + i, sink);
      i += 2;
    }
  }
  if (i < length) {
    tail_[0] = bytes[i];
    tailLength_ = 1;
    tailOffset_ = offset + i;
  }
}

void Decoder::unit(uint16_t value, uint64_t offset, TextSink& sink) {
  const bool low = value >= 0xDC00 && value <= 0xDFFF;
  if (highSurrogate_ != 0) {
    const uint32_t high = highSurrogate_;
    highSurrogate_ = 0;
    if (low) {
      put(0x10000 + ((high - 0xD800) << 10) + (value - 0xDC00u), highOffset_, 4, sink);
      return;
    }
    put(0xFFFD, highOffset_, 2, sink);
  }
  if (value >= 0xD800 && value <= 0xDBFF) {
    highSurrogate_ = value;
    highOffset_ = offset;
    return;
  }
  put(low ? 0xFFFD : value, offset, 2, sink);
}

// Says that the next `count` characters of the output come from `offset` on.
void Decoder::map(uint64_t offset, uint8_t decodedUnit, uint8_t streamUnit, size_t count) {
  const bool goesOn = !runs_.empty() && nextInRun_ == offset && runs_.back().decodedUnit == decodedUnit && runs_.back().streamUnit == streamUnit;
  if (!goesOn) runs_.push_back({decoded_ + outLength_, offset, decodedUnit, streamUnit});
  nextInRun_ = offset + streamUnit * count;
}

void Decoder::put(uint32_t point, uint64_t offset, uint8_t inWidth, TextSink& sink) {
  if (outLength_ >= kOutBytes) flushOut(sink);
  const size_t width = encodeUtf8(point, out_.get() + outLength_);
  map(offset, static_cast<uint8_t>(width), inWidth, 1);
  outLength_ += width;
}

// Bytes as they are: a whole character, or as much ASCII as there is.
void Decoder::raw(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink) {
  while (length > 0) {
    if (outLength_ >= kOutBytes) flushOut(sink);
    const size_t part = length <= 4 || length < kOutBytes - outLength_ ? length : kOutBytes - outLength_;
    map(offset, 1, 1, part);
    std::memcpy(out_.get() + outLength_, bytes, part);
    outLength_ += part;
    bytes += part;
    offset += part;
    length -= part;
  }
}

}  // namespace sentinel::dlp
