// A whole scan with the second reading that escapes cause: the same however the stream is cut, within the input.
#include <string.h>

#include <algorithm>

#include "dlp/scanner.h"
#include "harness.h"
#include "tables.h"

using namespace sentinel::dlp;

namespace {

std::string scan(const Sources& sources, const uint8_t* data, size_t size, uint32_t seed, bool whole, bool portable) {
  ScanLimits limits;
  limits.portable = portable;
  Scan scan(sources, limits);
  for (size_t at = 0; at < size;) {
    seed = seed * 1664525u + 1013904223u;
    size_t part = whole ? size : 1 + (seed >> 8) % ((seed >> 28) == 0 ? 3000 : 40);
    if (part > size - at) part = size - at;
    const std::vector<uint8_t> piece(data + at, data + at + part);
    if (!scan.feed(piece.data(), piece.size())) std::abort();
    at += part;
  }
  scan.finish();
  // They come in the order in which batches of them were looked up.
  std::vector<std::string> lines;
  for (const Hit& hit : scan.list().hits()) {
    fuzz::Hits one(size);
    one.hit(hit);
    lines.push_back(one.text);
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto& tables = fuzz::openTables();
  if (size < 2) return 0;
  const Sources sources = {tables[data[0] % tables.size()]};
  // Now and then far from what is around the escapes before, or without a place where a section may end.
  std::vector<uint8_t> text;
  if (data[1] == 0x7F) {
    const char *const escape = "{\"a\":\"\\u00e9\"} ";
    text.assign(escape, escape + strlen(escape));
    text.resize(20'000 + data[0] * 64u, data[0] & 1 ? ' ' : 'x');
  }
  text.insert(text.end(), data + 2, data + size);
  const uint32_t seed = data[size - 1] * 2654435761u + 1;
  const std::string first = scan(sources, text.data(), text.size(), seed, true, false);
  for (int round = 1; round < 3; round++) {
    const std::string other = scan(sources, text.data(), text.size(), seed + static_cast<uint32_t>(round), false, round == 2);
    if (other == first) continue;
    std::fprintf(stderr, "round %d: hits differ\n%s---\n%s", round, first.c_str(), other.c_str());
    std::abort();
  }
  return 0;
}
