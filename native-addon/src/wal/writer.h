// The native WAL writer: any thread appends, one thread commits, one prepares segments. No Node in here.
#ifndef SENTINEL_WAL_WRITER_H
#define SENTINEL_WAL_WRITER_H
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "appender.h"
#include "format.h"
#include "segment_file.h"

namespace swal {

enum class State : uint32_t { kOk = 0, kDegraded = 1, kFailed = 2 };

struct WriterOptions {
  std::string dir;
  std::string device;
  uint32_t lane = 1;
  uint64_t epoch = 0;
  uint32_t segment_bytes = 16 * 1024 * 1024;
  uint64_t max_age_ns = 3600ull * 1000000000;
  uint64_t window_ns = 5000000;
  uint64_t idle_ns = 1000000000;
  size_t max_pending = 16 * 1024 * 1024;
  uint64_t min_free = 0;
  bool direct = true;
  // Where to go on.
  uint64_t segment = 1;
  uint64_t next_seq = 1;
  uint64_t next_commit = 1;
  uint8_t chain[kChainBytes] = {};
  // Longest time a native append waits for room before it is refused.
  uint64_t max_block_ns = 5000000000ull;
};

struct WriterStats {
  State state;
  std::string reason;
  uint64_t last_seq, durable_seq, commits, failed_writes, pending_bytes, segment, segment_used;
  uint64_t refused_appends, refused_records;
  double flush_p50_us, flush_p99_us;
  bool direct;
};

struct ChainHead {
  uint64_t seq, commit_no;
  uint8_t chain[kChainBytes];
};

class Writer {
 public:
  // `notify` runs on the writer's threads after durable_seq or the state moved; it must not block or call back.
  Writer(WriterOptions options, std::function<void()> notify);
  ~Writer();

  // Creates the first segment and starts the threads. Returns 0 or an errno, with the step in `what`.
  int Open(std::string *what);
  // Commits what is pending and the closing commit, stops. False if that could not be made durable. Idempotent.
  bool Close();

  // Appends records of known size; 0 if refused. With `wait`, first waits for room up to max_block_ns.
  uint64_t Append(const swal_append_record *records, size_t n, bool urgent, bool wait);
  // Same for records packed as agent/wal/types.ts says (PACKED_HEADER_BYTES). The caller has checked the lengths.
  // Nothing, but urgent: commits at once what waits for its window.
  uint64_t AppendPacked(const uint8_t *packed, size_t bytes, size_t n, bool urgent);

  uint64_t durable_seq() const { return durable_seq_.load(std::memory_order_acquire); }
  State state() const { return state_.load(std::memory_order_acquire); }
  uint32_t state_changes() const { return state_changes_.load(std::memory_order_acquire); }
  WriterStats Stats();
  ChainHead Head();
  // Notify as soon as this sequence number is durable (UINT64_MAX: nobody waits).
  void WaitFor(uint64_t seq) { waiter_seq_.store(seq, std::memory_order_release); }
  // Notify of every commit, at once for urgent ones, else at most every 20 ms.
  void Listen(bool on) { listening_.store(on, std::memory_order_release); }
  swal_appender *appender() { return &appender_; }
  const WriterOptions &options() const { return options_; }

 private:
  struct Block;
  using Lock = std::unique_lock<std::mutex>;

  bool Admit(Lock &lock, size_t bytes, size_t n, bool wait);
  uint8_t *Room(size_t bytes);
  void Wake(bool urgent, bool was_empty);
  Block *NewBlock(size_t body_capacity);
  void Recycle(Block *block);
  void TrimFreeBlocks();

  void RunWriter();
  void RunPreparer();
  // Writes one commit (empty when `block` is null). Releases the lock while it writes. False once failed.
  bool Commit(Lock &lock, Block *block, uint32_t flags);
  int WriteCommit(Block *block, uint32_t flags, uint8_t chain[kChainBytes], uint64_t *took_ns);
  bool SwitchSegment(Lock &lock);
  void Fail(const std::string &reason);
  void SetState(State state, const std::string &reason);
  void Published(Block *block, uint64_t now);

  WriterOptions options_;
  size_t body_limit_;
  std::function<void()> notify_;
  swal_appender appender_;

  std::mutex mutex_;
  std::condition_variable work_cv_, space_cv_, prepare_cv_, spare_cv_;
  std::thread writer_, preparer_;
  bool opened_ = false, closing_ = false, closed_ = false, close_ok_ = true;

  // Guarded by mutex_.
  std::deque<Block *> ready_;
  Block *filling_ = nullptr;
  std::vector<Block *> free_;
  uint64_t next_seq_;
  uint64_t deadline_ = 0;
  bool urgent_ = false;
  enum class Waiting { kBusy, kWindow, kIdle } waiting_ = Waiting::kBusy;
  size_t pending_ = 0;
  std::string reason_;
  uint64_t refused_appends_ = 0, refused_records_ = 0, commits_ = 0, failed_writes_ = 0;
  ChainHead head_;
  std::vector<uint32_t> flush_us_;
  size_t flush_at_ = 0;
  SegmentFile spare_;
  bool want_spare_ = false, spare_ready_ = false;
  int spare_err_ = 0, spare_failures_ = 0;
  std::string spare_what_;
  std::vector<std::pair<SegmentFile, uint64_t>> to_seal_;

  // Of the writer thread alone (written under mutex_ where Stats reads them).
  SegmentFile segment_;
  bool segment_fresh_ = true, segment_bad_ = false;
  uint64_t segment_started_ns_ = 0;
  uint32_t salt_ = 0;
  uint64_t next_commit_;
  uint64_t idle_due_ = 0, notify_due_ = 0, last_notify_ = 0;
  int consecutive_failures_ = 0;
  Block *empty_ = nullptr;

  std::atomic<uint64_t> segment_used_{0};
  std::atomic<bool> hurry_{false}, abandon_{false};
  std::atomic<uint64_t> durable_seq_{0};
  std::atomic<State> state_{State::kOk};
  std::atomic<uint32_t> state_changes_{0};
  std::atomic<uint64_t> waiter_seq_{UINT64_MAX};
  std::atomic<bool> listening_{false};
};

}  // namespace swal
#endif
