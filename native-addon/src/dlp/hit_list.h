// A bounded list of hits.
#pragma once

#include <unordered_map>
#include <vector>

#include "dlp/detector.h"

namespace sentinel::dlp {

// Hits of the same source, field and row become one with a count. When the list is full, each source and field still has
// its first ones listed, and those that are surer: a file that is full of one thing hides no other.
class HitList final : public Sink {
 public:
  explicit HitList(uint32_t maxHits) : maxHits_(maxHits) {}
  void hit(const Hit &hit) override;
  // A hit of another reading of the same text: a new one, or the more of its kind, never both added.
  void supplement(const Hit &hit);
  const std::vector<Hit> &hits() const { return hits_; }
  uint64_t unlisted() const { return unlisted_; }

 private:
  Hit *known(const Hit &hit);
  struct Key {
    uint64_t ref, rest;
    bool operator==(const Key &other) const { return ref == other.ref && rest == other.rest; }
  };
  struct KeyHash {
    size_t operator()(const Key &key) const { return (key.ref * 0x9e3779b97f4a7c15ull) ^ (key.rest * 0xff51afd7ed558ccdull); }
  };
  static Key keyOf(const Hit &hit) {
    return {hit.ref, static_cast<uint64_t>(hit.source) << 16 | static_cast<uint64_t>(hit.kind) << 8 | hit.field};
  }
  struct Kind {
    uint32_t listed = 0;
    float confidence = 0, containment = 0;
  };
  uint32_t maxHits_;
  std::unordered_map<uint64_t, Kind> kinds_;  // by Key::rest
  uint64_t unlisted_ = 0;
  std::vector<Hit> hits_;
  std::unordered_map<Key, uint32_t, KeyHash> places_;
};

}  // namespace sentinel::dlp
