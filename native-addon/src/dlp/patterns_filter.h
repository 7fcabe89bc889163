// Where in a text something may begin: a filter on three bytes in a row, 32 places at a time.
//
// Each of eight buckets says which bytes may stand at the first, second and third place. A place passes when some bucket
// allows all three of its bytes, or nearly (a byte is told by its halves). Where the text ends sooner, what is missing
// counts as allowed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sentinel::dlp {

class PlaceFilter {
 public:
  static constexpr int kBuckets = 8;
  static constexpr int kPlaces = 3;

  void allow(int bucket, int place, uint8_t byte) {
    low_[place][byte & 15] |= static_cast<uint8_t>(1 << bucket);
    high_[place][byte >> 4] |= static_cast<uint8_t>(1 << bucket);
  }
  void allowAll(int bucket, int place) {
    for (int i = 0; i < 16; i++) low_[place][i] |= static_cast<uint8_t>(1 << bucket), high_[place][i] |= static_cast<uint8_t>(1 << bucket);
  }
  // To be called once, when everything is allowed that should be.
  void prepare();
  // First place of text[from, to) that passes; `to` if none does. Bytes are looked at up to `length`.
  size_t next(const uint8_t* text, size_t from, size_t to, size_t length, bool portable) const;

 private:
  bool passes(const uint8_t* text, size_t at, size_t length) const {
    uint8_t buckets = byte_[0][text[at]];
    if (at + 1 < length) buckets &= byte_[1][text[at + 1]];
    if (at + 2 < length) buckets &= byte_[2][text[at + 2]];
    return buckets != 0;
  }
  size_t nextAvx2(const uint8_t* text, size_t from, size_t to) const;

  alignas(16) uint8_t low_[kPlaces][16] = {};
  alignas(16) uint8_t high_[kPlaces][16] = {};
  uint8_t byte_[kPlaces][256] = {};
};

// A bit per byte of a text.
struct ByteMarks {
  uint64_t digits, alnums;  // of ASCII: digits; letters and digits
  uint64_t others;          // what is not ASCII
  uint64_t wide;            // 0xEF, which leads full-width characters
  uint64_t joined;          // alnums, and the signs that people put inside numbers (space - . /) where alnums are on both sides
};
// Marks text[0, n) in (n + 63) / 64 words.
void markBytes(const uint8_t* text, size_t n, ByteMarks* out, bool portable);

}  // namespace sentinel::dlp
