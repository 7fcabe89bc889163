// The decoder: any pieces give the same text and offsets, with vector instructions or without; offsets rise and stay inside
// the stream, no piece ends or begins within a character.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "dlp/text.h"

using namespace sentinel::dlp;

namespace {

class Recorder : public TextSink {
 public:
  void text(const uint8_t* utf8, size_t n, const OffsetMap& map) override {
    if (map.chunkAt != bytes.size() || n == 0) std::abort();
    for (size_t i = 0; i < n; i++) {
      const uint64_t at = streamOffset(map.runs, map.count, map.chunkAt + i);
      if (!offsets.empty() && at < offsets.back()) std::abort();
      offsets.push_back(at);
    }
    // The end of this piece and the beginning of the next make no character together.
    if (!bytes.empty()) {
      for (size_t back = 1; back <= 3 && back <= bytes.size(); back++) {
        uint8_t across[8];
        const size_t ahead = n < 4 ? n : 4;
        std::memcpy(across, bytes.data() + bytes.size() - back, back);
        std::memcpy(across + back, utf8, ahead);
        if (utf8Sequence(across, back + ahead) > static_cast<int>(back)) std::abort();
      }
    }
    bytes.insert(bytes.end(), utf8, utf8 + n);
    if (streamOffset(map.runs, map.count, map.chunkAt + n) > limit) std::abort();
  }
  std::vector<uint8_t> bytes;
  std::vector<uint64_t> offsets;
  uint64_t limit = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Recorder whole, pieces;
  whole.limit = pieces.limit = size;
  Decoder(true).feed(data, size, true, whole);
  Decoder decoder;
  uint32_t seed = size > 0 ? data[size - 1] * 2654435761u + 1 : 1;
  for (size_t at = 0; at < size;) {
    seed = seed * 1664525u + 1013904223u;
    const size_t n = 1 + (seed >> 8) % ((seed >> 28) == 0 ? 3000 : 40);
    const std::vector<uint8_t> piece(data + at, data + at + (n < size - at ? n : size - at));
    decoder.feed(piece.data(), piece.size(), false, pieces);
    at += piece.size();
  }
  decoder.feed(nullptr, 0, true, pieces);
  if (whole.bytes != pieces.bytes || whole.offsets != pieces.offsets) std::abort();
  return 0;
}
