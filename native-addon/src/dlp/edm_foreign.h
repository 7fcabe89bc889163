// Letters, digits and signs in a full-width, mathematical or national form: text in which values are ASCII but for these.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sentinel::dlp {

// The first character in text[from, to) whose ASCII form can belong to a value or join its groups; `to` for none.
size_t nextForeignForm(const uint8_t *text, size_t n, size_t from, size_t to, bool portable);

// The ASCII form of the character at `at`, which has *length bytes, if it can belong to a value or join its groups; 0, and
// a length of 1, for others. A readable byte follows the text.
uint8_t foreignFormAt(const uint8_t *text, size_t n, size_t at, uint32_t *length);

// The maximal run around the foreign form at `at` of what a candidate can hold, at most kReach on each side: every
// candidate that holds the form lies in it.
void runAround(const uint8_t *text, size_t n, size_t at, size_t *begin, size_t *end);

}  // namespace sentinel::dlp
