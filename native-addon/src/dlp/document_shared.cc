#include "dlp/document_shared.h"

#include <algorithm>

#include "dlp/document_index.h"
#include "dlp/winnow.h"

namespace sentinel::dlp {
namespace {

constexpr size_t kAtOnce = 64;

}  // namespace

template <typename With>
void SharedWindows::around(size_t n, size_t at, const With& with) {
  with(at);
  if (at >= kOwnLetters) with(at - kOwnLetters);
  if (at + kOwnLetters + kWindowBytes <= n) with(at + kOwnLetters);
}

void SharedWindows::expect(const uint8_t* letters, size_t n, size_t at) {
  around(n, at, [&](size_t place) { hashes_.push_back(fastWindowHash(seeds_, letters + place)); });
}

void SharedWindows::seal() {
  std::sort(hashes_.begin(), hashes_.end());
  hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
  hashes_.shrink_to_fit();
  families_.assign(hashes_.size(), kNobody);
  // About four hashes a bucket, eight to sixteen bits of the filter for each hash.
  while (hashes_.size() >> (64 - bucketShift_) > 4) bucketShift_--;
  while (hashes_.size() >> (61 - filterShift_) != 0) filterShift_--;
  filter_.assign(size_t{1} << (64 - filterShift_ - 6), 0);
  firsts_.assign((size_t{1} << (64 - bucketShift_)) + 1, 0);
  for (const uint64_t hash : hashes_) {
    firsts_[(hash >> bucketShift_) + 1]++;
    filter_[hash >> filterShift_ >> 6] |= 1ull << (hash >> filterShift_ & 63);
  }
  for (size_t i = 1; i < firsts_.size(); i++) firsts_[i] += firsts_[i - 1];
}

size_t SharedWindows::find(uint64_t hash) const {
  const size_t bucket = hash >> bucketShift_;
  for (size_t i = firsts_[bucket]; i < firsts_[bucket + 1]; i++)
    if (hashes_[i] == hash) return i;
  return kNone;
}

void SharedWindows::see(const uint8_t* letters, size_t n, uint32_t family) {
  if (n < kWindowBytes || hashes_.empty()) return;
  uint64_t hashes[kAtOnce];
  const size_t places = n - kWindowBytes + 1;
  for (size_t from = 0; from < places; from += kAtOnce) {
    const size_t count = std::min(kAtOnce, places - from);
    for (size_t i = 0; i < count; i++) {
      hashes[i] = fastWindowHash(seeds_, letters + from + i);
      __builtin_prefetch(&filter_[hashes[i] >> filterShift_ >> 6]);
    }
    for (size_t i = 0; i < count; i++) {
      if ((filter_[hashes[i] >> filterShift_ >> 6] >> (hashes[i] >> filterShift_ & 63) & 1) == 0) continue;
      const size_t place = find(hashes[i]);
      if (place == kNone) continue;
      uint32_t& first = families_[place];
      if (family == kIsBoilerplate) {
        first = kIsBoilerplate;
      } else if (first == kNobody) {
        first = family;
      } else if (first != family && first != kIsBoilerplate && first != kIsCommon) {
        static_assert(kCommonFamilies == 3, "two families are kept, the third makes a window common");
        if (seconds_.emplace(place, family).first->second != family) first = kIsCommon;
      }
    }
  }
}

void SharedWindows::seeBoilerplate(const uint8_t* letters, size_t n) { see(letters, n, kIsBoilerplate); }
void SharedWindows::seeDocument(const uint8_t* letters, size_t n, uint32_t family) { see(letters, n, family); }

SharedWindows::Standing SharedWindows::of(const uint8_t* letters, size_t n, size_t at) const {
  Standing standing = kOwn;
  around(n, at, [&](size_t place) {
    const size_t known = find(fastWindowHash(seeds_, letters + place));
    if (known == kNone) return;
    if (families_[known] == kIsBoilerplate) standing = kBoilerplate;
    else if (families_[known] == kIsCommon && standing == kOwn) standing = kCommon;
  });
  return standing;
}

}  // namespace sentinel::dlp
