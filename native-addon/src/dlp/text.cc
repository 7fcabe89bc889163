#include "dlp/text.h"

namespace sentinel::dlp {

uint64_t streamOffset(const OffsetRun *runs, size_t count, uint64_t decoded) {
  size_t low = 0, high = count;
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    (runs[middle].decoded <= decoded ? low : high) = middle;
  }
  if (count == 0) return decoded;
  const OffsetRun &run = runs[low];
  if (decoded < run.decoded) return run.stream;
  return run.stream + (decoded - run.decoded) / run.decodedUnit * run.streamUnit;
}

void Decoder::feed(const uint8_t *bytes, size_t n, bool last, TextSink &sink) {
  if (n == 0) return;
  const OffsetRun same{0, 0, 1, 1};
  sink.text(bytes, n, {at_, &same, 1});
  at_ += n;
}

}  // namespace sentinel::dlp
