#include "dlp/winnow.h"

#include <string.h>

#include <algorithm>
#include <memory>

#include "dlp/fold.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sentinel::dlp {
namespace {

constexpr size_t kSlice = 8 * 1024;
constexpr size_t kPadding = 128;
constexpr size_t kGram = 8;

// Lower-case letter or digit, 0 for what is dropped.
struct Folding {
  uint8_t to[256] = {};
  constexpr Folding() {
    for (int c = '0'; c <= '9'; c++) to[c] = static_cast<uint8_t>(c);
    for (int c = 'a'; c <= 'z'; c++) to[c] = to[c - 32] = static_cast<uint8_t>(c);
  }
};
constexpr Folding kFolding;

__attribute__((always_inline)) inline uint16_t low(uint16_t a, uint16_t b) { return static_cast<uint16_t>(static_cast<uint32_t>(a) * b); }
__attribute__((always_inline)) inline uint16_t high(uint16_t a, uint16_t b) { return static_cast<uint16_t>(static_cast<uint32_t>(a) * b >> 16); }

// Orders of positions [0, n): text has kGram bytes at each. Written so that compilers make vector code of it.
__attribute__((always_inline)) inline void ordersOf(const uint8_t* text, size_t n, const uint16_t* factors, uint16_t* out) {
  const uint16_t a = factors[0], b = factors[1], c = factors[2], d = factors[3];
  for (size_t i = 0; i < n; i++) {
    const uint16_t w0 = static_cast<uint16_t>(text[i] | text[i + 1] << 8), w1 = static_cast<uint16_t>(text[i + 2] | text[i + 3] << 8);
    const uint16_t w2 = static_cast<uint16_t>(text[i + 4] | text[i + 5] << 8), w3 = static_cast<uint16_t>(text[i + 6] | text[i + 7] << 8);
    // Both halves of the products: the low one knows the low bits, the high one all of them.
    uint16_t hash = low(w0, a) ^ high(w0, c);
    hash = static_cast<uint16_t>(hash + (low(w1, b) ^ high(w1, d)));
    hash = static_cast<uint16_t>(hash ^ hash >> 7);
    hash = static_cast<uint16_t>(low(hash, d) + (low(w2, c) ^ high(w2, a)));
    hash = static_cast<uint16_t>(hash ^ hash >> 9);
    hash = static_cast<uint16_t>(low(hash, b) + (low(w3, d) ^ high(w3, b)));
    hash = low(hash, a) ^ high(hash, c);
    out[i] = hash;
  }
}

void ordersPortable(const uint8_t* text, size_t n, const uint16_t* factors, uint16_t* out) { ordersOf(text, n, factors, out); }

// First position of [0, n) whose order is at most `most`; n if there is none.
size_t firstAtMostPortable(const uint16_t* order, size_t n, uint16_t most) {
  for (size_t i = 0; i < n; i++)
    if (order[i] <= most) return i;
  return n;
}

size_t leastPortable(const uint16_t* order) {
  size_t best = 0;
  for (size_t i = 1; i < kWinnow; i++)
    if (order[i] <= order[best]) best = i;
  return best;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void ordersAvx2(const uint8_t* text, size_t n, const uint16_t* factors, uint16_t* out) {
  ordersOf(text, n, factors, out);
}

// May read 15 orders behind the end.
__attribute__((target("avx2"))) size_t firstAtMostAvx2(const uint16_t* order, size_t n, uint16_t most) {
  const __m256i limit = _mm256_set1_epi16(static_cast<int16_t>(most));
  for (size_t i = 0; i < n; i += 16) {
    const __m256i values = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(order + i));
    const uint32_t found = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi16(_mm256_min_epu16(values, limit), values)));
    if (found != 0) {
      const size_t at = i + static_cast<size_t>(__builtin_ctz(found)) / 2;
      return at < n ? at : n;
    }
  }
  return n;
}

// The rightmost least of 64 orders.
__attribute__((target("avx2"))) size_t leastAvx2(const uint16_t* order) {
  const __m256i* at = reinterpret_cast<const __m256i*>(order);
  const __m256i a = _mm256_loadu_si256(at), b = _mm256_loadu_si256(at + 1), c = _mm256_loadu_si256(at + 2), d = _mm256_loadu_si256(at + 3);
  const __m256i all = _mm256_min_epu16(_mm256_min_epu16(a, b), _mm256_min_epu16(c, d));
  const __m128i half = _mm_min_epu16(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  const __m256i least = _mm256_broadcastw_epi16(_mm_minpos_epu16(half));
  const auto equal = [&](__m256i low, __m256i high) __attribute__((target("avx2"))) {
    // One bit per order, in order.
    const __m256i packed = _mm256_packs_epi16(_mm256_cmpeq_epi16(low, least), _mm256_cmpeq_epi16(high, least));
    return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_permute4x64_epi64(packed, 0xD8)));
  };
  const uint64_t bits = static_cast<uint64_t>(equal(c, d)) << 32 | equal(a, b);
  return 63 - static_cast<size_t>(__builtin_clzll(bits));
}

// Moves the bytes of a group of eight that a mask keeps to the front.
struct Compaction {
  alignas(64) uint8_t shuffle[256][8] = {};
  constexpr Compaction() {
    for (int mask = 0; mask < 256; mask++) {
      int n = 0;
      for (int i = 0; i < 8; i++)
        if (mask >> i & 1) shuffle[mask][n++] = static_cast<uint8_t>(i);
      while (n < 8) shuffle[mask][n++] = 0x80;
    }
  }
};
constexpr Compaction kCompaction;

// What 64 bytes of text are.
struct Block64 {
  alignas(64) uint8_t folded[64];  // letters and digits of ASCII in lower case; others as they are
  uint64_t kept;                   // ASCII letters and digits
  uint64_t characters;             // where a character of several bytes may begin; other bytes are no UTF-8 and dropped
};

// Leads that are followed by as many tails as they ask for; those too near to the end to tell count.
inline uint64_t charactersOf(uint64_t two, uint64_t three, uint64_t four, uint64_t tails) {
  const uint64_t first = tails >> 1 | 1ull << 63, second = tails >> 2 | 3ull << 62, third = tails >> 3 | 7ull << 61;
  return first & (two | (second & (three | (third & four))));
}

__attribute__((target("avx2"))) void classifyAvx2(const uint8_t* text, Block64* block) {
  uint64_t kept = 0, two = 0, three = 0, four = 0, tails = 0;
  for (int half = 0; half < 2; half++) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + half * 32));
    const __m256i lower = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
    const __m256i fromA = _mm256_sub_epi8(lower, _mm256_set1_epi8('a'));
    const __m256i letter = _mm256_cmpeq_epi8(_mm256_min_epu8(fromA, _mm256_set1_epi8(25)), fromA);
    const __m256i from0 = _mm256_sub_epi8(bytes, _mm256_set1_epi8('0'));
    const __m256i digit = _mm256_cmpeq_epi8(_mm256_min_epu8(from0, _mm256_set1_epi8(9)), from0);
    _mm256_store_si256(reinterpret_cast<__m256i*>(block->folded + half * 32), _mm256_blendv_epi8(bytes, lower, letter));
    const auto bits = [&](__m256i mask) __attribute__((target("avx2"))) {
      return static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(mask))) << (half * 32);
    };
    kept |= bits(_mm256_or_si256(letter, digit));
    if (_mm256_movemask_epi8(bytes) == 0) continue;
    // As signed numbers: 0x80 to 0xBF are below 0xC0, and so on.
    const auto below = [&](int limit) __attribute__((target("avx2"))) { return bits(_mm256_cmpgt_epi8(_mm256_set1_epi8(static_cast<char>(limit)), bytes)); };
    const uint64_t c0 = below(0xC0), c2 = below(0xC2), e0 = below(0xE0), f0 = below(0xF0), f5 = below(0xF5);
    tails |= c0;
    two |= e0 & ~c2;
    three |= f0 & ~e0;
    four |= f5 & ~f0;
  }
  block->kept = kept;
  block->characters = (two | three | four) == 0 ? 0 : charactersOf(two, three, four, tails);
}

// Moves the bytes that the mask keeps to `out`, which has room for 64 and 8 more; returns how many.
__attribute__((target("avx2,popcnt,bmi"))) size_t compactAvx2(const Block64& block, uint64_t mask, uint8_t* out) {
  size_t n = 0;
  for (size_t g = static_cast<size_t>(__builtin_ctzll(mask)) / 8; g < 8 && mask >> (g * 8) != 0; g++) {
    const uint8_t part = static_cast<uint8_t>(mask >> (g * 8));
    const __m128i source = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(block.folded + g * 8));
    const __m128i order = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kCompaction.shuffle[part]));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + n), _mm_shuffle_epi8(source, order));
    n += static_cast<size_t>(_mm_popcnt_u32(part));
  }
  return n;
}

__attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt"))) size_t compactAvx512(const Block64& block, uint64_t mask, uint8_t* out) {
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(mask, _mm512_load_si512(block.folded)));
  return static_cast<size_t>(__builtin_popcountll(mask));
}

__attribute__((target("avx512f,avx512bw"))) void classifyAvx512(const uint8_t* text, Block64* block) {
  const __m512i bytes = _mm512_loadu_si512(text);
  const __m512i lower = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
  const uint64_t letter = _mm512_cmple_epu8_mask(_mm512_sub_epi8(lower, _mm512_set1_epi8('a')), _mm512_set1_epi8(25));
  const uint64_t digit = _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8('0')), _mm512_set1_epi8(9));
  _mm512_store_si512(block->folded, _mm512_mask_blend_epi8(letter, bytes, lower));
  block->kept = letter | digit;
  block->characters = 0;
  const uint64_t wide = _mm512_movepi8_mask(bytes);
  if (wide == 0) return;
  const auto below = [&](int limit) __attribute__((target("avx512f,avx512bw"))) {
    return static_cast<uint64_t>(_mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(static_cast<char>(limit)))) & wide;
  };
  const uint64_t c0 = below(0xC0), c2 = below(0xC2), e0 = below(0xE0), f0 = below(0xF0), f5 = below(0xF5);
  block->characters = charactersOf(e0 & ~c2, f0 & ~e0, f5 & ~f0, c0);
}

const bool kVector512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2");
const bool kVector = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
#else
const bool kVector = false;
#endif

// What the characters of the basic plane fold to: looked up once each, not searched for every time.
class Folds {
 public:
  Folds() : entries_(new Entry[0x10000]()) {
    std::string folded;
    for (uint32_t point = 0x80; point < 0x10000; point++) {
      Entry& entry = entries_[point];
      if (point == 0xFFFD || !isWordChar(point)) continue;
      folded.clear();
      appendFolded(point, &folded);
      entry.length = folded.size() <= sizeof entry.bytes ? static_cast<uint8_t>(folded.size()) : kLong;
      memcpy(entry.bytes, folded.data(), std::min(folded.size(), sizeof entry.bytes));
    }
  }
  // Appends to `out`, which has room for 8 bytes, and returns how many; what does not fit goes to `folded`.
  size_t fold(uint32_t point, uint8_t* out, std::string* folded) const {
    if (point < 0x10000) {
      const Entry& entry = entries_[point];
      memcpy(out, entry.bytes, sizeof entry.bytes);
      if (entry.length != kLong) return entry.length;
    } else if (!isWordChar(point)) {
      return 0;
    }
    appendFolded(point, folded);
    return 0;
  }

 private:
  static constexpr uint8_t kLong = 255;
  struct Entry {
    uint8_t length;
    uint8_t bytes[7];
  };
  std::unique_ptr<Entry[]> entries_;
};

const Folds& folds() {
  static const Folds made;
  return made;
}

// Offset of the nth set bit.
inline uint32_t bitAt(uint64_t mask, uint32_t n) {
  for (; n > 0; n--) mask &= mask - 1;
  return static_cast<uint32_t>(__builtin_ctzll(mask));
}

}  // namespace

WindowStream::WindowStream(const uint64_t seeds[4], bool portable) : vector_(kVector && !portable) {
  for (int i = 0; i < 4; i++) factors_[i] = static_cast<uint16_t>(seeds[i] >> 24 | 1);
  text_.resize(2 * kSlice + kPadding);
  order_.resize(text_.size());
}

void WindowStream::reset() {
  explicit_bzero(text_.data(), text_.size());
  if (!folded_.empty()) explicit_bzero(&folded_[0], folded_.size());
  length_ = ordered_ = next_ = 0;
  dropped_ = 0;
  least_ = -1;
  places_.clear();
  trail_.clear();
  selected_.clear();
}

void WindowStream::room(size_t n) {
  if (length_ + n + kPadding <= text_.size()) return;
  text_.resize((length_ + n) * 2 + kPadding);
  order_.resize(text_.size());
}

// The character at text[i] (a byte of 0xC2 or more, or no UTF-8); returns its bytes.
inline size_t WindowStream::character(const uint8_t* text, size_t n, size_t i, uint64_t decoded) {
  room(64 + 8);
  uint32_t width;
  const uint32_t point = readCodePoint(text, n, i, &width);
  folded_.clear();
  const size_t kept = folds().fold(point, text_.data() + length_, &folded_);
  const size_t before = length_;
  length_ += kept;
  if (!folded_.empty()) {
    room(folded_.size() + 8);
    memcpy(text_.data() + length_, folded_.data(), folded_.size());
    length_ += folded_.size();
  }
  if (length_ > before) places_.push_back({static_cast<uint32_t>(before), width, decoded + i, 0});
  return width;
}

void WindowStream::normalise(const uint8_t* text, size_t n, uint64_t decoded) {
  size_t i = 0;
#if defined(__x86_64__)
  while (vector_ && n - i >= 64) {
    Block64 block;
    if (kVector512) classifyAvx512(text + i, &block);
    else classifyAvx2(text + i, &block);
    size_t from = 0;
    while (from < 64) {
      const uint64_t rest = block.characters & ~0ull << from;
      const size_t to = rest == 0 ? 64 : static_cast<size_t>(__builtin_ctzll(rest));
      uint64_t mask = block.kept & ~0ull << from;
      if (to < 64) mask &= (1ull << to) - 1;
      if (mask != 0) {
        room(64 + 8);
        places_.push_back({static_cast<uint32_t>(length_), 0, decoded + i, mask});
        length_ += kVector512 ? compactAvx512(block, mask, text_.data() + length_) : compactAvx2(block, mask, text_.data() + length_);
      }
      from = to < 64 ? to + character(text, n, i + to, decoded) : 64;
    }
    i += from;
  }
#endif
  while (i < n) {
    if (text[i] >= 0xC2) {
      i += character(text, n, i, decoded);
      continue;
    }
    room(64 + 8);
    uint64_t mask = 0;
    size_t taken = 0, kept = 0;
    for (; taken < 64 && i + taken < n && text[i + taken] < 0xC2; taken++) {
      const uint8_t folded = kFolding.to[text[i + taken]];
      text_[length_ + kept] = folded;
      kept += folded != 0;
      mask |= static_cast<uint64_t>(folded != 0) << taken;
    }
    if (mask != 0) places_.push_back({static_cast<uint32_t>(length_), 0, decoded + i, mask});
    length_ += kept;
    i += taken;
  }
}

void WindowStream::decodedRange(uint32_t position, uint64_t* begin, uint64_t* end) const {
  const auto next = std::upper_bound(places_.begin(), places_.end(), position, [](uint32_t value, const Place& place) { return value < place.norm; });
  if (next == places_.begin()) return void(*begin = *end = 0);
  const Place& place = *std::prev(next);
  *begin = place.mask == 0 ? place.decoded : place.decoded + bitAt(place.mask, position - place.norm);
  *end = *begin + (place.mask == 0 ? place.width : 1);
}

void WindowStream::place(uint32_t position, uint64_t* offset, uint32_t* length) const {
  uint64_t first, last, unused;
  decodedRange(position, &first, &unused);
  decodedRange(position + kWindowBytes - 1, &unused, &last);
  *offset = trail_.at(first);
  *length = static_cast<uint32_t>(trail_.at(last) - *offset);
}

void WindowStream::feed(const uint8_t* utf8, size_t n, const OffsetMap& map, WindowSink& sink) {
  trail_.add(map);
  for (size_t i = 0; i < n;) {
    size_t part = std::min(kSlice, n - i);
    // Not inside a character.
    while (part < n - i && part > kSlice - 4 && (utf8[i + part] & 0xC0) == 0x80) part--;
    const size_t before = length_;
    normalise(utf8 + i, part, map.chunkAt + i);
    if (length_ > before) sink.letters(text_.data() + before, length_ - before);
    winnow(sink);
    i += part;
  }
}

void WindowStream::winnow(WindowSink& sink) {
  if (length_ < kWindowBytes) return;
  const size_t valid = length_ - kWindowBytes + 1;
  if (valid > ordered_) {
#if defined(__x86_64__)
    if (vector_) ordersAvx2(text_.data() + ordered_, valid - ordered_, factors_, order_.data() + ordered_);
    else
#endif
      ordersPortable(text_.data() + ordered_, valid - ordered_, factors_, order_.data() + ordered_);
    ordered_ = valid;
  }
  if (valid < kWinnow) return;
  const auto firstAtMost = [&](const uint16_t* order, size_t n, uint16_t most) {
#if defined(__x86_64__)
    if (vector_) return firstAtMostAvx2(order, n, most);
#endif
    return firstAtMostPortable(order, n, most);
  };
  const auto least = [&](const uint16_t* order) {
#if defined(__x86_64__)
    if (vector_) return leastAvx2(order);
#endif
    return leastPortable(order);
  };
  const uint16_t* order = order_.data();
  selected_.clear();
  const auto select = [&](size_t position) {
    least_ = static_cast<int64_t>(position);
    selected_.push_back(static_cast<uint32_t>(position));
  };
  if (least_ < 0) {
    select(least(order));
    next_ = kWinnow;
  }
  while (next_ < valid) {
    const size_t now = static_cast<size_t>(least_);
    const size_t end = std::min(now + kWinnow, valid);
    const size_t found = next_ + firstAtMost(order + next_, end - next_, order[now]);
    if (found < end) {
      select(found);
      next_ = found + 1;
    } else if (end == valid) {
      next_ = valid;
    } else {
      // The least one leaves the 64.
      select(now + 1 + least(order + now + 1));
      next_ = now + 1 + kWinnow;
    }
  }
  if (!selected_.empty()) sink.windows(text_.data(), selected_.data(), selected_.size());
  // What can still be selected, or be a part of what is.
  const size_t keep = std::min(static_cast<size_t>(least_), valid - kWinnow);
  if (keep < kSlice / 2) return;
  memmove(text_.data(), text_.data() + keep, length_ - keep);
  memmove(order_.data(), order_.data() + keep, (ordered_ - keep) * sizeof order_[0]);
  size_t old = 0;
  while (old + 1 < places_.size() && places_[old + 1].norm <= keep) old++;
  places_.erase(places_.begin(), places_.begin() + static_cast<std::ptrdiff_t>(old));
  if (!places_.empty() && places_[0].norm < keep) {
    // The first place is cut: its first bytes are gone.
    Place& place = places_[0];
    if (place.mask != 0)
      for (uint32_t gone = static_cast<uint32_t>(keep) - place.norm; gone > 0; gone--) place.mask &= place.mask - 1;
    place.norm = static_cast<uint32_t>(keep);
  }
  for (Place& place : places_) place.norm -= static_cast<uint32_t>(keep);
  if (!places_.empty()) trail_.forget(places_[0].decoded);
  length_ -= keep;
  ordered_ -= keep;
  least_ -= static_cast<int64_t>(keep);
  next_ -= keep;
  dropped_ += keep;
}

}  // namespace sentinel::dlp
