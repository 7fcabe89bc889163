// The writer's segments: the next one is prepared by a thread of its own, finished ones are cut to size there.
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "writer_internal.h"

namespace swal {
namespace {

constexpr uint64_t kRetryPrepareNs = 1000000000;

}  // namespace

// Leaves the current segment for the prepared one; waits for it if need be. A failed segment is never touched again.
bool Writer::SwitchSegment(Lock &lock) {
  hurry_ = true;
  prepare_cv_.notify_all();
  while (!spare_ready_ && state() != State::kFailed) {
    if (spare_failures_ > 0) {
      const bool full = spare_err_ == ENOSPC || spare_err_ == EDQUOT;
      const std::string reason =
          std::string(full ? "disk_full: " : "no_segment: ") + spare_what_ + ": " + strerror(spare_err_);
      // Space comes back; a disk that refuses twice to take a new file does not.
      if (!full && spare_failures_ >= 2) Fail(reason);
      else SetState(State::kDegraded, reason);
      if (closing_) return false;
    }
    if (state() != State::kFailed) spare_cv_.wait(lock);
  }
  if (state() == State::kFailed) return false;
  if (segment_bad_) CloseFile(&segment_);
  else to_seal_.emplace_back(segment_, segment_used_.load());
  segment_ = spare_;
  spare_ = SegmentFile();
  spare_ready_ = false;
  segment_fresh_ = true;
  segment_bad_ = false;
  segment_used_ = kHeaderBytes;
  hurry_ = false;
  want_spare_ = true;
  prepare_cv_.notify_all();
  return true;
}

void Writer::RunPreparer() {
  pthread_setname_np(pthread_self(), "swal-prepare");
  Lock lock(mutex_);
  while (opened_) {
    if (!to_seal_.empty()) {
      auto entry = to_seal_.back();
      to_seal_.pop_back();
      lock.unlock();
      SealAndClose(&entry.first, entry.second);
      lock.lock();
      continue;
    }
    if (!want_spare_) {
      prepare_cv_.wait(lock);
      continue;
    }
    SegmentFile file;
    std::string what;
    CreateOptions create{options_.dir,      segment_.number + 1, options_.segment_bytes,
                         options_.direct, options_.min_free,   [this] {
                           // Stay out of the way of commits unless the segment in use is filling up.
                           if (!hurry_ && segment_used_ < options_.segment_bytes / 2) {
                             const struct timespec pause = {0, 2000000};
                             nanosleep(&pause, nullptr);
                           }
                           return !abandon_.load();
                         }};
    lock.unlock();
    const int err = CreateSegment(create, &file, &what);
    lock.lock();
    if (err == 0) {
      spare_ = file;
      spare_ready_ = true;
      want_spare_ = false;
      spare_failures_ = 0;
      if (state() == State::kDegraded && !segment_bad_) SetState(State::kOk, "");
      spare_cv_.notify_all();
      continue;
    }
    spare_err_ = err;
    spare_what_ = what;
    spare_failures_++;
    if (err == ECANCELED) continue;
    if (err == ENOSPC || err == EDQUOT) SetState(State::kDegraded, "disk_low: " + what + ": " + strerror(err));
    else SetState(State::kDegraded, "no_segment: " + what + ": " + strerror(err));
    spare_cv_.notify_all();
    if (opened_) prepare_cv_.wait_until(lock, At(MonoNs() + kRetryPrepareNs), [&] { return !opened_ || closing_; });
    if (closing_) want_spare_ = false;
  }
}

}  // namespace swal
