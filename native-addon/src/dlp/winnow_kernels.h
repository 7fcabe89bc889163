// The steps of winnowing that go over every byte: with vector instructions where the processor has them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sentinel::dlp {

// Whether the functions below may be asked for vectors, and classify64() and compact64() be called at all.
bool hasWinnowVectors();

// Orders of positions [0, n) of normalised text, which has 8 bytes at each and room for whole vectors behind.
void windowOrders(const uint8_t* text, size_t n, const uint16_t* factors, uint16_t* out, bool vector);
// First position of [0, n) whose order is at most `most`; n if there is none. May read 15 orders behind the end.
size_t firstAtMost(const uint16_t* order, size_t n, uint16_t most, bool vector);
// The rightmost least of kWinnow orders.
size_t leastOrder(const uint16_t* order, bool vector);

// What 64 bytes of text are.
struct Block64 {
  alignas(64) uint8_t folded[64];  // letters and digits of ASCII in lower case; others as they are
  uint64_t kept;                   // ASCII letters and digits
  uint64_t characters;             // where a character of several bytes may begin; other bytes are no UTF-8 and dropped
};
void classify64(const uint8_t* text, Block64* block);
// Moves the bytes that the mask (not 0) keeps to `out`, which has room for 64 and 8 more; returns how many.
size_t compact64(const Block64& block, uint64_t mask, uint8_t* out);

}  // namespace sentinel::dlp
