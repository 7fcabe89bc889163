// sentinel_bpf: the eBPF sensor for JavaScript. Links libbpf, so it is a library of its own that may fail to load.
//
// One thread reads both rings. Security records are appended to the log from here, before JavaScript hears of them;
// then the batch is queued and the main thread woken once, however many batches wait; it takes them kTurnBytes at a
// time, so that other work gets its turn. When JavaScript does not keep up with a lane, the thread stops draining that
// lane's ring at kMaxPendingBytes and the kernel counts what no longer fits: memory is bounded, a flood on one lane
// costs the other nothing, and every loss is a number.
#include <errno.h>
#include <malloc.h>
#include <napi.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "../wal/appender.h"
#include "bpf-loader.h"

namespace {

constexpr size_t kMaxPendingBytes = 12u << 20;  // of each lane
constexpr size_t kMaxBatchBytes = 256u << 10;
constexpr size_t kTurnBytes = 256u << 10;
constexpr uint16_t kRecordTypeSensor = 1;  // RecordType.sensor in agent/wal/types.ts
constexpr uint16_t kSchemaSensorV1 = 1;    // Schema.sensorV1
constexpr int64_t kSecondNs = 1000000000;
// Records per second, over windows of this length, that tell rest from load from storm.
constexpr int64_t kRateWindowNs = kSecondNs / 10;
constexpr double kRestRate = 200, kBusyRate = 3000, kStormRate = 2000;

int64_t Now(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * kSecondNs + t.tv_nsec;
}

// CLOCK_REALTIME - CLOCK_BOOTTIME, from the tightest of a few readings.
int64_t WallOffset() {
  int64_t best = 0, width = INT64_MAX;
  for (int i = 0; i < 4; i++) {
    int64_t before = Now(CLOCK_BOOTTIME), wall = Now(CLOCK_REALTIME), after = Now(CLOCK_BOOTTIME);
    if (after - before < width) {
      width = after - before;
      best = wall - (before + after) / 2;
    }
  }
  return best;
}

struct Batch {
  uint32_t ring = 0;
  uint32_t count = 0;
  bool urgent = false;
  uint64_t first_seq = 0;
  int64_t wall_offset = 0;
  std::vector<uint8_t> bytes;
};

struct Loss {
  uint32_t ring;
  const char *cause;
  const char *hook;
  uint32_t cpu;
  uint64_t count;
  int64_t from_ns;
  int64_t to_ns;
};

// Nothing is blocked yet, so no verdict waits for these records: they share the lane's 5 ms commits, and a detection
// commits at once together with the records before it. One commit per exec cost 2 % of a core at 800 events/s.
constexpr bool kVerdictsWait = false;

bool Urgent(uint8_t type) {
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

class Sensor {
 public:
  sn_loader loader{};
  swal_appender *appender = nullptr;
  // Written by the reader, read by stats().
  std::atomic<uint64_t> batches{0}, records{0}, wakeups{0}, clock_steps{0}, append_failures{0}, held_back{0};

  ~Sensor() {
    Join();
    sn_loader_close(&loader);
    if (event_fd_ >= 0) close(event_fd_);
    if (epoll_fd_ >= 0) close(epoll_fd_);
  }

  void Start(Napi::Env env, Napi::Function deliver) {
    event_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
    // Edge-triggered: only the kernel's wake-ups count. Level-triggered, records that arrive unannounced while we
    // nap would end the nap, and with it the batching.
    Watch(loader.rings[0].fd, EPOLLIN | EPOLLET);
    Watch(loader.rings[1].fd, EPOLLIN | EPOLLET);
    Watch(event_fd_, EPOLLIN);
    previous_.assign(loader.cpu_count, {});
    for (size_t cpu = 0; cpu < loader.cpu_count; cpu++) previous_[cpu] = loader.cpus[cpu];
    tsfn_ = Napi::ThreadSafeFunction::New(env, deliver, "sentinel_bpf", 0, 1);
    thread_ = std::thread([this] { Run(); });
  }

  // Ends the thread after it delivered what the rings still hold. `done` runs on the main thread.
  void Stop() {
    stopping_ = true;
    Kick();
  }

  void Join() {
    if (!thread_.joinable()) return;
    Stop();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      pending_[0].clear();
      pending_[1].clear();
      pending_bytes_[0] = pending_bytes_[1] = 0;
    }
    room_.notify_all();
    thread_.join();
  }

  // Hands what waits to JavaScript, security first; on the main thread.
  void Deliver(Napi::Env env, Napi::Function deliver) {
    std::vector<Batch> batches;
    std::vector<Loss> losses;
    bool more, ended;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      size_t bytes = 0;
      for (std::deque<Batch> &queue : pending_) {
        while (!queue.empty() && bytes < kTurnBytes) {
          bytes += queue.front().bytes.size();
          pending_bytes_[queue.front().ring] -= queue.front().bytes.size();
          batches.push_back(std::move(queue.front()));
          queue.pop_front();
        }
      }
      more = !pending_[0].empty() || !pending_[1].empty();
      if (!more) {
        losses.swap(losses_);
        signalled_ = false;
      }
      ended = ended_ && !more;
    }
    room_.notify_all();
    for (const Batch &batch : batches) {
      Napi::HandleScope scope(env);
      deliver.Call({Napi::Number::New(env, batch.ring),
                    Napi::Buffer<uint8_t>::Copy(env, batch.bytes.data(), batch.bytes.size()),
                    Napi::Number::New(env, batch.count), Napi::Number::New(env, static_cast<double>(batch.first_seq)),
                    Napi::BigInt::New(env, batch.wall_offset)});
    }
    if (more) {
      Call();
      return;
    }
    if (!losses.empty()) {
      Napi::HandleScope scope(env);
      Napi::Array list = Napi::Array::New(env, losses.size());
      for (uint32_t i = 0; i < losses.size(); i++) {
        Napi::Object item = Napi::Object::New(env);
        item.Set("lane", losses[i].ring == SN_RING_SECURITY ? "security" : "observability");
        item.Set("cause", losses[i].cause);
        item.Set("hook", losses[i].hook);
        item.Set("cpu", losses[i].cpu);
        item.Set("count", static_cast<double>(losses[i].count));
        item.Set("fromNs", Napi::BigInt::New(env, losses[i].from_ns));
        item.Set("toNs", Napi::BigInt::New(env, losses[i].to_ns));
        list.Set(i, item);
      }
      deliver.Call({Napi::Number::New(env, -1), list});
    }
    if (ended && !said_ended_) {
      said_ended_ = true;
      deliver.Call({Napi::Number::New(env, -2)});
      tsfn_.Release();
    }
  }

  int64_t wall_offset() const { return wall_offset_; }

 private:
  int event_fd_ = -1, epoll_fd_ = -1;
  std::thread thread_;
  Napi::ThreadSafeFunction tsfn_;
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> wall_offset_{WallOffset()};
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<Batch> pending_[2];  // by ring
  std::vector<Loss> losses_;
  size_t pending_bytes_[2] = {0, 0};
  bool signalled_ = false, ended_ = false, said_ended_ = false;
  std::vector<sn_cpu> previous_;
  int64_t last_poll_ns_ = 0, last_clock_ns_ = 0;
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
    const bool at_once = kVerdictsWait && batch->urgent;
    batch->first_seq = appender->append(appender->ctx, list.data(), list.size(), at_once);
    if (batch->first_seq == 0) append_failures += batch->count;
  }

  void Signal(std::unique_lock<std::mutex> *lock) {
    if (signalled_) return;
    signalled_ = true;
    lock->unlock();
    Call();
  }

  void Call() {
    tsfn_.NonBlockingCall(this, [](Napi::Env env, Napi::Function deliver, Sensor *self) { self->Deliver(env, deliver); });
  }

  void Push(Batch &&batch) {
    std::lock_guard<std::mutex> lock(mutex_);
    pending_bytes_[batch.ring] += batch.bytes.size();
    pending_[batch.ring].push_back(std::move(batch));
  }

  bool Full(uint32_t ring) {
    std::lock_guard<std::mutex> lock(mutex_);
    return pending_bytes_[ring] > kMaxPendingBytes;
  }

  bool Roomy() const { return pending_bytes_[0] <= kMaxPendingBytes / 2 && pending_bytes_[1] <= kMaxPendingBytes / 2; }

  // Empties one ring into batches. Returns how many records it took.
  uint64_t Drain(uint32_t ring) {
    uint64_t taken = 0;
    while (sn_ring_used(&loader.rings[ring]) > 0) {
      if (Full(ring)) {
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
      Push(std::move(batch));
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
    if (taken[0] + taken[1] == 0) return;
    std::unique_lock<std::mutex> lock(mutex_);
    Signal(&lock);
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
    last_poll_ns_ = now;
    if (found.empty()) return;
    std::unique_lock<std::mutex> lock(mutex_);
    losses_.insert(losses_.end(), found.begin(), found.end());
    Signal(&lock);
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

  // Sleeps until there is something to do. A wake-up costs two context switches and a turn of the event loop, some
  // 60 us, whatever it carries, and the workload an interrupt; so the busier it is, the more it should carry.
  //   at rest        every record wakes us: decided within 0.2 ms
  //   some load      records gather for 10 ms, one that something waits for ends that
  //   much load      for 4 ms, so that decisions stay within 5 ms
  //   execution storm  the same for urgent records, 2 ms: waking for each would be most of its cost
  void Rest(bool taken) {
    double rate = per_second_[0] + per_second_[1];
    if (rate < kRestRate) {
      // One that read "busy" just before we set this, and is written just after we looked, would not wake us: so the
      // first sleep of a quiet spell is short.
      SetIdle(2, 2);
      if (Empty()) Sleep(taken ? 2 : 500);
    } else if (per_second_[0] > kStormRate) {
      SetIdle(0, 0);
      Sleep(2);
    } else {
      SetIdle(1, 0);
      if (sn_ring_used(&loader.rings[0]) == 0) Sleep(rate < kBusyRate ? 10 : 4);
    }
  }

  void Run() {
    pthread_setname_np(pthread_self(), "sentinel-bpf");
    int64_t now = Now(CLOCK_BOOTTIME);
    last_poll_ns_ = rate_since_ns_ = now;
    RefreshClock(now);
    while (!stopping_) {
      SetIdle(0, 0);
      uint64_t taken[2];
      DrainAll(taken);
      now = Now(CLOCK_BOOTTIME);
      RefreshClock(now);
      if (now - last_poll_ns_ > kSecondNs / 8) CollectLosses(now);
      CountRates(now, taken);
      if (Full(SN_RING_SECURITY) || Full(SN_RING_OBSERVABILITY)) {
        // JavaScript is behind: look again when there is room, and soon for the other lane's sake.
        std::unique_lock<std::mutex> lock(mutex_);
        room_.wait_for(lock, std::chrono::milliseconds(5), [this] { return Roomy() || stopping_; });
      } else {
        Rest(taken[0] + taken[1] > 0);
      }
    }
    sn_loader_detach(&loader);
    for (int quiet = 0; quiet < 2;) {
      uint64_t taken[2];
      DrainAll(taken);
      if (Full(SN_RING_SECURITY) || Full(SN_RING_OBSERVABILITY)) {
        std::unique_lock<std::mutex> lock(mutex_);
        // Bounded, in case JavaScript never comes back.
        if (!room_.wait_for(lock, std::chrono::seconds(10), [this] { return Roomy(); })) break;
        continue;
      }
      quiet = taken[0] + taken[1] ? 0 : quiet + 1;
    }
    CollectLosses(Now(CLOCK_BOOTTIME));
    std::unique_lock<std::mutex> lock(mutex_);
    ended_ = true;
    // Whatever call is under way may have looked before this.
    lock.unlock();
    Call();
  }
};

const char *FailureCode(sn_failure failure) {
  switch (failure) {
    case SN_FAIL_OBJECT:
      return "object";
    case SN_FAIL_BTF:
      return "no_btf";
    case SN_FAIL_PERMISSION:
      return "permission";
    case SN_FAIL_SCOPE:
      return "scope";
    default:
      return "kernel";
  }
}

Sensor *Unwrap(const Napi::CallbackInfo &info) { return info[0].As<Napi::External<Sensor>>().Data(); }

Napi::Value Throw(Napi::Env env, sn_failure failure, const std::string &message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, FailureCode(failure)));
  error.ThrowAsJavaScriptException();
  return env.Undefined();
}

uint64_t Number(const Napi::Object &object, const char *name) {
  Napi::Value value = object.Get(name);
  return value.IsNumber() ? static_cast<uint64_t>(value.As<Napi::Number>().Int64Value()) : 0;
}

// load(options) -> handle. Throws an error whose `code` is object, no_btf, permission, scope or kernel.
Napi::Value Load(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Napi::Object input = info[0].As<Napi::Object>();
  std::string object = input.Get("objectPath").As<Napi::String>();
  std::string cgroup = input.Get("cgroupPath").IsString() ? input.Get("cgroupPath").As<Napi::String>() : std::string();
  std::vector<std::string> names;
  std::vector<sn_watch> watches;
  std::vector<sn_exe> noise;
  Napi::Array watch_list = input.Get("watches").As<Napi::Array>();
  for (uint32_t i = 0; i < watch_list.Length(); i++)
    names.push_back(watch_list.Get(i).As<Napi::Object>().Get("name").As<Napi::String>());
  for (uint32_t i = 0; i < watch_list.Length(); i++)
    watches.push_back({names[i].c_str(), static_cast<uint32_t>(Number(watch_list.Get(i).As<Napi::Object>(), "bits"))});
  Napi::Array noise_list = input.Get("noise").As<Napi::Array>();
  for (uint32_t i = 0; i < noise_list.Length(); i++) {
    Napi::Object item = noise_list.Get(i).As<Napi::Object>();
    noise.push_back({Number(item, "dev"), Number(item, "inode")});
  }
  sn_loader_options options{};
  options.object_path = object.c_str();
  options.cgroup_path = cgroup.empty() ? nullptr : cgroup.c_str();
  options.scope_pid = static_cast<uint32_t>(Number(input, "scopePid"));
  options.config.scope_kind = static_cast<uint32_t>(Number(input, "scopeKind"));
  options.config.read_opens = static_cast<uint32_t>(Number(input, "readOpens"));
  options.config.rate_limit = static_cast<uint32_t>(Number(input, "rateLimit"));
  options.watches = watches.data();
  options.watch_count = watches.size();
  options.noise = noise.data();
  options.noise_count = noise.size();

  auto sensor = std::make_unique<Sensor>();
  sn_failure failure = sn_loader_load(&sensor->loader, &options);
  if (failure == SN_OK) failure = sn_loader_attach(&sensor->loader);
  // The kernel's BTF was parsed for this, some 10 MB that nobody needs any more.
  malloc_trim(0);
  if (failure != SN_OK) return Throw(env, failure, sensor->loader.error);
  return Napi::External<Sensor>::New(env, sensor.release(), [](Napi::Env, Sensor *it) { delete it; });
}

// snapshot(handle) -> Buffer of snapshot records, or throws.
Napi::Value Snapshot(const Napi::CallbackInfo &info) {
  uint8_t *bytes = nullptr;
  long length = sn_loader_snapshot(&Unwrap(info)->loader, &bytes);
  if (length < 0)
    return Throw(info.Env(), SN_FAIL_KERNEL, std::string("the task iterator failed: ") + strerror(-length));
  Napi::Value copy = Napi::Buffer<uint8_t>::Copy(info.Env(), bytes, length);
  free(bytes);
  return copy;
}

// start(handle, deliver, appender?) starts the reader; see BpfAddon in index.ts for what deliver gets.
Napi::Value Start(const Napi::CallbackInfo &info) {
  Sensor *sensor = Unwrap(info);
  if (info.Length() > 2 && info[2].IsExternal()) {
    swal_appender *appender = info[2].As<Napi::External<swal_appender>>().Data();
    if (appender->abi != SWAL_APPENDER_ABI)
      return Throw(info.Env(), SN_FAIL_KERNEL, "the log's native interface is of another version; rebuild");
    sensor->appender = appender;
  }
  sensor->Start(info.Env(), info[1].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Value Stop(const Napi::CallbackInfo &info) {
  Unwrap(info)->Stop();
  return info.Env().Undefined();
}

// status(handle) -> hooks, rings and counters.
Napi::Value Status(const Napi::CallbackInfo &info) {
  static const char *const kStates[] = {"missing", "active", "replaced"};
  Napi::Env env = info.Env();
  Sensor *sensor = Unwrap(info);
  sn_loader *loader = &sensor->loader;
  uint64_t lost_by_ring[2] = {0, 0}, next[2] = {0, 0};
  Napi::Array hooks = Napi::Array::New(env, loader->hook_count);
  for (uint32_t i = 0; i < loader->hook_count; i++) {
    const sn_hook_info &hook = loader->hooks[i];
    uint64_t events = 0, lost = 0;
    for (size_t cpu = 0; cpu < loader->cpu_count; cpu++) {
      const sn_hook_counter &c = loader->cpus[cpu].hook[hook.id];
      events += c.emitted[0] + c.emitted[1];
      lost += c.lost_full[0] + c.lost_full[1] + c.lost_rate + c.lost_blind;
      lost_by_ring[0] += c.lost_full[0] + c.lost_blind;
      lost_by_ring[1] += c.lost_full[1] + c.lost_rate;
    }
    Napi::Object item = Napi::Object::New(env);
    item.Set("name", hook.name);
    item.Set("attach", hook.attach);
    item.Set("state", kStates[hook.state]);
    if (hook.detail[0]) item.Set("detail", static_cast<const char *>(hook.detail));
    item.Set("events", static_cast<double>(events));
    item.Set("lost", static_cast<double>(lost));
    hooks.Set(i, item);
  }
  Napi::Array rings = Napi::Array::New(env, 2);
  for (uint32_t ring = 0; ring < 2; ring++) {
    for (size_t cpu = 0; cpu < loader->cpu_count; cpu++) next[ring] += loader->cpus[cpu].next[ring];
    Napi::Object item = Napi::Object::New(env);
    item.Set("name", ring == 0 ? "rb_sec" : "rb_obs");
    item.Set("usedBytes", static_cast<double>(sn_ring_used(&loader->rings[ring])));
    item.Set("sizeBytes", static_cast<double>(loader->rings[ring].size));
    item.Set("lost", static_cast<double>(lost_by_ring[ring]));
    item.Set("tried", static_cast<double>(next[ring]));
    rings.Set(ring, item);
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("hooks", hooks);
  result.Set("rings", rings);
  result.Set("lsm", loader->lsm_active > 0);
  result.Set("batches", static_cast<double>(sensor->batches));
  result.Set("records", static_cast<double>(sensor->records));
  result.Set("wakeups", static_cast<double>(sensor->wakeups));
  result.Set("heldBack", static_cast<double>(sensor->held_back));
  result.Set("appendFailures", static_cast<double>(sensor->append_failures));
  result.Set("clockSteps", static_cast<double>(sensor->clock_steps));
  result.Set("wallOffsetNs", Napi::BigInt::New(env, sensor->wall_offset()));
  return result;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("abi", Napi::Number::New(env, 1));
  exports.Set("load", Napi::Function::New(env, Load));
  exports.Set("snapshot", Napi::Function::New(env, Snapshot));
  exports.Set("start", Napi::Function::New(env, Start));
  exports.Set("stop", Napi::Function::New(env, Stop));
  exports.Set("status", Napi::Function::New(env, Status));
  return exports;
}

}  // namespace

NODE_API_MODULE(sentinel_bpf, Init)
