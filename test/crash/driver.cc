// Runs the native log writer alone: appends records whose content follows from their number, and says on fd 1 (u64 each)
// how far the log is durable. The parent kills it, traces it or lets it run out.
//   driver DIR SEGMENT_BYTES DIRECT SEGMENT NEXT_SEQ NEXT_COMMIT CHAIN_HEX RECORDS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "wal/writer.h"

// The content of record `seq`, known to test/crash/content.ts as well.
static std::vector<uint8_t> Content(uint64_t seq) {
  uint32_t x = static_cast<uint32_t>(seq * 2654435761u + 12345u);
  std::vector<uint8_t> bytes(8 + (seq % 7 == 0 ? 5000 : (x >> 8) % 400));
  memcpy(bytes.data(), &seq, 8);
  for (size_t i = 8; i < bytes.size(); i++) bytes[i] = static_cast<uint8_t>((x = x * 1664525u + 1013904223u) >> 24);
  return bytes;
}

int main(int argc, char **argv) {
  if (argc != 9) return 2;
  swal::WriterOptions options;
  options.dir = argv[1];
  options.device = "crash-test";
  options.segment_bytes = static_cast<uint32_t>(atoi(argv[2]));
  options.direct = atoi(argv[3]) != 0;
  options.segment = strtoull(argv[4], nullptr, 10);
  options.next_seq = strtoull(argv[5], nullptr, 10);
  options.next_commit = strtoull(argv[6], nullptr, 10);
  options.window_ns = 1000000;
  for (size_t i = 0; i < swal::kChainBytes; i++) {
    unsigned byte = 0;
    if (sscanf(argv[7] + 2 * i, "%2x", &byte) != 1) return 2;
    options.chain[i] = static_cast<uint8_t>(byte);
  }
  const uint64_t count = strtoull(argv[8], nullptr, 10);
  uint64_t told = options.next_seq - 1;
  uint64_t next = options.next_seq;
  swal::Writer writer(options, [] {});
  std::string what;
  if (int err = writer.Open(&what)) {
    fprintf(stderr, "%s: %s\n", what.c_str(), strerror(err));
    return 3;
  }
  const auto tell = [&] {
    const uint64_t durable = writer.durable_seq();
    if (durable > told && write(1, &durable, sizeof durable) == sizeof durable) told = durable;
  };
  const uint64_t end = next + count;
  while (next < end && writer.state() != swal::State::kFailed) {
    std::vector<std::vector<uint8_t>> contents;
    std::vector<swal_append_record> records;
    const size_t n = std::min<uint64_t>(1 + next % 5, end - next);
    for (size_t i = 0; i < n; i++) contents.push_back(Content(next + i));
    for (const auto &content : contents) {
      records.push_back({2, 2, 0, 0, 1700000000000000000ull, content.data(), static_cast<uint32_t>(content.size())});
    }
    if (writer.appender()->append(writer.appender()->ctx, records.data(), n, next % 3 != 0) != next) break;
    next += n;
    // Mostly one commit at a time, now and then a pile.
    for (int spin = 0; next % 11 != 0 && writer.durable_seq() + 1 < next && spin < 2000; spin++) {
      tell();
      const struct timespec pause = {0, 20000};
      nanosleep(&pause, nullptr);
      if (writer.state() == swal::State::kFailed) break;
    }
    tell();
  }
  const bool ok = writer.Close();
  tell();
  return ok ? 0 : 4;
}
