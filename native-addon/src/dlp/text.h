// Bytes to UTF-8 text, with the way back from a place in the text to a place in the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sentinel::dlp {

// From `decoded` on, every `decodedUnit` bytes of text come from `streamUnit` bytes of the stream. Both offsets count
// from the start of the stream.
struct OffsetRun {
  uint64_t decoded;
  uint64_t stream;
  uint8_t decodedUnit;
  uint8_t streamUnit;
};

// Piecewise linear: `runs` in rising order; the first begins at or before the first byte of the chunk.
struct OffsetMap {
  uint64_t chunkAt;  // decoded offset of the chunk's first byte
  const OffsetRun *runs;
  size_t count;
};

// Offset in the stream of the text byte at `decoded` (absolute).
uint64_t streamOffset(const OffsetRun *runs, size_t count, uint64_t decoded);

class TextSink {
 public:
  virtual ~TextSink() = default;
  virtual void text(const uint8_t *utf8, size_t n, const OffsetMap &map) = 0;
};

// One per stream.
class Decoder {
 public:
  // Calls `sink` zero or more times. `last`: nothing follows.
  void feed(const uint8_t *bytes, size_t n, bool last, TextSink &sink);

 private:
  uint64_t at_ = 0;
};

}  // namespace sentinel::dlp
