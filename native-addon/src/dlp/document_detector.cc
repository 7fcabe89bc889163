#include "dlp/document_detector.h"

#include <string.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "dlp/winnow.h"

extern "C" {
#include "blake3/blake3.h"
}

namespace sentinel::dlp {
namespace {

class DocumentDetector final : public Detector, private WindowSink {
 public:
  DocumentDetector(std::shared_ptr<const DocumentIndex> index, uint32_t handle, bool portable)
      : index_(std::move(index)), handle_(handle), stream_(index_->keys().seeds, portable) {}

  void feed(const uint8_t* utf8, size_t n, const OffsetMap& map, Sink&) override { stream_.feed(utf8, n, map, *this); }

  void finish(Sink& sink) override {
    std::vector<std::pair<uint32_t, Found>> found(found_.begin(), found_.end());
    // Where the list of hits is full, the documents of which most is there count.
    const auto share = [&](const std::pair<uint32_t, Found>& one) {
      return static_cast<double>(one.second.windows) / std::max(1u, index_->documents()[one.first].windows);
    };
    std::sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
      const double left = share(a), right = share(b);
      return left != right ? left > right : a.first < b.first;
    });
    for (const auto& one : found) {
      Hit hit;
      hit.source = handle_;
      hit.kind = kDocument;
      hit.offset = one.second.offset;
      hit.length = one.second.length;
      hit.ref = one.first;
      hit.containment = static_cast<float>(share(one));
      // One window of 48 letters in common may be a quotation; five are no accident.
      hit.confidence = static_cast<float>(std::min(0.99, 0.5 + 0.1 * one.second.windows));
      sink.hit(hit);
    }
  }

  void reset() override {
    stream_.reset();
    found_.clear();
    seen_.clear();
    last_ = 0;
  }

 private:
  struct Found {
    uint64_t offset = 0;
    uint32_t length = 0, windows = 0;
  };

  void windows(const uint8_t* text, const uint32_t* positions, size_t count) override {
    const uint64_t* seeds = index_->keys().seeds;
    hashes_.resize(count);
    for (size_t i = 0; i < count; i++) {
      hashes_[i] = fastWindowHash(seeds, text + positions[i]);
      index_->prefetch(hashes_[i]);
    }
    for (size_t i = 0; i < count; i++) {
      if (hashes_[i] == last_ || !index_->mayHold(hashes_[i])) continue;
      last_ = hashes_[i];
      batch_[batched_] = text + positions[i];
      places_[batched_++] = positions[i];
      if (batched_ == kBatch) confirm();
    }
    confirm();
  }

  // Looks up what passed the filter; the windows are still in memory.
  void confirm() {
    uint64_t digests[kBatch];
    if (batched_ > 0) digestWindows(index_->keys().primary, batch_, batched_, digests);
    for (size_t i = 0; i < batched_; i++) {
      uint32_t entry, ref;
      if (!index_->find(digests[i], &entry, &ref)) continue;
      // A window counts once however often it stands there.
      if (seen_.empty()) seen_.resize(index_->entries() / 64 + 1);
      if (seen_[entry / 64] >> (entry % 64) & 1) continue;
      seen_[entry / 64] |= 1ull << (entry % 64);
      if ((ref & kGroupFlag) == 0) count(ref, places_[i]);
      else
        for (const uint32_t document : index_->groups()[ref & ~kGroupFlag]) count(document, places_[i]);
    }
    batched_ = 0;
  }

  void count(uint32_t document, uint32_t position) {
    Found& found = found_[document];
    if (found.windows++ == 0) stream_.place(position, &found.offset, &found.length);
  }

  std::shared_ptr<const DocumentIndex> index_;
  uint32_t handle_;
  WindowStream stream_;
  std::vector<uint64_t> hashes_;
  uint64_t last_ = 0;
  const uint8_t* batch_[kBatch];
  uint32_t places_[kBatch];
  size_t batched_ = 0;
  std::unordered_map<uint32_t, Found> found_;
  std::vector<uint64_t> seen_;  // a bit per entry, once there is one
};

class FileDetector final : public Detector {
 public:
  FileDetector(std::shared_ptr<const DocumentIndex> index, uint32_t handle) : index_(std::move(index)), handle_(handle) { blake3_hasher_init(&hasher_); }
  void feed(const uint8_t*, size_t, const OffsetMap&, Sink&) override {}
  void raw(const uint8_t* bytes, size_t n) override {
    blake3_hasher_update(&hasher_, bytes, n);
    length_ += n;
  }
  void finish(Sink& sink) override {
    uint8_t hash[32], window[kWindowBytes];
    blake3_hasher_finalize(&hasher_, hash, sizeof hash);
    padFileHash(hash, window);
    if (!index_->mayHold(fastWindowHash(index_->keys().seeds, window))) return;
    const uint8_t* const windows[] = {window};
    uint64_t digest;
    uint32_t entry, ref;
    digestWindows(index_->keys().primary, windows, 1, &digest);
    if (!index_->find(digest, &entry, &ref)) return;
    Hit hit;
    hit.source = handle_;
    hit.kind = kWholeFile;
    hit.length = static_cast<uint32_t>(std::min<uint64_t>(length_, UINT32_MAX));
    hit.ref = ref;
    hit.confidence = 1;
    hit.containment = 1;
    sink.hit(hit);
  }
  void reset() override {
    blake3_hasher_init(&hasher_);
    length_ = 0;
  }

 private:
  std::shared_ptr<const DocumentIndex> index_;
  uint32_t handle_;
  blake3_hasher hasher_;
  uint64_t length_ = 0;
};

class DocumentSource final : public Source {
 public:
  explicit DocumentSource(std::shared_ptr<const DocumentIndex> index) : index_(std::move(index)) {}
  std::unique_ptr<Detector> detector(uint32_t handle, bool portable) const override {
    if (index_->wholeFiles()) return std::make_unique<FileDetector>(index_, handle);
    return std::make_unique<DocumentDetector>(index_, handle, portable);
  }
  size_t reach() const override { return index_->wholeFiles() ? 0 : Source::reach(); }

 private:
  std::shared_ptr<const DocumentIndex> index_;
};

}  // namespace

std::shared_ptr<const Source> documentSource(std::shared_ptr<const DocumentIndex> index) {
  return std::make_shared<DocumentSource>(std::move(index));
}

}  // namespace sentinel::dlp
