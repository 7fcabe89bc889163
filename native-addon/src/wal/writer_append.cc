// The appending half of the writer: admission, and records packed into the commit being filled. Any thread.
#include <string.h>
#include <sys/mman.h>

#include <algorithm>

#include "writer_internal.h"

namespace swal {

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
  if (n == 0) {
    if (!urgent) return 0;
    Lock lock(mutex_);
    if (filling_) Wake(true, false);
    return 0;
  }
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

}  // namespace swal
