#include "writer.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include <algorithm>

#include "writer_internal.h"

namespace swal {
namespace {

constexpr uint64_t kNever = UINT64_MAX;
constexpr uint64_t kNotifyEveryNs = 20000000;
constexpr size_t kFlushSamples = 512;
constexpr size_t kFlushSampleBytes = 64 * 1024;

uint64_t AppendThunk(void *ctx, const swal_append_record *records, size_t n, int urgent) {
  return static_cast<Writer *>(ctx)->Append(records, n, urgent != 0, true);
}

}  // namespace

Writer::Writer(WriterOptions options, std::function<void()> notify)
    : options_(std::move(options)), notify_(std::move(notify)) {
  appender_ = {SWAL_APPENDER_ABI, this, AppendThunk};
  body_limit_ = std::min<size_t>(kCommitTarget, options_.segment_bytes - kHeaderBytes) - kCommitHead;
  next_seq_ = options_.next_seq;
  next_commit_ = options_.next_commit;
  head_.seq = next_seq_ - 1;
  head_.commit_no = next_commit_ - 1;
  memcpy(head_.chain, options_.chain, kChainBytes);
  durable_seq_ = next_seq_ - 1;
}

Writer::~Writer() {
  Close();
  for (Block *block : free_) {
    munmap(block->memory, block->mapped);
    delete block;
  }
}

int Writer::Open(std::string *what) {
  CreateOptions create{options_.dir, options_.segment, options_.segment_bytes, options_.direct, options_.min_free, {}};
  const int err = CreateSegment(create, &segment_, what);
  if (err != 0) return err;
  segment_used_ = kHeaderBytes;
  options_.direct = create.direct;
  empty_ = NewBlock(kPage - kCommitHead);
  if (!empty_) return ENOMEM;
  Lock lock(mutex_);
  opened_ = true;
  want_spare_ = true;
  writer_ = std::thread([this] { RunWriter(); });
  preparer_ = std::thread([this] { RunPreparer(); });
  return 0;
}

bool Writer::Close() {
  Lock lock(mutex_);
  if (closed_ || !opened_) return close_ok_;
  closed_ = true;
  closing_ = true;
  hurry_ = true;
  work_cv_.notify_all();
  space_cv_.notify_all();
  spare_cv_.notify_all();
  prepare_cv_.notify_all();
  lock.unlock();
  writer_.join();
  lock.lock();
  close_ok_ = state() != State::kFailed && ready_.empty() && filling_ == nullptr;
  want_spare_ = false;
  opened_ = false;  // also tells the preparer to stop
  abandon_ = true;
  prepare_cv_.notify_all();
  lock.unlock();
  preparer_.join();
  RemoveFile(&spare_);
  if (segment_fresh_) RemoveFile(&segment_);
  else if (segment_bad_) CloseFile(&segment_);
  else SealAndClose(&segment_, segment_used_);
  for (auto &entry : to_seal_) SealAndClose(&entry.first, entry.second);
  to_seal_.clear();
  munmap(empty_->memory, empty_->mapped);
  delete empty_;
  empty_ = nullptr;
  return close_ok_;
}

void Writer::SetState(State state, const std::string &reason) {
  if (this->state() == State::kFailed) return;
  if (this->state() == state && reason_ == reason) return;
  reason_ = reason;
  state_.store(state, std::memory_order_release);
  state_changes_.fetch_add(1, std::memory_order_release);
  notify_();
}

// Called with the lock held. Drops what is pending: it was never acknowledged and never will be.
void Writer::Fail(const std::string &reason) {
  SetState(State::kFailed, reason);
  for (Block *block : ready_) Recycle(block);
  ready_.clear();
  if (filling_) Recycle(filling_);
  filling_ = nullptr;
  pending_ = 0;
  space_cv_.notify_all();
  notify_();
}

void Writer::RunWriter() {
  pthread_setname_np(pthread_self(), options_.lane == 1 ? "swal-security" : "swal-observ");
  Lock lock(mutex_);
  for (;;) {
    const uint64_t now = MonoNs();
    if (filling_ && ready_.empty() && (urgent_ || closing_ || now >= deadline_)) {
      ready_.push_back(filling_);
      filling_ = nullptr;
      urgent_ = false;
    }
    if (state() == State::kFailed) {
      if (closing_) return;
      waiting_ = Waiting::kBusy;
      work_cv_.wait(lock, [&] { return closing_; });
      return;
    }
    if (!ready_.empty()) {
      Block *block = ready_.front();
      ready_.pop_front();
      Commit(lock, block, 0);
      continue;
    }
    if (closing_) {
      if (commits_ > 0) Commit(lock, nullptr, kFlagCleanClose);
      return;
    }
    if (notify_due_ != 0 && now >= notify_due_) {
      notify_due_ = 0;
      last_notify_ = now;
      notify_();
    }
    if (!filling_ && idle_due_ != 0 && now >= idle_due_) {
      Commit(lock, nullptr, kFlagIdle);
      idle_due_ = 0;
      TrimFreeBlocks();
      continue;
    }
    uint64_t wake = kNever;
    if (filling_) wake = deadline_;
    else if (idle_due_ != 0) wake = idle_due_;
    if (notify_due_ != 0) wake = std::min(wake, notify_due_);
    waiting_ = filling_ ? Waiting::kWindow : Waiting::kIdle;
    if (wake == kNever) work_cv_.wait(lock);
    else work_cv_.wait_until(lock, At(wake));
    waiting_ = Waiting::kBusy;
  }
}

int Writer::WriteCommit(Block *block, uint32_t flags, uint8_t chain[kChainBytes], uint64_t *took_ns) {
  Block *target = block ? block : empty_;
  const size_t body = block ? block->body : 0;
  CommitHead head{next_commit_, block ? block->base_seq : head_.seq + 1, block ? block->count : 0, flags, WallNs()};
  uint64_t offset = segment_used_;
  uint8_t *from = target->commit();
  size_t len = 0;
  if (segment_fresh_) {
    // Header and first commit go out in one write.
    if (getrandom(&salt_, sizeof salt_, 0) != sizeof salt_) salt_ = static_cast<uint32_t>(MonoNs());
    SegmentHeader header{options_.lane,  options_.segment_bytes, segment_.number, head.base_seq, head.commit_no,
                         options_.epoch, head.wall_ns,           salt_,           {},            options_.device};
    memcpy(header.prev_chain, chain, kChainBytes);
    EncodeHeader(header, target->memory);
    offset = 0;
    from = target->memory;
    len = kHeaderBytes;
  }
  SealRecords(target->records(), body, head.base_seq, salt_);
  len += SealCommit(target->commit(), body, head, chain, salt_);
  const uint64_t start = MonoNs();
  const int err = WriteDurable(segment_, from, len, offset);
  *took_ns = MonoNs() - start;
  if (err != 0) return err;
  if (segment_fresh_) segment_started_ns_ = start;
  segment_fresh_ = false;
  segment_used_ = offset + len;
  return 0;
}

bool Writer::Commit(Lock &lock, Block *block, uint32_t flags) {
  const size_t padded = PadTo(kCommitHead + (block ? block->body : 0), kPage);
  for (;;) {
    const bool full = segment_used_ + padded > options_.segment_bytes;
    const bool old = !segment_fresh_ && MonoNs() - segment_started_ns_ > options_.max_age_ns;
    if (segment_bad_ || (!segment_fresh_ && (full || (old && block)))) {
      if (!SwitchSegment(lock)) break;
    }
    ChainHead next = head_;
    uint64_t took_ns = 0;
    lock.unlock();
    const int err = WriteCommit(block, flags, next.chain, &took_ns);
    lock.lock();
    if (err == 0) {
      next.seq += block ? block->count : 0;
      next.commit_no = next_commit_++;
      head_ = next;
      commits_++;
      consecutive_failures_ = 0;
      if (padded <= kFlushSampleBytes) {
        if (flush_us_.size() < kFlushSamples) flush_us_.push_back(0);
        flush_us_[flush_at_++ % kFlushSamples] = static_cast<uint32_t>(took_ns / 1000);
      }
      durable_seq_.store(head_.seq, std::memory_order_release);
      Published(block, MonoNs());
      return true;
    }
    failed_writes_++;
    segment_bad_ = true;
    const std::string reason = std::string("write_failed: ") + strerror(err);
    if (++consecutive_failures_ >= 2) {
      if (block) ready_.push_front(block);
      Fail(reason);
      return false;
    }
    SetState(State::kDegraded, reason);
  }
  if (block) ready_.push_front(block);
  if (state() == State::kFailed || closing_) Fail(reason_.empty() ? "closed before it could be written" : reason_);
  return false;
}

void Writer::Published(Block *block, uint64_t now) {
  if (!block) return;
  idle_due_ = now + options_.idle_ns;
  pending_ -= block->body;
  const bool urgent = block->urgent;
  Recycle(block);
  space_cv_.notify_all();
  if (waiter_seq_.load(std::memory_order_acquire) <= head_.seq) {
    notify_();
    last_notify_ = now;
    notify_due_ = 0;
  } else if (listening_.load(std::memory_order_acquire)) {
    if (urgent || now - last_notify_ >= kNotifyEveryNs) {
      notify_();
      last_notify_ = now;
      notify_due_ = 0;
    } else if (notify_due_ == 0) {
      notify_due_ = last_notify_ + kNotifyEveryNs;
    }
  }
}

WriterStats Writer::Stats() {
  Lock lock(mutex_);
  WriterStats stats{};
  stats.state = state();
  stats.reason = reason_;
  stats.last_seq = next_seq_ - 1;
  stats.durable_seq = head_.seq;
  stats.commits = commits_;
  stats.failed_writes = failed_writes_;
  stats.pending_bytes = pending_;
  stats.segment = segment_.number;
  stats.segment_used = segment_used_;
  stats.refused_appends = refused_appends_;
  stats.refused_records = refused_records_;
  stats.direct = segment_.direct;
  std::vector<uint32_t> sorted = flush_us_;
  lock.unlock();
  std::sort(sorted.begin(), sorted.end());
  if (!sorted.empty()) {
    stats.flush_p50_us = sorted[sorted.size() / 2];
    stats.flush_p99_us = sorted[sorted.size() * 99 / 100];
  }
  return stats;
}

ChainHead Writer::Head() {
  Lock lock(mutex_);
  return head_;
}

}  // namespace swal
