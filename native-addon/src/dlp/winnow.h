// Text -> the windows by which a document is known.
//
// Text is normalised to its letters and digits (folded: case, compatibility forms, accents; everything else, so also
// white space, hyphens at line ends and punctuation, is dropped) and is a sequence of bytes from there on. Every
// position has an order: a keyed hash of the 8 bytes there. Of every 64 neighbouring positions the one of least order
// is selected, the rightmost of equals, and the 48 bytes from there are a fingerprint. Selection looks at nothing but
// those bytes, so a run of 48 + 64 - 1 = 111 bytes that two texts share has a fingerprint in common, whatever stands
// around it. ("Robust" winnowing, which keeps an earlier choice among equals, would not promise that here: equal order
// does not mean equal windows.) A character is at least one byte, so 111 characters are always enough.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "dlp/offset_trail.h"

namespace sentinel::dlp {

constexpr size_t kWindowBytes = 48;
constexpr size_t kWinnow = 64;

class WindowSink {
 public:
  virtual ~WindowSink() = default;
  // The normalised text, in pieces, before the windows that begin in it.
  virtual void letters(const uint8_t*, size_t) {}
  // Windows begin at text[positions[i]], rising.
  virtual void windows(const uint8_t* text, const uint32_t* positions, size_t count) = 0;
};

// One stream. Any chunking gives the same windows.
class WindowStream {
 public:
  WindowStream(const uint64_t seeds[4], bool portable);
  ~WindowStream() { reset(); }
  void feed(const uint8_t* utf8, size_t n, const OffsetMap& map, WindowSink& sink);
  void reset();
  // Normalised bytes so far.
  uint64_t characters() const { return dropped_ + length_; }
  // Where in the normalised text a window begins; only while the sink is called.
  uint64_t positionOf(uint32_t position) const { return dropped_ + position; }
  // Where in the stream a window begins and how long it is; only while the sink is called.
  void place(uint32_t position, uint64_t* offset, uint32_t* length) const;

 private:
  // Where normalised bytes from `norm` on come from: bytes of a 64-byte block that `mask` keeps, or (mask 0) the one
  // character at `decoded`.
  struct Place {
    uint32_t norm;
    uint32_t width;  // decoded bytes of the character, when mask is 0
    uint64_t decoded;
    uint64_t mask;
  };
  size_t character(const uint8_t* text, size_t n, size_t i, uint64_t decoded);
  void normalise(const uint8_t* text, size_t n, uint64_t decoded);
  void winnow(WindowSink& sink);
  void decodedRange(uint32_t position, uint64_t* begin, uint64_t* end) const;
  void room(size_t n);

  uint16_t factors_[4];
  bool vector_;
  std::vector<uint8_t> text_;  // normalised, with room behind for whole vectors
  size_t length_ = 0;
  uint64_t dropped_ = 0;       // normalised bytes that were before text_
  std::vector<uint16_t> order_;
  size_t ordered_ = 0;
  std::vector<Place> places_;
  OffsetTrail trail_;
  std::vector<uint32_t> selected_;
  int64_t least_ = -1;  // the position selected last
  size_t next_ = 0;     // the next position that enters the 64
  std::string folded_;
};

}  // namespace sentinel::dlp
