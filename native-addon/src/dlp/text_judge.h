// Which encoding a block of bytes is in: clean text, UTF-16, eight-bit text or binary.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sentinel::dlp {

enum class TextMode : uint8_t { kPass, kEightBit, kUtf16 };

struct Judgement {
  TextMode mode;
  bool bigEndian, odd;
};

// At most this much is judged at once.
constexpr size_t kMaxJudged = 1024;

// `now` is what the bytes before were. `portable`: no vector instructions; says the same.
Judgement judgeBlock(const uint8_t* bytes, size_t length, Judgement now, bool portable);

}  // namespace sentinel::dlp
