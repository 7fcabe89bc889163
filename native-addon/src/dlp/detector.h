// What finds things in a stream of text, and how it tells.
//
// A Source is what was opened once (an index, a set of patterns); it is shared by threads and never changes. A Detector
// is one scan of one stream by one source; the Scanner makes one per stream and feeds it decoded text in order.
// Invariant every detector keeps: the same text gives the same hits, however it is cut into chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "dlp/text.h"

namespace sentinel::dlp {

enum HitKind : uint8_t { kRow = 0, kDocument = 1, kPattern = 2, kWholeFile = 3 };

struct Hit {
  uint32_t source = 0;  // handle of the index or pattern set that hit
  uint8_t kind = kRow;
  uint8_t field = 0;    // column, pattern number
  uint64_t offset = 0;  // bytes into the scanned stream (before decoding)
  uint32_t length = 0;  // bytes of the stream
  uint64_t ref = 0;     // row number, document number, list entry
  float confidence = 0;
  uint32_t secondaries = 0;  // bit per column of the same row that was found near
  float containment = 0;     // documents: share that is there
  uint32_t count = 1;
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void hit(const Hit &) = 0;
};

class Detector {
 public:
  virtual ~Detector() = default;
  // Decoded text. The bytes are only valid during the call. `map` covers at least this chunk.
  virtual void feed(const uint8_t *utf8, size_t n, const OffsetMap &map, Sink &sink) = 0;
  virtual void finish(Sink &sink) = 0;
  virtual void reset() = 0;
  // The bytes of the stream as they are, before decoding (whole-file hashes). Most do not want them.
  virtual void raw(const uint8_t *bytes, size_t n) {}
};

class Source {
 public:
  virtual ~Source() = default;
  // `handle` goes into Hit::source. `portable`: no vector instructions.
  virtual std::unique_ptr<Detector> detector(uint32_t handle, bool portable) const = 0;
  // How far from a value what it depends on can stand, in bytes of text; 0 when text says nothing to it.
  virtual size_t reach() const { return 2048; }
  // Whether an escaped line break in front of a value hides it; if not, the detectors tell the two apart.
  virtual bool hiddenByBreaks() const { return true; }
};

}  // namespace sentinel::dlp
