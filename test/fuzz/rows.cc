// The detector of rows over any text, against an index of each kind.
#include "harness.h"
#include "tables.h"

using namespace sentinel::dlp;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto& sources = fuzz::openTables();
  if (size < 2) return 0;
  const Source& source = *sources[data[0] % sources.size()];
  // Now and then far into a stream, where the detector's buffer slides.
  const size_t ahead = data[1] == 0x7F ? 128 * 1024 + data[0] * 256u : 0;
  std::vector<uint8_t> text(ahead, ' ');
  for (size_t at = 0; at < ahead; at += 64) text[at] = '\n';
  text.insert(text.end(), data + 2, data + size);
  fuzz::compare(source, text.data(), text.size());
  return 0;
}
