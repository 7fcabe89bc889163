// One pass over one stream: bytes -> Decoder -> every detector, and again where there are escapes -> a bounded list of hits.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "dlp/detector.h"
#include "dlp/escapes.h"
#include "dlp/hit_list.h"

namespace sentinel::dlp {

constexpr size_t kChunkBytes = 256 * 1024;

using Sources = std::vector<std::shared_ptr<const Source>>;

struct ScanLimits {
  uint64_t maxBytes = 0;    // 0: none
  uint64_t deadlineMs = 0;  // 0: none
  uint32_t maxHits = 1000;
  bool portable = false;
  const std::atomic<int32_t> *abort = nullptr;
};

enum class Outcome : uint8_t { kOk, kAborted, kTime, kTooLarge, kChanged, kUnreadable };

class Scan final : private TextSink {
 public:
  Scan(const Sources &sources, const ScanLimits &limits);
  // False when the scan is over (limit, abort).
  bool feed(const uint8_t *bytes, size_t n);
  void finish();
  // Reads to the end of the descriptor, with a buffer of its own that is wiped.
  void readAll(int fd);

  Outcome outcome() const { return outcome_; }
  const std::string &detail() const { return detail_; }
  uint64_t bytes() const { return bytes_; }
  const HitList &list() const { return list_; }

 private:
  void text(const uint8_t *utf8, size_t n, const OffsetMap &map) override;
  bool mayGoOn(size_t more);

  Sources sources_;
  ScanLimits limits_;
  Decoder decoder_;
  std::vector<std::unique_ptr<Detector>> detectors_;
  EscapeReading escapes_;
  HitList list_;
  Outcome outcome_ = Outcome::kOk;
  std::string detail_;
  uint64_t bytes_ = 0;
  bool finished_ = false;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace sentinel::dlp
