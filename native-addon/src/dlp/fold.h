// Unicode for comparison: what is a letter, what counts as a token of its own, and what a character folds to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sentinel::dlp {

// Reads one character at `at` (< n); sets *length. An invalid byte is U+FFFD of length 1.
uint32_t readCodePoint(const uint8_t *text, size_t n, size_t at, uint32_t *length);

// The ASCII letter, digit or sign that stands for a full-width, mathematical or national form; 0 for none.
uint8_t asciiFormOf(uint32_t codePoint);

// Characters that may stand inside a number, an IBAN or an id without changing it.
bool isJoiner(uint32_t codePoint);

bool isWordChar(uint32_t codePoint);

void appendUtf8(uint32_t codePoint, std::string *out);

// Characters of scripts written without spaces: each is a token.
bool isSingleToken(uint32_t codePoint);

// Appends the folded form (compatibility decomposition, case folding, no accents).
void appendFolded(uint32_t codePoint, std::string *out);

struct Token {
  uint32_t begin, end;        // bytes of the text
  uint32_t foldedAt, foldedEnd;  // bytes of the folded text
};

// Splits text[from, to) into tokens: maximal runs of word characters, or single characters where no spaces are written.
void tokenize(const uint8_t *text, size_t from, size_t to, std::vector<Token> *tokens, std::string *folded);

}  // namespace sentinel::dlp
