#include "dlp/text.h"

#include <cstring>

namespace sentinel::dlp {
namespace {

constexpr size_t kOutBytes = 16 * 1024;

// Windows-1252 0x80..0x9F; 0 where it defines nothing.
constexpr uint16_t kWindows1252[32] = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

// How far the bytes of a block go; compiled to vector code.
struct Extremes {
  uint8_t low, high;
};

Extremes extremes(const uint8_t* bytes, size_t length) {
  uint8_t low = 0xFF, high = 0;
  for (size_t i = 0; i < length; i++) {
    low = bytes[i] < low ? bytes[i] : low;
    high = bytes[i] > high ? bytes[i] : high;
  }
  return {low, high};
}

struct Census {
  size_t printable, controls;
};

Census census(const uint8_t* bytes, size_t length) {
  Census result{0, 0};
  size_t i = 0;
  while (i < length) {
    const size_t end = length - i > 128 ? i + 128 : length;
    uint8_t printable = 0, controls = 0;  // one vector lane each: at most 128 per round
    for (; i < end; i++) {
      const uint8_t b = bytes[i];
      printable += static_cast<uint8_t>(b >= 0x20) & static_cast<uint8_t>(b < 0x7F);
      printable += static_cast<uint8_t>(b >= 0x09) & static_cast<uint8_t>(b <= 0x0D);
      controls += static_cast<uint8_t>(b < 0x09) | (static_cast<uint8_t>(b > 0x0D) & static_cast<uint8_t>(b < 0x20) &
                                                    static_cast<uint8_t>(b != 0x1B));
    }
    result.printable += printable;
    result.controls += controls;
  }
  return result;
}

// Whether all of a block is UTF-8, not counting sequences that its edges cut.
bool validInside(const uint8_t* bytes, size_t length) {
  size_t i = 0;
  while (i < length && i < 3 && (bytes[i] & 0xC0) == 0x80) i++;
  while (i < length) {
    while (i + 8 <= length) {
      uint64_t word;
      std::memcpy(&word, bytes + i, 8);
      if (word & 0x8080808080808080ull) break;
      i += 8;
    }
    if (i >= length) break;
    if (bytes[i] < 0x80) {
      i++;
      continue;
    }
    const int size = utf8Sequence(bytes + i, length - i);
    if (size == 0) return false;
    if (size < 0) return true;
    i += static_cast<size_t>(size);
  }
  return true;
}

// High bytes of UTF-16 units that people write; 0x00 depends on the low byte.
struct HighBytes {
  bool likely[256] = {};
  constexpr HighBytes() {
    for (int i = 0x01; i <= 0x06; i++) likely[i] = true;
    for (int i = 0x09; i <= 0x0E; i++) likely[i] = true;
    likely[0x10] = likely[0x11] = likely[0x17] = likely[0x1E] = likely[0x1F] = likely[0x20] = likely[0x21] = true;
    likely[0x30] = likely[0x31] = likely[0xFF] = true;
    for (int i = 0x34; i <= 0x9F; i++) likely[i] = true;
    for (int i = 0xAC; i <= 0xD7; i++) likely[i] = true;
  }
};
constexpr HighBytes kHighBytes;

// 0 if the block is hardly UTF-16 of this kind; more for more characters, and most for those of Latin scripts.
size_t utf16Score(const uint8_t* bytes, size_t length, bool bigEndian, bool odd) {
  const size_t first = odd ? 1 : 0;
  if (length < first + 2) return 0;
  const size_t units = (length - first) / 2;
  size_t likely = 0, narrow = 0;
  for (size_t i = 0; i < units; i++) {
    const uint8_t a = bytes[first + 2 * i], b = bytes[first + 2 * i + 1];
    const uint8_t high = bigEndian ? a : b, low = bigEndian ? b : a;
    if (high == 0) {
      const bool text = (low >= 0x20 && low < 0x7F) || (low >= 0x09 && low <= 0x0D) || low >= 0xA0;
      likely += text;
      narrow += text;
    } else {
      likely += kHighBytes.likely[high];
    }
    if (i == 15 && likely < 12) return 0;
  }
  return likely * 8 >= units * 7 ? likely + narrow : 0;
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
  return run.stream + (decoded - run.decoded) / run.decodedUnit * run.streamUnit;
}

Decoder::Decoder() { out_.reserve(kOutBytes + 16); }

Decoder::~Decoder() { reset(); }

void Decoder::reset() {
  now_ = {Mode::kPass, false, false};
  offset_ = 0;
  heldLength_ = runLength_ = tailLength_ = 0;
  highSurrogate_ = 0;
  volatile uint8_t* held = held_;
  for (size_t i = 0; i < kBlock; i++) held[i] = 0;
  out_.resize(kOutBytes + 16);  // as much as there ever is in it
  volatile uint8_t* out = out_.data();
  for (size_t i = 0; i < kOutBytes + 16; i++) out[i] = 0;
  out_.clear();
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

Decoder::Judgement Decoder::judge(const uint8_t* bytes, size_t length) const {
  const Extremes seen = extremes(bytes, length);
  const bool mayEndUtf16 = now_.mode == Mode::kUtf16 && length < 32;
  if (seen.low > 0 && !mayEndUtf16 && (seen.high < 0x80 || validInside(bytes, length)))
    return {Mode::kPass, false, false};
  const Census count = census(bytes, length);
  // A few bytes without a zero among them say nothing.
  const bool enough = seen.low == 0 || length >= 32 || now_.mode == Mode::kUtf16;
  if (enough && (count.printable * 5 < length * 4 || mayEndUtf16)) {
    size_t best = 0;
    Judgement result{Mode::kPass, false, false};
    for (int i = now_.mode == Mode::kUtf16 ? -1 : 0; i < 4; i++) {
      const Judgement candidate = i < 0 ? now_ : Judgement{Mode::kUtf16, (i & 1) != 0, (i & 2) != 0};
      const size_t score = utf16Score(bytes, length, candidate.bigEndian, candidate.odd);
      if (score <= best) continue;
      best = score;
      result = candidate;
    }
    if (best > 0) return result;
  }
  if (seen.high >= 0x80 && count.controls * 100 <= length && !validInside(bytes, length))
    return {Mode::kEightBit, false, false};
  return {Mode::kPass, false, false};
}

void Decoder::block(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink) {
  if (offset == 0 && length >= 2) {
    // A byte order mark is no text; UTF-16's tells what the first blocks are if they look like it at all.
    size_t mark = 0;
    if (length >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF) mark = 3;
    if (bytes[0] == 0xFF && bytes[1] == 0xFE) now_ = {Mode::kUtf16, false, false}, mark = 2;
    if (bytes[0] == 0xFE && bytes[1] == 0xFF) now_ = {Mode::kUtf16, true, false}, mark = 2;
    bytes += mark;
    length -= mark;
    offset += mark;
    if (length == 0) return;
  }
  const Judgement next = judge(bytes, length);
  if (next.mode == Mode::kPass && now_.mode == Mode::kPass) {
    if (runLength_ == 0) run_ = bytes, runOffset_ = offset;
    runLength_ += length;
    return;
  }
  become(next, sink);
  if (next.mode == Mode::kPass) run_ = bytes, runOffset_ = offset, runLength_ = length;
  else if (next.mode == Mode::kEightBit) eightBit(bytes, length, offset, sink);
  else utf16(bytes, length, offset, sink);
}

void Decoder::become(Judgement next, TextSink& sink) {
  if (next.mode == now_.mode && next.bigEndian == now_.bigEndian && next.odd == now_.odd) return;
  flushRun(sink);
  // Eight-bit text and clean text may share a sequence that the edge of a block cuts.
  if (now_.mode == Mode::kUtf16 || next.mode == Mode::kUtf16) settleTail(sink);
  flushOut(sink);
  now_ = next;
}

void Decoder::settleTail(TextSink& sink) {
  if (highSurrogate_ != 0) {
    highSurrogate_ = 0;
    put(0xFFFD, highOffset_, 2, sink);
  }
  for (size_t i = 0; i < tailLength_; i++) {
    if (now_.mode == Mode::kPass) {
      raw(tail_ + i, 1, tailOffset_ + i, sink);
    } else if (now_.mode == Mode::kEightBit) {
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
  if (out_.empty()) return;
  sink.text(out_.data(), out_.size(), {decoded_, runs_.data(), runs_.size()});
  decoded_ += out_.size();
  out_.clear();
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
  for (; i + 1 < length; i += 2) {
    const uint16_t value = static_cast<uint16_t>(now_.bigEndian ? bytes[i] << 8 | bytes[i + 1] : bytes[i + 1] << 8 | bytes[i]);
    if (value < 0x80 && highSurrogate_ == 0) {
      if (out_.size() >= kOutBytes) flushOut(sink);
      map(offset + i, 1, 2);
      out_.push_back(static_cast<uint8_t>(value));
    } else {
      unit(value, offset + i, sink);
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

void Decoder::map(uint64_t offset, uint8_t decodedUnit, uint8_t streamUnit) {
  const uint64_t at = decoded_ + out_.size();
  if (!runs_.empty()) {
    const OffsetRun& last = runs_.back();
    if (last.decodedUnit == decodedUnit && last.streamUnit == streamUnit &&
        last.stream + (at - last.decoded) / decodedUnit * streamUnit == offset)
      return;
  }
  runs_.push_back({at, offset, decodedUnit, streamUnit});
}

void Decoder::put(uint32_t point, uint64_t offset, uint8_t inWidth, TextSink& sink) {
  if (out_.size() >= kOutBytes) flushOut(sink);
  map(offset, point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4, inWidth);
  if (point < 0x80) {
    out_.push_back(static_cast<uint8_t>(point));
  } else if (point < 0x800) {
    out_.push_back(static_cast<uint8_t>(0xC0 | point >> 6));
    out_.push_back(static_cast<uint8_t>(0x80 | (point & 0x3F)));
  } else if (point < 0x10000) {
    out_.push_back(static_cast<uint8_t>(0xE0 | point >> 12));
    out_.push_back(static_cast<uint8_t>(0x80 | (point >> 6 & 0x3F)));
    out_.push_back(static_cast<uint8_t>(0x80 | (point & 0x3F)));
  } else {
    out_.push_back(static_cast<uint8_t>(0xF0 | point >> 18));
    out_.push_back(static_cast<uint8_t>(0x80 | (point >> 12 & 0x3F)));
    out_.push_back(static_cast<uint8_t>(0x80 | (point >> 6 & 0x3F)));
    out_.push_back(static_cast<uint8_t>(0x80 | (point & 0x3F)));
  }
}

void Decoder::raw(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink) {
  if (out_.size() >= kOutBytes) flushOut(sink);
  map(offset, 1, 1);
  out_.insert(out_.end(), bytes, bytes + length);
}

}  // namespace sentinel::dlp
