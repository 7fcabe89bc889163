#include "dlp/hit_list.h"

#include <algorithm>

namespace sentinel::dlp {
namespace {

// Hits of a kind that are listed though the list is full.
constexpr uint32_t kReserved = 64;
// Beyond those, what is surer than any of its kind by so much: a hundred at most.
constexpr float kSurer = 0.01f;

}  // namespace

// The listed hit of the same source, field and row, which learns what this one knows.
Hit *HitList::known(const Hit &hit) {
  const auto place = places_.find(keyOf(hit));
  if (place == places_.end()) return nullptr;
  Hit &first = hits_[place->second];
  first.secondaries |= hit.secondaries;
  first.confidence = std::max(first.confidence, hit.confidence);
  first.containment = std::max(first.containment, hit.containment);
  return &first;
}

void HitList::hit(const Hit &hit) {
  if (Hit *first = known(hit)) {
    first->count += hit.count;
    return;
  }
  Kind &kind = kinds_[keyOf(hit).rest];
  if (hits_.size() >= maxHits_ && kind.listed >= std::min(kReserved, maxHits_) && hit.confidence < kind.confidence + kSurer &&
      hit.containment < kind.containment + kSurer) {
    unlisted_ += hit.count;
    return;
  }
  ++kind.listed;
  kind.confidence = std::max(kind.confidence, hit.confidence);
  kind.containment = std::max(kind.containment, hit.containment);
  places_.emplace(keyOf(hit), static_cast<uint32_t>(hits_.size()));
  hits_.push_back(hit);
}

void HitList::supplement(const Hit &other) {
  Hit *first = known(other);
  if (first == nullptr) hit(other);
  else first->count = std::max(first->count, other.count);
}

}  // namespace sentinel::dlp
