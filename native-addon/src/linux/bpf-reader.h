// Reads both rings: appends security records to the log before JavaScript hears of them, hands batches to Delivery, and
// turns the kernel's loss counters into numbers with a cause. When JavaScript does not keep up with a lane, its ring is
// left alone and the kernel counts what no longer fits.
//
// Under load a thread of its own does that. At rest the main thread does, woken by the kernel itself (bpf-direct.h): each
// change of threads costs tens of microseconds, and milliseconds where others want the processor too.
#ifndef SENTINEL_BPF_READER_H
#define SENTINEL_BPF_READER_H
#include <napi.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "../wal/appender.h"
#include "bpf-clock.h"
#include "bpf-delivery.h"
#include "bpf-direct.h"
#include "bpf-loader.h"
#include "policy-maps.h"

namespace sentinel {

constexpr size_t kMaxBatchBytes = 256u << 10;
constexpr uint16_t kRecordTypeSensor = 1;  // RecordType.sensor in agent/wal/types.ts
constexpr uint16_t kSchemaSensorV1 = 1;    // Schema.sensorV1
// Records per second, over windows of this length, that tell rest from load from storm.
constexpr int64_t kRateWindowNs = kSecondNs / 10;
constexpr double kRestRate = 200, kBusyRate = 3000, kQuietSecurityRate = 100;
// What a record may wait for company, by lane: see Rest().
constexpr int kNapMs = 3;
constexpr int64_t kObservabilityNapNs = kSecondNs / 20;
// How long records may lie in the rings while the main thread, whose turn it is, does something else.
constexpr int kWatchMs = 100;
// How often it may find more at once before the thread takes over.
constexpr int kTurnsAtRest = 4;
inline bool Urgent(uint8_t type) {
  switch (type) {
    case SN_EXEC:
    case SN_PTRACE:
    case SN_VM_WRITE:
    case SN_INIT_MODULE:
    case SN_FINIT_MODULE:
    case SN_DELETE_MODULE:
    case SN_KEXEC:
      return true;
    default:
      return false;
  }
}

class Reader {
 public:
  sn_loader loader{};
  swal_appender *appender = nullptr;
  // A policy that can block is in force: its verdict waits for the record, which is then committed at once.
  std::atomic<bool> verdicts_wait{false};
  PolicyMaps policy;
  uint32_t policy_bits = 0;  // as last written to control.policies
  bool cuts = false;         // a policy may cut processes off from the network
  // Written by the reader, read by stats().
  std::atomic<uint64_t> batches{0}, records{0}, wakeups{0}, clock_steps{0}, append_failures{0}, held_back{0};

  ~Reader() {
    Join();
    sn_loader_close(&loader);
    if (event_fd_ >= 0) close(event_fd_);
    if (epoll_fd_ >= 0) close(epoll_fd_);
  }

  void Start(Napi::Env env, Napi::Function deliver) {
    AskForShortSlices();
    event_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
    // Edge-triggered: only the kernel's wake-ups count. Level-triggered, records that arrive unannounced while we
    // nap would end the nap, and with it the batching.
    Watch(loader.rings[0].fd, EPOLLIN | EPOLLET);
    Watch(loader.rings[1].fd, EPOLLIN | EPOLLET);
    Watch(event_fd_, EPOLLIN);
    previous_.assign(loader.cpu_count, {});
    for (size_t cpu = 0; cpu < loader.cpu_count; cpu++) previous_[cpu] = loader.cpus[cpu];
    delivery_.Open(env, deliver);
    direct_.Open(env, [this] { ReadHere(); });
    thread_ = std::thread([this] { Run(); });
  }

  // Ends the thread after it delivered what the rings still hold. `done` runs on the main thread.
  void Stop() {
    stopping_ = true;
    direct_.Close();
    Kick();
  }

  void Join() {
    if (!thread_.joinable()) return;
    Stop();
    delivery_.Abandon();
    thread_.join();
  }

  int64_t wall_offset() const { return wall_offset_; }

 private:
  int event_fd_ = -1, epoll_fd_ = -1;
  std::thread thread_;
  Delivery delivery_;
  DirectWatch direct_;
  // Of who takes from the rings, and of what it counts.
  std::mutex reading_;
  std::atomic<bool> at_rest_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> wall_offset_{WallOffset()};
  std::vector<sn_cpu> previous_;
  std::map<const bpf_program *, uint64_t> misses_;
  int64_t last_misses_ns_ = 0;
  int64_t last_poll_ns_ = 0, last_clock_ns_ = 0, last_drain_ns_ = 0;
  double per_second_[2] = {0, 0};
  int64_t rate_since_ns_ = 0;
  uint64_t taken_[2] = {0, 0};

  void Watch(int fd, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
  }

  void Kick() {
    uint64_t one = 1;
    if (event_fd_ >= 0 && write(event_fd_, &one, sizeof one) < 0) return;
  }

  static int Take(void *context, const void *record, uint32_t length) {
    Batch *batch = static_cast<Batch *>(context);
    if (!batch->bytes.empty() && batch->bytes.size() + length > kMaxBatchBytes) return 1;
    const uint8_t *bytes = static_cast<const uint8_t *>(record);
    // The ring rounds up to 8 and so does the record; `len` inside says the same.
    batch->bytes.insert(batch->bytes.end(), bytes, bytes + length);
    batch->count++;
    batch->urgent |= Urgent(bytes[4]);
    return 0;
  }

  void Append(Batch *batch) {
    std::vector<swal_append_record> list(batch->count);
    const uint8_t *at = batch->bytes.data();
    for (uint32_t i = 0; i < batch->count; i++) {
      const sn_header *h = reinterpret_cast<const sn_header *>(at);
      list[i].type = kRecordTypeSensor;
      list[i].schema = kSchemaSensorV1;
      list[i].flags = 0;
      list[i].cpu = static_cast<uint16_t>(h->seq >> 48);
      list[i].wall_ns = h->ts + static_cast<uint64_t>(batch->wall_offset);
      list[i].payload = at;
      list[i].len = h->len;
      at += h->len;
    }
    const bool at_once = verdicts_wait && batch->urgent;
    batch->first_seq = appender->append(appender->ctx, list.data(), list.size(), at_once);
    if (batch->first_seq == 0) append_failures += batch->count;
  }

  // Empties one ring into batches. Returns how many records it took.
  uint64_t Drain(uint32_t ring) {
    uint64_t taken = 0;
    while (sn_ring_used(&loader.rings[ring]) > 0) {
      if (delivery_.Full(ring)) {
        held_back++;
        break;
      }
      Batch batch;
      batch.ring = ring;
      batch.wall_offset = wall_offset_;
      uint64_t used = sn_ring_used(&loader.rings[ring]);
      batch.bytes.reserve(used < kMaxBatchBytes ? used : kMaxBatchBytes);
      uint64_t n = sn_ring_consume(&loader.rings[ring], Take, &batch);
      if (n == 0) break;
      taken += n;
      if (ring == SN_RING_SECURITY && appender) Append(&batch);
      delivery_.Push(std::move(batch));
      batches++;
    }
    records += taken;
    return taken;
  }

  // Empties both rings. Observability first, delivered last: a process's fork and exec are older than what it did, so
  // they are in the security ring by then, and JavaScript hears of a process before it hears of its files.
  void DrainAll(uint64_t taken[2]) {
    taken[SN_RING_OBSERVABILITY] = Drain(SN_RING_OBSERVABILITY);
    taken[SN_RING_SECURITY] = Drain(SN_RING_SECURITY);
  }

  void RefreshClock(int64_t now) {
    if (last_clock_ns_ && now - last_clock_ns_ < kSecondNs) return;
    int64_t offset = WallOffset(), change = offset - wall_offset_;
    if (last_clock_ns_ && (change > 100000000 || change < -100000000)) clock_steps++;
    wall_offset_ = offset;
    last_clock_ns_ = now;
  }

  // Compares the kernel's loss counters with what was reported.
  void CollectLosses(int64_t now) {
    std::vector<Loss> found;
    for (uint32_t cpu = 0; cpu < loader.cpu_count; cpu++) {
      const sn_cpu *live = &loader.cpus[cpu];
      sn_cpu *before = &previous_[cpu];
      if (__atomic_load_n(&live->lost, __ATOMIC_ACQUIRE) == before->lost) continue;
      before->lost = live->lost;
      for (size_t i = 0; i < loader.hook_count; i++) {
        const sn_hook_info &info = loader.hooks[i];
        const sn_hook_counter *counter = &live->hook[info.id];
        sn_hook_counter *seen = &before->hook[info.id];
        auto add = [&](uint32_t ring, const char *cause, uint64_t value, __u64 *last) {
          if (value == *last) return;
          int64_t to = static_cast<int64_t>(counter->last_lost_ns);
          if (to < last_poll_ns_ || to > now) to = now;
          found.push_back({ring, cause, info.name, cpu, value - *last, last_poll_ns_ + wall_offset_, to + wall_offset_});
          *last = value;
        };
        add(SN_RING_SECURITY, "ring_full", counter->lost_full[0], &seen->lost_full[0]);
        add(SN_RING_OBSERVABILITY, "ring_full", counter->lost_full[1], &seen->lost_full[1]);
        add(SN_RING_OBSERVABILITY, "rate_limit", counter->lost_rate, &seen->lost_rate);
        add(SN_RING_SECURITY, "sensor_blind", counter->lost_blind, &seen->lost_blind);
      }
    }
    CollectMisses(now, &found);
    last_poll_ns_ = now;
    if (found.empty()) return;
    delivery_.Push(found);
    delivery_.Signal();
  }

  // Runs of a program that the kernel left out because the same one, or one of its kind, ran on that CPU already: what it
  // would have seen is not known, so each counts as a record at most.
  void CollectMisses(int64_t now, std::vector<Loss> *found) {
    if (now - last_misses_ns_ < kSecondNs) return;
    last_misses_ns_ = now;
    bpf_program *program;
    bpf_object__for_each_program(program, loader.object) {
      const int fd = bpf_program__fd(program);
      bpf_prog_info info = {};
      uint32_t size = sizeof info;
      if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) != 0) continue;
      uint64_t &seen = misses_[program];
      if (info.recursion_misses > seen)
        found->push_back({SN_RING_SECURITY, "hook_missed", bpf_program__name(program), kNoCpu,
                          info.recursion_misses - seen, last_poll_ns_ + wall_offset_, now + wall_offset_});
      seen = info.recursion_misses;
    }
  }

  void SetIdle(uint32_t security, uint32_t observability) {
    __atomic_store_n(&loader.control->idle[0], security, __ATOMIC_SEQ_CST);
    __atomic_store_n(&loader.control->idle[1], observability, __ATOMIC_SEQ_CST);
  }

  bool Empty() { return sn_ring_used(&loader.rings[0]) == 0 && sn_ring_used(&loader.rings[1]) == 0; }

  void Sleep(int timeout_ms) {
    epoll_event events[4];
    int n = epoll_wait(epoll_fd_, events, 4, timeout_ms);
    for (int i = 0; i < n; i++) {
      uint64_t value;
      if (events[i].data.fd == event_fd_ && read(event_fd_, &value, sizeof value) < 0) continue;
    }
    if (n > 0) wakeups++;
  }

  // Counts what was taken, over windows of kRateWindowNs.
  void CountRates(int64_t now, const uint64_t taken[2]) {
    taken_[0] += taken[0];
    taken_[1] += taken[1];
    if (now - rate_since_ns_ < kRateWindowNs) return;
    for (int ring = 0; ring < 2; ring++) {
      per_second_[ring] = static_cast<double>(taken_[ring]) * kSecondNs / static_cast<double>(now - rate_since_ns_);
      taken_[ring] = 0;
    }
    rate_since_ns_ = now;
  }

  // Sleeps until there is something to do. A hand-over to JavaScript costs two context switches and a turn of the event
  // loop, some 80 us, whatever it carries; so the more there is to come, the more it should carry.
  //   at rest            every record wakes us: decided within 0.2 ms
  //   little security    a security record is delivered at once, but 3 ms after the last one; the rest within 50 ms
  //   more of it         security records gather for 3 ms and take along what else there is
  //   verdicts wait      a security record is delivered at once, unless there is much load
  //   much load          everything gathers for 3 ms, so that decisions stay within 5 ms
  // However long the nap, a ring that is a quarter full ends it.
  void Rest() {
    const double rate = per_second_[0] + per_second_[1];
    if (rate < kRestRate) {
      if (direct_.open()) {
        LeaveToMainThread();
        return;
      }
      SetIdle(1, 1);
      if (Empty()) Sleep(500);
      return;
    }
    if (verdicts_wait && rate < kBusyRate) {
      // Somebody's process waits to be ended: no company is worth that.
      SetIdle(1, 0);
      if (sn_ring_used(&loader.rings[0]) > 0) return;
    }
    Nap(kNapMs);
    if (rate >= kBusyRate) return;
    while (!stopping_ && sn_ring_used(&loader.rings[0]) == 0 && RingsNearlyEmpty()) {
      const int64_t left = last_drain_ns_ + kObservabilityNapNs - Now(CLOCK_BOOTTIME);
      if (left < kSecondNs / 1000) return;
      if (per_second_[0] < kQuietSecurityRate) {
        SetIdle(1, 0);
        if (sn_ring_used(&loader.rings[0]) == 0) Nap(static_cast<int>(left / 1000000));
        return;
      }
      Nap(kNapMs);
    }
  }

  // Lets the main thread read for as long as there is little, and looks after it: what lies there for long, because
  // JavaScript is busy with something, is at least brought to the log.
  void LeaveToMainThread() {
    at_rest_ = true;
    direct_.Watch(loader.rings[0].fd, loader.rings[1].fd);
    SetIdle(1, 1);
    // What came before that woke nobody.
    while (at_rest_ && !stopping_ && !Empty()) TurnForMainThread();
    while (at_rest_ && !stopping_) {
      pollfd kicked{event_fd_, POLLIN, 0};
      uint64_t value;
      if (poll(&kicked, 1, kWatchMs) > 0 && read(event_fd_, &value, sizeof value) < 0) continue;
      // More than once where something came while the wake-up was being set.
      do TurnForMainThread();
      while (at_rest_ && !stopping_ && !Empty());
    }
    direct_.Ignore(loader.rings[0].fd, loader.rings[1].fd);
  }

  void TurnForMainThread() {
    std::lock_guard<std::mutex> lock(reading_);
    if (at_rest_ && !stopping_ && TurnAtRest(0)) delivery_.Signal();
  }

  // A turn after which the next record wakes the main thread again: whoever took a record took its wake-up too.
  bool TurnAtRest(int before) {
    SetIdle(0, 0);
    const bool some = Turn();
    if (per_second_[0] + per_second_[1] >= kRestRate || before == kTurnsAtRest || delivery_.AnyFull())
      at_rest_ = false;
    else
      SetIdle(1, 1);
    return some;
  }

  // On the main thread, when the kernel woke it.
  void ReadHere() {
    if (!at_rest_) return;
    for (int turn = 0; at_rest_ && !stopping_; turn++) {
      {
        std::lock_guard<std::mutex> lock(reading_);
        TurnAtRest(turn);
      }
      if (turn == 0) wakeups++;
      delivery_.DeliverHere();
      if (Empty()) break;
    }
    if (!at_rest_) Kick();
  }

  // Takes what there is and keeps the books; says whether there was something. Holds reading_.
  bool Turn() {
    uint64_t taken[2];
    DrainAll(taken);
    const int64_t now = last_drain_ns_ = Now(CLOCK_BOOTTIME);
    RefreshClock(now);
    if (now - last_poll_ns_ > kSecondNs / 8) CollectLosses(now);
    CountRates(now, taken);
    return taken[0] + taken[1] > 0;
  }

  bool RingsNearlyEmpty() {
    return sn_ring_used(&loader.rings[1]) < loader.rings[1].size / 4;
  }

  void Nap(int ms) {
    __atomic_store_n(&loader.control->napping, 1, __ATOMIC_SEQ_CST);
    Sleep(ms);
  }

  void Run() {
    pthread_setname_np(pthread_self(), "sentinel-bpf");
    AskForShortSlices();
    int64_t now = Now(CLOCK_BOOTTIME);
    last_poll_ns_ = rate_since_ns_ = now;
    RefreshClock(now);
    while (!stopping_) {
      SetIdle(0, 0);
      __atomic_store_n(&loader.control->napping, 0, __ATOMIC_SEQ_CST);
      {
        std::lock_guard<std::mutex> lock(reading_);
        if (Turn()) delivery_.Signal();
      }
      if (delivery_.AnyFull()) {
        // JavaScript is behind: look again when there is room, and soon for the other lane's sake.
        delivery_.WaitForRoom(std::chrono::milliseconds(5));
      } else {
        Rest();
      }
    }
    sn_loader_detach(&loader);
    for (int quiet = 0; quiet < 2;) {
      uint64_t taken[2];
      DrainAll(taken);
      if (taken[0] + taken[1] > 0) delivery_.Signal();
      if (delivery_.AnyFull()) {
        // Bounded, in case JavaScript never comes back.
        if (!delivery_.WaitForRoom(std::chrono::seconds(10))) break;
        continue;
      }
      quiet = taken[0] + taken[1] ? 0 : quiet + 1;
    }
    CollectLosses(Now(CLOCK_BOOTTIME));
    delivery_.End();
  }
};

}  // namespace sentinel

#endif
