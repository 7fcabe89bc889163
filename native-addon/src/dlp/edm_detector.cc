// Text is gathered in a buffer of kMainBytes with a margin on both sides, so that every trigger is looked at once, with
// everything around it that can matter, wherever the chunks were cut. Candidates that pass the filter wait for a batch of
// sixteen keyed hashes; the table is read only for those.
#include "dlp/edm_detector.h"

#include <stdlib.h>
#include <string.h>

#include <algorithm>

#include "dlp/edm_candidates.h"
#include "dlp/edm_escapes.h"
#include "dlp/edm_foreign.h"
#include "dlp/edm_secondaries.h"
#include "dlp/edm_window.h"
#include "dlp/offset_trail.h"

namespace sentinel::dlp {
namespace {

constexpr size_t kMainBytes = 128 * 1024;
constexpr size_t kMargin = kWindowBytes + 2 * kReach;
constexpr size_t kCapacity = kMainBytes + 2 * kMargin;
constexpr size_t kQueue = 32;
constexpr size_t kEdgeBytes = 8;
// A stream with so many confirmed combinations is a match many times over: no more are confirmed, which is slow by design.
constexpr uint32_t kMaxCombinedChecks = 500000;

float baseConfidence(FieldType type) {
  switch (type) {
    case FieldType::kEmail:
    case FieldType::kIban:
    case FieldType::kCard:
      return 0.9f;
    case FieldType::kId:
    case FieldType::kNumber:
      return 0.8f;
    default:
      return 0.6f;
  }
}

float confidenceOf(FieldType type, uint32_t secondaries) {
  float doubt = 1 - baseConfidence(type);
  for (int i = 0; i < __builtin_popcount(secondaries); ++i) doubt *= 0.4f;
  return 1 - doubt;
}

// Where text was stored in another form, from where in the buffer each byte came.
struct FoldedText {
  std::vector<uint8_t> bytes;
  std::vector<uint32_t> from;
};

class EdmDetector final : public Detector, private CandidateSink {
 public:
  EdmDetector(std::shared_ptr<const Index> index, const Wanted &wanted, uint32_t handle, bool portable, bool all)
      : index_(std::move(index)), wanted_(wanted), handle_(handle), portable_(portable), all_(all) {
    buffer_ = static_cast<uint8_t *>(aligned_alloc(64, kCapacity + 2 * kPadding));
    if (!buffer_) throw std::bad_alloc();
    memset(buffer_, 0, kCapacity + 2 * kPadding);
    text_ = buffer_ + kPadding;
#if defined(__x86_64__)
    avx2_ = !portable && __builtin_cpu_supports("avx2");
#endif
  }
  ~EdmDetector() override {
    reset();
    free(buffer_);
  }

  void feed(const uint8_t *utf8, size_t n, const OffsetMap &map, Sink &sink) override {
    trail_.add(map);
    while (n > 0) {
      const size_t part = std::min(n, kCapacity - used_);
      memcpy(text_ + used_, utf8, part);
      used_ += part;
      highest_ = std::max(highest_, used_);
      utf8 += part;
      n -= part;
      if (used_ == kCapacity) {
        scanTo(used_ - kMargin, sink);
        slide();
      }
    }
  }

  void finish(Sink &sink) override {
    scanTo(used_, sink);
    reset();
  }

  void reset() override {
    explicit_bzero(text_, highest_);
    if (!folded_.bytes.empty()) explicit_bzero(folded_.bytes.data(), folded_.bytes.size());
    explicit_bzero(queue_, sizeof queue_);
    explicit_bzero(passed_, sizeof passed_);
    window_.wipe();
    used_ = highest_ = scanned_ = 0;
    base_ = 0;
    queued_ = passedCount_ = 0;
    trail_.clear();
    combinedChecks_ = 0;
  }

 private:
  void slide() {
    const size_t keepFrom = scanned_ - kMargin;
    memmove(text_, text_ + keepFrom, used_ - keepFrom);
    used_ -= keepFrom;
    scanned_ -= keepFrom;
    base_ += keepFrom;
    trail_.forget(base_);
  }

  uint64_t streamAt(size_t at) const { return trail_.at(base_ + at); }

  // Triggers near a foreign form are looked for in a folded copy, the others in the text itself: where there is no such
  // form both say the same.
  void scanTo(size_t to, Sink &sink) {
    if (to <= scanned_) return;
    sink_ = &sink;
    memset(text_ + used_, 0, kPadding);
    const size_t high = std::min(used_, to + kReach);
    size_t foreign = nextForeignForm(text_, used_, scanned_ > kReach ? scanned_ - kReach : 0, high, portable_);
    while (scanned_ < to) {
      size_t begin = to, end = to, copyFrom = 0, copyTo = 0;
      if (foreign < high) {
        runAround(text_, used_, foreign, &begin, &end);
        // The signs next to the run end it; only a run that was cut off by kReach, and a colour, behind which a value may
        // begin, need more than these.
        const size_t edge = begin > 0 && text_[begin - 1] == ';' ? kLongestColour + 2 : kEdgeBytes;
        copyFrom = begin - std::min(begin, begin + kReach <= foreign + 4 ? kReach : edge);
        copyTo = std::min(used_, end + (end + 4 >= foreign + kReach ? kReach : kEdgeBytes));
        foreign = nextForeignForm(text_, used_, std::max(end, foreign + 1), high, portable_);
      }
      begin = std::min(begin, to);
      if (begin > scanned_) {
        findCandidates(index_->keys(), wanted_, text_, used_, scanned_, begin, portable_, this);
        drain();
        scanned_ = begin;
      }
      end = std::min(end, to);
      if (end <= scanned_) continue;
      scanFolded(copyFrom, copyTo, end);
      scanned_ = end;
    }
    confirm();
  }

  // The same search over a copy in which foreign forms of letters and digits are ASCII.
  void scanFolded(size_t at, size_t high, size_t to) {
    while (at < scanned_ && (text_[at] & 0xC0) == 0x80) ++at;
    folded_.bytes.assign(kPadding, 0);
    folded_.from.assign(kPadding, static_cast<uint32_t>(at));
    size_t from = kPadding, until = kPadding;
    while (at < high) {
      uint32_t length = 1;
      const uint8_t form = text_[at] < 0x80 ? 0 : foreignFormAt(text_, used_, at, &length);
      folded_.bytes.push_back(form ? form : text_[at]);
      folded_.from.push_back(static_cast<uint32_t>(at));
      // A character belongs to the range in which it begins.
      if (at < scanned_) from = folded_.bytes.size();
      if (at < to) until = folded_.bytes.size();
      at += length;
    }
    const size_t n = folded_.bytes.size();
    folded_.from.push_back(static_cast<uint32_t>(at));
    folded_.bytes.resize(n + kPadding, 0);
    places_ = folded_.from.data() + kPadding;
    findCandidates(index_->keys(), wanted_, folded_.bytes.data() + kPadding, n - kPadding, from - kPadding, until - kPadding, portable_, this);
    drain();
    confirm();
    places_ = nullptr;
  }

  Candidate &slot() override { return queue_[queued_]; }

  void filled() override {
    Candidate &candidate = queue_[queued_];
    if (places_) {
      // The end is behind the last character, which may be longer than its ASCII form.
      candidate.end = places_[candidate.end];
      candidate.begin = places_[candidate.begin];
    }
    if (candidate.lone) index_->prefetch(candidate.hash);
    if (++queued_ == kQueue) drain();
  }

  bool mayHold(uint64_t hash) const {
#if defined(__x86_64__)
    if (avx2_) return index_->mayHoldAvx2(hash);
#endif
    return index_->mayHold(hash);
  }

  void drain() {
    for (size_t i = 0; i < queued_; ++i) {
      Candidate &candidate = queue_[i];
      if (candidate.lone && !mayHold(candidate.hash)) candidate.lone = false;
      if (candidate.combined && !index_->maybePrimary(candidate.hash)) candidate.combined = false;
      if (!candidate.lone && !candidate.combined) continue;
      passed_[passedCount_++] = candidate;
      if (passedCount_ == kBatch) confirm();
    }
    queued_ = 0;
  }

  void confirm() {
    const size_t n = passedCount_;
    passedCount_ = 0;
    if (n == 0) return;
    const Block *blocks[kBatch];
    Digest digests[kBatch];
    for (size_t i = 0; i < n; ++i) blocks[i] = &passed_[i].block;
    hashBlocks(index_->keys().primary, blocks, n, digests);
    findCombined(n, digests);
    auto found = combined_.begin();
    for (size_t i = 0; i < n; ++i) {
      if (passed_[i].lone) checkLone(passed_[i], digests[i]);
      for (; found != combined_.end() && found->candidate == i; ++found) {
        if (static_cast<uint32_t>(__builtin_popcount(found->secondaries)) >= index_->meta().secondary)
          report(passed_[i], found->field, found->row, found->secondaries);
      }
    }
  }

  void report(const Candidate &candidate, uint8_t field, uint32_t row, uint32_t secondaries) {
    Hit hit;
    hit.source = handle_;
    hit.kind = kRow;
    hit.field = field;
    hit.offset = streamAt(candidate.begin);
    hit.length = static_cast<uint32_t>(streamAt(candidate.end) - hit.offset);
    hit.ref = row;
    hit.secondaries = secondaries;
    hit.confidence = confidenceOf(index_->meta().fields[field].type, secondaries);
    sink_->hit(hit);
  }

  void checkLone(const Candidate &candidate, const Digest &digest) {
    const IndexMeta &meta = index_->meta();
    const size_t entries = index_->lookup(false, digest, &scratch_);
    bool read = false;
    for (size_t i = 0; i < entries; ++i) {
      const uint8_t *entry = scratch_.data() + i * index_->prologue().lone.entryBytes;
      uint32_t row;
      memcpy(&row, entry + kFingerprintBytes, 4);
      const uint8_t field = entry[kFingerprintBytes + 4];
      if (field >= meta.fields.size()) continue;
      uint32_t found = 0;
      if (meta.secondary > 0) {
        if (!read) window_.read(meta, text_, used_, candidate.begin, candidate.end);
        read = true;
        const uint8_t *secondaries = entry + kFingerprintBytes + 5;
        WantedShapes shapes{};
        for (size_t s = 0; s < index_->secondaryFields().size(); ++s) {
          const uint8_t shape = secondaries[s * kSecondaryBytes];
          if (shape) shapes[index_->secondaryFields()[s]][shape / 64] |= 1ull << shape % 64;
        }
        const uint32_t looked = all_ ? static_cast<uint32_t>(index_->secondaryFields().size()) : meta.secondary;
        EntryCheck check(index_->keys(), digest, index_->secondaryFields(), secondaries, looked);
        window_.enumerate(meta, index_->secondaryFields(), shapes, &check);
        found = check.finish();
        if (static_cast<uint32_t>(__builtin_popcount(found)) < meta.secondary) continue;
      }
      report(candidate, field, row, found);
    }
  }

  // The rows of which some combination stands around passed_[0, n), by candidate. What is confirmed together is hashed
  // several blocks at a time.
  void findCombined(size_t n, const Digest *primaries) {
    const IndexMeta &meta = index_->meta();
    combined_.clear();
    pairs_.clear();
    pairOf_.clear();
    for (size_t i = 0; i < n; ++i) {
      if (!passed_[i].combined || combinedChecks_ + pairs_.size() >= kMaxCombinedChecks) continue;
      window_.read(meta, text_, used_, passed_[i].begin, passed_[i].end);
      PairGather gather(*index_, primaries[i], &pairs_);
      window_.enumerate(meta, index_->secondaryFields(), meta.shapes, &gather);
      pairOf_.resize(pairs_.size(), static_cast<uint8_t>(i));
    }
    combinedChecks_ += static_cast<uint32_t>(pairs_.size());
    for (size_t at = 0; at < pairs_.size(); at += kBatch) {
      const size_t count = std::min(kBatch, pairs_.size() - at);
      const Block *inputs[kBatch];
      Digest digests[kBatch];
      for (size_t i = 0; i < count; ++i) inputs[i] = &pairs_[at + i];
      hashBlocks(index_->keys().combined, inputs, count, digests);
      stretch(index_->keys().combined, digests, count);
      for (size_t i = 0; i < count; ++i) readCombined(pairOf_[at + i], digests[i]);
    }
    if (!pairs_.empty()) explicit_bzero(pairs_.data(), pairs_.size() * sizeof(Block));
  }

  void readCombined(uint8_t candidate, const Digest &digest) {
    const IndexMeta &meta = index_->meta();
    const size_t entries = index_->lookup(true, digest, &scratch_);
    for (size_t e = 0; e < entries; ++e) {
      const uint8_t *entry = scratch_.data() + e * index_->prologue().combined.entryBytes + kFingerprintBytes;
      uint32_t row;
      memcpy(&row, entry, 4);
      const uint8_t field = entry[4];
      if (field >= meta.fields.size() || entry[5] >= meta.fields.size()) continue;
      // Those of one candidate stand at the end.
      auto known = std::find_if(combined_.rbegin(), combined_.rend(), [&](const Combined &one) {
        return one.candidate != candidate || (one.row == row && one.field == field);
      });
      if (known == combined_.rend() || known->candidate != candidate) {
        combined_.push_back({candidate, field, row, 0});
        known = combined_.rbegin();
      }
      known->secondaries |= 1u << entry[5];
    }
  }

  const std::shared_ptr<const Index> index_;
  const Wanted &wanted_;
  const uint32_t handle_;
  const bool portable_;
  const bool all_;  // secondaries beyond those that make a row
  bool avx2_ = false;
  uint8_t *buffer_ = nullptr, *text_ = nullptr;
  size_t used_ = 0, highest_ = 0, scanned_ = 0;
  uint64_t base_ = 0;  // decoded offset of the buffer's first byte
  OffsetTrail trail_;
  FoldedText folded_;
  const uint32_t *places_ = nullptr;
  Candidate queue_[kQueue];
  size_t queued_ = 0;
  Candidate passed_[kBatch];
  size_t passedCount_ = 0;
  Window window_;
  std::vector<uint8_t> scratch_;
  // A row some of whose combinations were found, and its secondaries that were.
  struct Combined {
    uint8_t candidate, field;
    uint32_t row, secondaries;
  };
  std::vector<Combined> combined_;
  std::vector<Block> pairs_;
  std::vector<uint8_t> pairOf_;  // by pair: which of passed_ it belongs to
  uint32_t combinedChecks_ = 0;
  Sink *sink_ = nullptr;
};

class EdmSource final : public Source {
 public:
  EdmSource(std::shared_ptr<const Index> index, bool all) : index_(std::move(index)), wanted_(wantedBy(index_->meta())), all_(all) {}
  std::unique_ptr<Detector> detector(uint32_t handle, bool portable) const override {
    return std::unique_ptr<Detector>(new EdmDetector(index_, wanted_, handle, portable, all_));
  }
  size_t reach() const override { return index_->meta().secondary > 0 ? kMargin : kReach / 2; }
  bool hiddenByBreaks() const override { return false; }

 private:
  std::shared_ptr<const Index> index_;
  Wanted wanted_;
  bool all_;
};

}  // namespace

std::shared_ptr<const Source> edmSource(std::shared_ptr<const Index> index, bool all) {
  return std::make_shared<EdmSource>(std::move(index), all);
}

}  // namespace sentinel::dlp
