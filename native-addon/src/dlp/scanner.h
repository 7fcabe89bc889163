// One pass over one stream: bytes -> Decoder -> every detector -> a bounded list of hits.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "dlp/detector.h"

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

// Hits of the same source, field and row become one with a count.
class HitList final : public Sink {
 public:
  explicit HitList(uint32_t maxHits) : maxHits_(maxHits) {}
  void hit(const Hit &hit) override;
  const std::vector<Hit> &hits() const { return hits_; }
  uint64_t unlisted() const { return unlisted_; }

 private:
  struct Key {
    uint64_t ref, rest;
    bool operator==(const Key &other) const { return ref == other.ref && rest == other.rest; }
  };
  struct KeyHash {
    size_t operator()(const Key &key) const { return (key.ref * 0x9e3779b97f4a7c15ull) ^ (key.rest * 0xff51afd7ed558ccdull); }
  };
  uint32_t maxHits_;
  uint64_t unlisted_ = 0;
  std::vector<Hit> hits_;
  std::unordered_map<Key, uint32_t, KeyHash> places_;
};

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
  HitList list_;
  Outcome outcome_ = Outcome::kOk;
  std::string detail_;
  uint64_t bytes_ = 0;
  bool finished_ = false;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace sentinel::dlp
