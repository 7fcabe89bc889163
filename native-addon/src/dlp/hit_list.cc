#include "dlp/hit_list.h"

#include <algorithm>

namespace sentinel::dlp {

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
  if (hits_.size() >= maxHits_) {
    unlisted_ += hit.count;
    return;
  }
  places_.emplace(keyOf(hit), static_cast<uint32_t>(hits_.size()));
  hits_.push_back(hit);
}

void HitList::supplement(const Hit &other) {
  if (!known(other)) hit(other);
}

}  // namespace sentinel::dlp
