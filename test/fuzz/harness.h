// What the fuzz targets share: a stream in pieces that the input itself chooses, and hits that can be compared.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "dlp/detector.h"

namespace sentinel::dlp::fuzz {

class Hits : public Sink {
 public:
  // `limit`: bytes of the stream; no hit may point beyond it.
  explicit Hits(uint64_t limit) : limit_(limit) {}
  void hit(const Hit& one) override {
    if (one.offset > limit_ || one.length > limit_ - one.offset || !(one.confidence >= 0 && one.confidence <= 1) || one.count == 0) {
      std::fprintf(stderr, "a hit outside the input: %llu + %u of %llu, confidence %f, count %u\n", static_cast<unsigned long long>(one.offset),
                   one.length, static_cast<unsigned long long>(limit_), static_cast<double>(one.confidence), one.count);
      std::abort();
    }
    number++;
    char line[160];
    std::snprintf(line, sizeof line, "%u %u %llu %u %llu %.6f %.6f %u %u\n", one.kind, one.field, static_cast<unsigned long long>(one.offset),
                  one.length, static_cast<unsigned long long>(one.ref), static_cast<double>(one.confidence),
                  static_cast<double>(one.containment), one.count, one.secondaries);
    text += line;
  }
  std::string text;
  size_t number = 0;

 private:
  uint64_t limit_;
};

// Bytes -> decoder -> detector, a piece at a time; each piece is a buffer of its own, so that a read beyond it is seen.
class Stream : private TextSink {
 public:
  Stream(Detector* detector, Sink* sink, bool portable) : detector_(detector), sink_(sink), decoder_(portable) {}
  void run(const uint8_t* bytes, size_t n, uint32_t seed) {
    for (size_t at = 0; at < n;) {
      seed = seed * 1664525u + 1013904223u;
      size_t size = seed == 0 ? n - at : 1 + (seed >> 8) % ((seed >> 28) == 0 ? 3000 : 40);
      if (whole || size > n - at) size = n - at;
      const std::vector<uint8_t> piece(bytes + at, bytes + at + size);
      detector_->raw(piece.data(), size);
      decoder_.feed(piece.data(), size, false, *this);
      at += size;
    }
    decoder_.feed(nullptr, 0, true, *this);
    detector_->finish(*sink_);
  }
  bool whole = false;

 private:
  void text(const uint8_t* utf8, size_t n, const OffsetMap& map) override {
    const std::vector<uint8_t> copy(utf8, utf8 + n);
    detector_->feed(copy.data(), n, map, *sink_);
  }
  Detector* detector_;
  Sink* sink_;
  Decoder decoder_;
};

// The hits of a source in an input: whole, in pieces, without vector instructions and with a detector used before must
// be the same. Returns how many there are.
inline size_t compare(const Source& source, const uint8_t* data, size_t size) {
  const uint32_t seed = size > 0 ? data[size - 1] * 2654435761u + 1 : 1;
  std::string first;
  size_t number = 0;
  for (int round = 0; round < 3; round++) {
    const auto detector = source.detector(0, round == 2);
    for (int use = 0; use < (round == 1 ? 2 : 1); use++) {
      Hits hits(size);
      Stream stream(detector.get(), &hits, round == 2);
      stream.whole = round == 0;
      stream.run(data, size, seed + static_cast<uint32_t>(use));
      detector->reset();
      if (round == 0) {
        first = hits.text;
        number = hits.number;
      } else if (hits.text != first) {
        std::fprintf(stderr, "round %d use %d: hits differ\n%s---\n%s", round, use, first.c_str(), hits.text.c_str());
        std::abort();
      }
    }
  }
  return number;
}

}  // namespace sentinel::dlp::fuzz
