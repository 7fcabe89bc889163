#include "writer.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include <algorithm>
#include <chrono>

namespace swal {
namespace {

constexpr uint64_t kNever = UINT64_MAX;
constexpr uint64_t kNotifyEveryNs = 20000000;
constexpr uint64_t kRetryPrepareNs = 1000000000;
constexpr size_t kFlushSamples = 512;
constexpr size_t kFlushSampleBytes = 64 * 1024;

uint64_t MonoNs() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000ull + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t WallNs() {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000ull + static_cast<uint64_t>(now.tv_nsec);
}

std::chrono::steady_clock::time_point At(uint64_t mono_ns) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(mono_ns));
}

uint64_t AppendThunk(void *ctx, const swal_append_record *records, size_t n, int urgent) {
  return static_cast<Writer *>(ctx)->Append(records, n, urgent != 0, true);
}

}  // namespace

// One commit in the making: room for a segment header, the commit head, then records. Page-aligned for O_DIRECT.
struct Writer::Block {
  uint8_t *memory;
  size_t mapped;
  size_t capacity;  // of the body
  size_t body;
  uint32_t count;
  uint64_t base_seq;
  bool urgent;
  uint8_t *commit() { return memory + kHeaderBytes; }
  uint8_t *records() { return memory + kHeaderBytes + kCommitHead; }
};

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

Writer::Block *Writer::NewBlock(size_t body_capacity) {
  if (!free_.empty() && free_.back()->capacity >= body_capacity) {
    Block *block = free_.back();
    free_.pop_back();
    block->body = 0;
    block->count = 0;
    block->urgent = false;
    return block;
  }
  const size_t mapped = PadTo(kHeaderBytes + kCommitHead + body_capacity, kPage);
  void *memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  return new Block{static_cast<uint8_t *>(memory), mapped, mapped - kHeaderBytes - kCommitHead, 0, 0, 0, false};
}

void Writer::Recycle(Block *block) {
  if (free_.size() < 2 && block->mapped <= kHeaderBytes + kCommitTarget) {
    free_.push_back(block);
    return;
  }
  munmap(block->memory, block->mapped);
  delete block;
}

// Gives the memory of a burst back once the log is idle.
void Writer::TrimFreeBlocks() {
  for (Block *block : free_) madvise(block->memory, block->mapped, MADV_DONTNEED);
}

bool Writer::Admit(Lock &lock, size_t bytes, size_t n, bool wait) {
  const auto has_room = [&] { return pending_ == 0 || pending_ + bytes <= options_.max_pending; };
  const auto stopped = [&] { return closing_ || !opened_ || state() == State::kFailed; };
  if (wait && !stopped() && !has_room()) {
    space_cv_.wait_until(lock, At(MonoNs() + options_.max_block_ns), [&] { return stopped() || has_room(); });
  }
  if (!stopped() && has_room()) return true;
  refused_appends_++;
  refused_records_ += n;
  return false;
}

// Room for one record in the commit being filled; closes that commit first if it is full.
uint8_t *Writer::Room(size_t bytes) {
  if (filling_ && filling_->body + bytes > body_limit_ && filling_->count > 0) {
    ready_.push_back(filling_);
    filling_ = nullptr;
  }
  if (!filling_) {
    filling_ = NewBlock(std::max(bytes, body_limit_));
    if (!filling_) return nullptr;
    filling_->base_seq = next_seq_;
  }
  return filling_->records() + filling_->body;
}

void Writer::Wake(bool urgent, bool was_empty) {
  if (urgent) {
    urgent_ = true;
    if (filling_) filling_->urgent = true;
  }
  if (was_empty) deadline_ = MonoNs() + options_.window_ns;
  const bool now = urgent || !ready_.empty();
  if (waiting_ == Waiting::kIdle || (waiting_ == Waiting::kWindow && now)) work_cv_.notify_one();
}

uint64_t Writer::Append(const swal_append_record *records, size_t n, bool urgent, bool wait) {
  if (n == 0) return 0;
  size_t bytes = 0;
  bool too_large = false;
  const size_t limit = MaxPayload(options_.segment_bytes);
  for (size_t i = 0; i < n; i++) {
    too_large |= records[i].len > limit;
    bytes += RecordBytes(records[i].len);
  }
  Lock lock(mutex_);
  if (too_large) {
    refused_appends_++;
    refused_records_ += n;
    return 0;
  }
  if (!Admit(lock, bytes, n, wait)) return 0;
  const bool was_empty = filling_ == nullptr;
  const uint64_t first = next_seq_;
  for (size_t i = 0; i < n; i++) {
    const swal_append_record &record = records[i];
    const size_t size = RecordBytes(record.len);
    uint8_t *room = Room(size);
    if (!room) {
      Fail("out of memory");
      return 0;
    }
    EncodeRecord(room, record.type, record.flags, record.schema, record.cpu, record.wall_ns, record.payload,
                 record.len);
    filling_->body += size;
    filling_->count++;
    next_seq_++;
  }
  pending_ += bytes;
  Wake(urgent, was_empty);
  return first;
}

uint64_t Writer::AppendPacked(const uint8_t *packed, size_t bytes, size_t n, bool urgent) {
  if (n == 0) return 0;
  // What the records take in the log: 8 bytes more each than packed.
  const size_t stored = bytes + n * (kRecordHead - kPackedHead);
  Lock lock(mutex_);
  if (!Admit(lock, stored, n, false)) return 0;
  const bool was_empty = filling_ == nullptr;
  const uint64_t first = next_seq_;
  for (size_t at = 0; at < bytes;) {
    PackedHead head;
    memcpy(&head, packed + at, sizeof head);
    const size_t size = RecordBytes(head.len);
    uint8_t *room = Room(size);
    if (!room) {
      Fail("out of memory");
      return 0;
    }
    EncodeRecord(room, head.type, head.flags, head.schema, head.cpu, head.wall_ns, packed + at + kPackedHead, head.len);
    filling_->body += size;
    filling_->count++;
    next_seq_++;
    at += PackedBytes(head.len);
  }
  pending_ += stored;
  Wake(urgent, was_empty);
  return first;
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
