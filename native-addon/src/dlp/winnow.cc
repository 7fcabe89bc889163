#include "dlp/winnow.h"

#include <string.h>

#include <algorithm>
#include <memory>

#include "dlp/fold.h"
#include "dlp/winnow_kernels.h"

namespace sentinel::dlp {
namespace {

constexpr size_t kSlice = 8 * 1024;
constexpr size_t kPadding = 128;

// Lower-case letter or digit, 0 for what is dropped.
struct Folding {
  uint8_t to[256] = {};
  constexpr Folding() {
    for (int c = '0'; c <= '9'; c++) to[c] = static_cast<uint8_t>(c);
    for (int c = 'a'; c <= 'z'; c++) to[c] = to[c - 32] = static_cast<uint8_t>(c);
  }
};
constexpr Folding kFolding;

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

WindowStream::WindowStream(const uint64_t seeds[4], bool portable) : vector_(hasWinnowVectors() && !portable) {
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
  while (vector_ && n - i >= 64) {
    Block64 block;
    classify64(text + i, &block);
    size_t from = 0;
    while (from < 64) {
      const uint64_t rest = block.characters & ~0ull << from;
      const size_t to = rest == 0 ? 64 : static_cast<size_t>(__builtin_ctzll(rest));
      uint64_t mask = block.kept & ~0ull << from;
      if (to < 64) mask &= (1ull << to) - 1;
      if (mask != 0) {
        room(64 + 8);
        places_.push_back({static_cast<uint32_t>(length_), 0, decoded + i, mask});
        length_ += compact64(block, mask, text_.data() + length_);
      }
      from = to < 64 ? to + character(text, n, i + to, decoded) : 64;
    }
    i += from;
  }
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
    windowOrders(text_.data() + ordered_, valid - ordered_, factors_, order_.data() + ordered_, vector_);
    ordered_ = valid;
  }
  if (valid < kWinnow) return;
  const uint16_t* order = order_.data();
  selected_.clear();
  const auto select = [&](size_t position) {
    least_ = static_cast<int64_t>(position);
    selected_.push_back(static_cast<uint32_t>(position));
  };
  if (least_ < 0) {
    select(leastOrder(order, vector_));
    next_ = kWinnow;
  }
  while (next_ < valid) {
    const size_t now = static_cast<size_t>(least_);
    const size_t end = std::min(now + kWinnow, valid);
    const size_t found = next_ + firstAtMost(order + next_, end - next_, order[now], vector_);
    if (found < end) {
      select(found);
      next_ = found + 1;
    } else if (end == valid) {
      next_ = valid;
    } else {
      // The least one leaves the 64.
      select(now + 1 + leastOrder(order + now + 1, vector_));
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
