// Bytes of a file -> pieces of UTF-8 text with a map back to byte offsets, as a stream.
//
// The stream is judged in blocks of 1 KiB, aligned to its beginning, so that how it was cut into chunks never matters and
// a file may change its encoding on the way (text inside a binary format, a byte order mark in front of something else):
//   clean      ASCII or UTF-8: handed on from the caller's buffer, no copy
//   UTF-16     LE or BE, at even or odd alignment, told by a byte order mark or by how many units are letters
//   8-bit      not UTF-8 and hardly any control characters: what is valid UTF-8 stays, other bytes are Windows-1252
//   binary     everything else: handed on as it is
// A piece never begins or ends inside a well-formed UTF-8 sequence. Bytes that are not UTF-8 occur in binary pieces only;
// detectors treat them as separators. Memory: a block, an output buffer of 16 KiB and its map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dlp/text_judge.h"

namespace sentinel::dlp {

// From `decoded` on, every `decodedUnit` bytes of text come from `streamUnit` bytes of the stream. Both offsets count
// from the start of the stream; runs of characters of the same widths share an entry.
struct OffsetRun {
  uint64_t decoded;
  uint64_t stream;
  uint8_t decodedUnit;
  uint8_t streamUnit;
};

// Piecewise linear: `runs` in rising order; the first begins at the first byte of the piece.
struct OffsetMap {
  uint64_t chunkAt;  // decoded offset of the piece's first byte
  const OffsetRun* runs;
  size_t count;
};

// Offset in the stream of the character that holds the text byte at `decoded` (absolute); for the end of a piece, where
// its last character ends.
uint64_t streamOffset(const OffsetRun* runs, size_t count, uint64_t decoded);

class TextSink {
 public:
  virtual ~TextSink() = default;
  // The bytes are valid during the call only.
  virtual void text(const uint8_t* utf8, size_t n, const OffsetMap& map) = 0;
};

class Decoder {
 public:
  // `portable`: no vector instructions beyond what every processor of the kind has.
  explicit Decoder(bool portable = false);
  ~Decoder();  // overwrites what it held
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Calls `sink` zero or more times. `last`: nothing follows, what was held back is handed on.
  void feed(const uint8_t* bytes, size_t length, bool last, TextSink& sink);
  // Ready for another stream.
  void reset();

  static constexpr size_t kBlock = kMaxJudged;

 private:
  void block(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink);
  void become(Judgement next, TextSink& sink);
  void flushRun(TextSink& sink);
  void flushOut(TextSink& sink);
  void pass(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink);
  void eightBit(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink);
  void utf16(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink);
  void unit(uint16_t value, uint64_t offset, TextSink& sink);
  void put(uint32_t codePoint, uint64_t offset, uint8_t inWidth, TextSink& sink);
  void raw(const uint8_t* bytes, size_t length, uint64_t offset, TextSink& sink);
  void settleTail(TextSink& sink);
  void map(uint64_t offset, uint8_t decodedUnit, uint8_t streamUnit, size_t count);

  const bool portable_;
  Judgement now_{TextMode::kPass, false, false};
  uint64_t offset_ = 0;  // of the next byte that feed() gets
  uint8_t held_[kBlock];  // a block that is not yet whole
  size_t heldLength_ = 0;
  const uint8_t* run_ = nullptr;  // clean blocks of the caller's buffer that were not handed on yet
  size_t runLength_ = 0;
  uint64_t runOffset_ = 0;
  uint8_t tail_[4];  // an unfinished UTF-8 sequence, or the first byte of a UTF-16 unit
  size_t tailLength_ = 0;
  uint64_t tailOffset_ = 0;
  uint16_t highSurrogate_ = 0;
  uint64_t highOffset_ = 0;
  const std::unique_ptr<uint8_t[]> out_;
  size_t outLength_ = 0;
  std::vector<OffsetRun> runs_;  // of out_
  uint64_t nextInRun_ = 0;       // offset in the stream of what would continue the last run
  uint64_t decoded_ = 0;         // offset in the text of what comes after all pieces handed on
};

// Length of the well-formed UTF-8 sequence at `bytes`, 0 if there is none, -1 if it could be the beginning of one.
int utf8Sequence(const uint8_t* bytes, size_t available);
// A byte of a sequence that is not its first.
inline bool isContinuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// Writes a character as UTF-8; returns how many bytes, at most 4.
size_t encodeUtf8(uint32_t codePoint, uint8_t* to);

// Code point of a well-formed sequence of this length.
uint32_t utf8CodePoint(const uint8_t* bytes, int length);

}  // namespace sentinel::dlp
