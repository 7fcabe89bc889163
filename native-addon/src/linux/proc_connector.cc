// The kernel's process connector (netlink, CN_IDX_PROC): fork, exec, exit, id changes and ptrace, without eBPF.
//
// A thread of its own reads the socket and, because the messages hold only pids, /proc at once. Finished records wait
// in a list that JavaScript empties with take(); it is told once per filling. Bounds: when kMaxPendingBytes wait, the
// thread stops reading, the socket overflows and the kernel's per-CPU message numbers say how many were lost. So what
// is lost is counted exactly, in messages (threads' messages included).
//
// Needs the initial user and pid namespaces, and CAP_NET_ADMIN on kernels before 6.6.
#include "linux/proc_connector.h"

#include <dirent.h>
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "linux/proc_reader.h"

namespace sentinel {
namespace {

constexpr size_t kMaxPendingBytes = 32u << 20;
constexpr size_t kBatchBytes = 256u << 10;
constexpr size_t kMaxProcesses = 131072;
constexpr int kReceiveBytes = 8 << 20;
constexpr int kMessages = 64;
constexpr uint32_t kPtraceAttach = 16;

uint64_t clockNs(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000ull + static_cast<uint64_t>(time.tv_nsec);
}

struct Batch {
  std::vector<uint8_t> bytes;
  uint32_t count = 0;
};

struct Loss {
  uint32_t cpu, count;
  uint64_t fromBootNs, toBootNs;
};

struct Process {
  uint64_t startNs = 0;
  uint32_t ppid = 0;
  uint32_t uid = SN_UNKNOWN_ID, euid = SN_UNKNOWN_ID, gid = SN_UNKNOWN_ID, egid = SN_UNKNOWN_ID;
  uint64_t cgroup = 0;
  char comm[SN_COMM_LEN] = {};
};

struct Options {
  std::string cgroupMount;
  // Only these processes and their descendants; all when `everything`.
  bool everything = true;
  std::vector<uint32_t> members;
  int receiveBytes = kReceiveBytes;
};

class Connector {
 public:
  Connector(Options options, std::function<void()> signal)
      : reader_(options.cgroupMount),
        everything_(options.everything),
        members_(options.members.begin(), options.members.end()),
        receiveBytes_(options.receiveBytes),
        signal_(std::move(signal)) {}

  ~Connector() { stop(); }

  // Empty on success, else what failed.
  std::string start() {
    socket_ = socket(PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
    if (socket_ < 0) return std::string("the netlink connector is not there: ") + strerror(errno);
    if (setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &receiveBytes_, sizeof receiveBytes_) != 0) {
      setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receiveBytes_, sizeof receiveBytes_);
    }
    sockaddr_nl address = {};
    address.nl_family = AF_NETLINK;
    address.nl_groups = CN_IDX_PROC;
    if (bind(socket_, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0) {
      return std::string("process events need CAP_NET_ADMIN, or Linux 6.6 or later: ") + strerror(errno);
    }
    const std::string refused = listen(PROC_CN_MCAST_LISTEN);
    if (!refused.empty()) return refused;
    const std::string unanswered = awaitAcknowledgement();
    if (!unanswered.empty()) return unanswered;
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_ < 0) return std::string("no eventfd: ") + strerror(errno);
    // After subscribing, so that nobody falls between the listing and the first event.
    learnAll();
    thread_ = std::thread([this] { run(); });
    return "";
  }

  void stop() {
    if (thread_.joinable()) {
      stopping_ = true;
      const uint64_t one = 1;
      if (write(wake_, &one, sizeof one) < 0) { /* already signalled */
      }
      room_.notify_all();
      thread_.join();
    }
    if (socket_ >= 0) {
      listen(PROC_CN_MCAST_IGNORE);
      close(socket_);
    }
    if (wake_ >= 0) close(wake_);
    socket_ = wake_ = -1;
  }

  void take(std::vector<Batch> &batches, std::vector<Loss> &losses) {
    const std::lock_guard<std::mutex> lock(mutex_);
    signalled_ = false;
    batches.swap(pending_);
    losses.swap(losses_);
    pendingBytes_ = 0;
    room_.notify_all();
  }

  struct Stats {
    std::atomic<uint64_t> records{0}, lost{0}, overruns{0}, vanished{0};
    std::atomic<int> failure{0};  // errno that ended the thread
  } stats;

 private:
  std::string listen(proc_cn_mcast_op op) {
    alignas(8) uint8_t request[sizeof(nlmsghdr) + sizeof(cn_msg) + sizeof op] = {};
    nlmsghdr header = {};
    header.nlmsg_len = sizeof request;
    header.nlmsg_type = NLMSG_DONE;
    header.nlmsg_pid = static_cast<uint32_t>(getpid());
    cn_msg message = {};
    message.id.idx = CN_IDX_PROC;
    message.id.val = CN_VAL_PROC;
    message.len = sizeof op;
    memcpy(request, &header, sizeof header);
    memcpy(request + sizeof header, &message, sizeof message);
    memcpy(request + sizeof header + sizeof message, &op, sizeof op);
    if (send(socket_, request, sizeof request, 0) != sizeof request) {
      return std::string("subscribing to process events failed: ") + strerror(errno);
    }
    return "";
  }

  // The kernel answers a subscription, except one from another namespace, which it ignores without a word.
  std::string awaitAcknowledgement() {
    const uint64_t deadlineNs = clockNs(CLOCK_MONOTONIC) + 500000000ull;
    while (!acknowledged_) {
      const uint64_t nowNs = clockNs(CLOCK_MONOTONIC);
      pollfd wait = {socket_, POLLIN, 0};
      if (nowNs >= deadlineNs || poll(&wait, 1, static_cast<int>((deadlineNs - nowNs) / 1000000 + 1)) <= 0) {
        return "the kernel does not answer: process events go to the initial user and pid namespaces only "
               "(not into containers)";
      }
      alignas(8) uint8_t bytes[512];
      sockaddr_nl sender = {};
      socklen_t length = sizeof sender;
      const ssize_t got = recvfrom(socket_, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr *>(&sender), &length);
      if (got > 0 && sender.nl_pid == 0) handleDatagram(bytes, static_cast<size_t>(got));
    }
    if (acknowledgedError_ == 0) return "";
    return std::string("the kernel refused to tell process events: ") + strerror(static_cast<int>(acknowledgedError_));
  }

  void learnAll() {
    DIR *directory = opendir("/proc");
    if (directory == nullptr) return;
    while (const dirent *entry = readdir(directory)) {
      const pid_t pid = atoi(entry->d_name);
      if (pid > 0) learn(pid);
    }
    closedir(directory);
  }

  Process &learn(pid_t pid) {
    Process &process = processes_[pid];
    const ProcStat stat = readProcStat(pid);
    if (stat.found) {
      process.startNs = stat.startNs;
      process.ppid = stat.ppid;
      memcpy(process.comm, stat.comm, sizeof process.comm);
      const ProcIds ids = readProcIds(pid);
      process.uid = ids.uid[0];
      process.euid = ids.uid[1];
      process.gid = ids.gid[0];
      process.egid = ids.gid[1];
    }
    return process;
  }

  Process &known(pid_t pid) {
    const auto found = processes_.find(pid);
    return found != processes_.end() ? found->second : learn(pid);
  }

  void run() {
    struct Slot {
      alignas(8) uint8_t bytes[512];
    };
    std::vector<Slot> slots(kMessages);
    std::vector<iovec> vectors(kMessages);
    std::vector<sockaddr_nl> senders(kMessages);
    std::vector<mmsghdr> messages(kMessages);
    for (int i = 0; i < kMessages; ++i) {
      vectors[i] = {slots[i].bytes, sizeof slots[i].bytes};
      messages[i] = {};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      messages[i].msg_hdr.msg_name = &senders[i];
    }
    // Told to stop, it still reads what waits in the socket, but not for ever.
    for (int roundsLeft = 1000; roundsLeft > 0; roundsLeft -= stopping_ ? 1 : 0) {
      for (auto &message : messages) message.msg_hdr.msg_namelen = sizeof(sockaddr_nl);
      const int got = recvmmsg(socket_, messages.data(), kMessages, MSG_DONTWAIT, nullptr);
      if (got < 0 && errno == ENOBUFS) {
        ++stats.overruns;
        continue;
      }
      if (got <= 0) {
        if (got < 0 && errno != EAGAIN && errno != EINTR) {
          stats.failure = errno;
          break;
        }
        flush();
        if (stopping_) return;
        pollfd waits[2] = {{socket_, POLLIN, 0}, {wake_, POLLIN, 0}};
        poll(waits, 2, -1);
        continue;
      }
      for (int i = 0; i < got; ++i) {
        // Only the kernel speaks on port 0; anybody else is a forger.
        if (senders[i].nl_pid == 0) handleDatagram(slots[i].bytes, messages[i].msg_len);
      }
      if (batch_.bytes.size() >= kBatchBytes) flush();
    }
    flush();
  }

  void handleDatagram(const uint8_t *bytes, size_t length) {
    constexpr size_t kPrefix = sizeof(nlmsghdr) + sizeof(cn_msg);
    if (length < kPrefix + offsetof(proc_event, event_data)) return;
    cn_msg message;
    memcpy(&message, bytes + sizeof(nlmsghdr), sizeof message);
    if (message.id.idx != CN_IDX_PROC || message.id.val != CN_VAL_PROC) return;
    proc_event event = {};
    memcpy(&event, bytes + kPrefix, std::min(sizeof event, length - kPrefix));
    // Acknowledgements (of anybody's subscription) are not numbered like events.
    if (event.what == proc_event::PROC_EVENT_NONE) {
      if (!acknowledged_) acknowledgedError_ = event.event_data.ack.err;
      acknowledged_ = true;
      return;
    }
    const uint64_t bootNs = event.timestamp_ns + (clockNs(CLOCK_BOOTTIME) - clockNs(CLOCK_MONOTONIC));
    countLost(event.cpu, message.seq, bootNs);
    handle(event, bootNs);
  }

  void countLost(uint32_t cpu, uint32_t seq, uint64_t bootNs) {
    if (cpu >= cpus_.size()) {
      if (cpu > 65535) return;
      cpus_.resize(cpu + 1);
    }
    Cpu &state = cpus_[cpu];
    const uint32_t missing = seq - state.nextSeq;
    // Numbers may also step back by a few: an interrupt's message can overtake the one it interrupted.
    if (state.seen && missing != 0 && missing < 0x80000000u) {
      stats.lost += missing;
      const std::lock_guard<std::mutex> lock(mutex_);
      losses_.push_back({cpu, missing, state.lastBootNs, bootNs});
    }
    if (!state.seen || missing < 0x80000000u) state.nextSeq = seq + 1;
    state.seen = true;
    state.lastBootNs = bootNs;
  }

  void handle(const proc_event &event, uint64_t bootNs) {
    const auto &data = event.event_data;
    switch (event.what) {
      case proc_event::PROC_EVENT_FORK:
        if (data.fork.child_pid == data.fork.child_tgid) {
          forked(data.fork.child_tgid, data.fork.parent_tgid, bootNs);
        }
        break;
      case proc_event::PROC_EVENT_EXEC:
        executed(data.exec.process_tgid, bootNs);
        break;
      case proc_event::PROC_EVENT_EXIT:
        if (data.exit.process_pid == data.exit.process_tgid) {
          exited(data.exit.process_tgid, data.exit.exit_code, bootNs);
        }
        break;
      case proc_event::PROC_EVENT_UID:
        if (data.id.process_pid == data.id.process_tgid) idsChanged(data.id.process_tgid, SN_SETUID, bootNs);
        break;
      case proc_event::PROC_EVENT_GID:
        if (data.id.process_pid == data.id.process_tgid) idsChanged(data.id.process_tgid, SN_SETGID, bootNs);
        break;
      case proc_event::PROC_EVENT_PTRACE:
        if (data.ptrace.tracer_tgid != 0) traced(data.ptrace.tracer_tgid, data.ptrace.process_tgid, bootNs);
        break;
      case proc_event::PROC_EVENT_COMM: {
        if (data.comm.process_pid != data.comm.process_tgid) break;
        Process &process = known(data.comm.process_tgid);
        memcpy(process.comm, data.comm.comm, sizeof process.comm);
        process.comm[SN_COMM_LEN - 1] = 0;
        break;
      }
      default:
        break;  // sessions, core dumps (their exit follows), what newer kernels add
    }
  }

  bool inScope(pid_t pid) const { return everything_ || members_.count(static_cast<uint32_t>(pid)) != 0; }

  // Starts a record: appends a header for `process` and returns where it begins.
  size_t begin(uint8_t type, pid_t pid, const Process &process, uint64_t bootNs) {
    const size_t at = batch_.bytes.size();
    sn_header header = {};
    header.type = type;
    header.ver = SN_VERSION;
    header.ts = bootNs;
    header.start = process.startNs;
    header.tgid = static_cast<uint32_t>(pid);
    header.tid = static_cast<uint32_t>(pid);
    header.uid = process.uid;
    header.euid = process.euid;
    header.cgroup = process.cgroup;
    const uint8_t *from = reinterpret_cast<const uint8_t *>(&header);
    batch_.bytes.insert(batch_.bytes.end(), from, from + sizeof header);
    return at;
  }

  // Finishes a record whose body is `body` (which begins with the header).
  template <typename Body>
  void finish(size_t at, Body &body) {
    memcpy(&body.h, batch_.bytes.data() + at, sizeof body.h);
    batch_.bytes.resize(at + sizeof body);
    memcpy(batch_.bytes.data() + at, &body, sizeof body);
    closeRecord(batch_.bytes, at);
    ++batch_.count;
    ++stats.records;
  }

  void forked(pid_t pid, pid_t ppid, uint64_t bootNs) {
    if (processes_.size() >= kMaxProcesses) {
      // Exits were lost: begin anew with those that are there.
      processes_.clear();
      learnAll();
    }
    const Process parent = known(ppid);
    Process &child = processes_[pid];
    child = parent;
    child.ppid = static_cast<uint32_t>(ppid);
    const ProcStat stat = readProcStat(pid);
    // The message follows the start within microseconds, so its tick is the process's unless a tick ended between.
    child.startNs = stat.found ? stat.startNs : bootNs / kTickNs * kTickNs;
    if (!everything_) {
      if (!inScope(ppid)) return;
      members_.insert(static_cast<uint32_t>(pid));
    }
    const size_t at = begin(SN_FORK, pid, child, bootNs);
    sn_fork body = {};
    body.parent_start = body.creator_start = parent.startNs;
    body.ppid = body.creator_pid = static_cast<uint32_t>(ppid);
    memcpy(body.comm, child.comm, sizeof body.comm);
    finish(at, body);
  }

  void executed(pid_t pid, uint64_t bootNs) {
    Process &process = known(pid);
    if (!inScope(pid)) return;
    ProcStat stat = readProcStat(pid);
    const bool same = stat.found && (process.startNs == 0 || stat.startNs == process.startNs);
    if (process.startNs == 0 && stat.found) process.startNs = stat.startNs;
    if (!same) {
      // Gone (or its pid taken) before it could be read: what is known of the fork must do.
      stat = {};
      stat.ppid = process.ppid;
      stat.startNs = process.startNs;
      memcpy(stat.comm, process.comm, sizeof stat.comm);
    } else {
      memcpy(process.comm, stat.comm, sizeof process.comm);
    }
    const auto parent = processes_.find(static_cast<pid_t>(process.ppid));
    const uint64_t parentStart = parent == processes_.end() ? 0 : parent->second.startNs;
    const size_t at = begin(SN_EXEC, pid, process, bootNs);
    // pid 0 does not exist, so nothing of another process is read.
    if (!reader_.appendProc(batch_.bytes, at, stat, same ? pid : 0, parentStart)) ++stats.vanished;
    sn_header header;
    memcpy(&header, batch_.bytes.data() + at, sizeof header);
    if (header.uid == SN_UNKNOWN_ID) {
      header.uid = process.uid;
      header.euid = process.euid;
      memcpy(batch_.bytes.data() + at, &header, sizeof header);
    } else {
      process.uid = header.uid;
      process.euid = header.euid;
      process.cgroup = header.cgroup;
    }
    ++batch_.count;
    ++stats.records;
  }

  void exited(pid_t pid, uint32_t status, uint64_t bootNs) {
    const Process process = known(pid);
    processes_.erase(pid);
    const bool wanted = inScope(pid);
    members_.erase(static_cast<uint32_t>(pid));
    if (!wanted) return;
    const size_t at = begin(SN_EXIT, pid, process, bootNs);
    sn_exit body = {};
    body.status = status;
    body.ppid = process.ppid;
    memcpy(body.comm, process.comm, sizeof body.comm);
    finish(at, body);
  }

  void idsChanged(pid_t pid, uint8_t type, uint64_t bootNs) {
    Process &process = known(pid);
    const Process before = process;
    const ProcIds ids = readProcIds(pid);
    if (!ids.found) return;
    // Only the kind this message is about: the other has a message of its own.
    const bool user = type == SN_SETUID;
    if (user) {
      process.uid = ids.uid[0];
      process.euid = ids.uid[1];
    } else {
      process.gid = ids.gid[0];
      process.egid = ids.gid[1];
    }
    const bool changed = user ? before.uid != process.uid || before.euid != process.euid
                              : before.gid != process.gid || before.egid != process.egid;
    if (!changed || !inScope(pid)) return;
    const size_t at = begin(type, pid, process, bootNs);
    sn_rare body = {};
    const uint32_t *now = user ? ids.uid : ids.gid;
    for (int i = 0; i < 3; ++i) body.a[i] = now[i];
    body.a[3] = user ? before.uid : before.gid;
    body.a[4] = user ? before.euid : before.egid;
    memcpy(body.comm, process.comm, sizeof body.comm);
    body.target_uid = SN_UNKNOWN_ID;
    finish(at, body);
  }

  void traced(pid_t tracer, pid_t target, uint64_t bootNs) {
    const Process subject = known(target);
    const Process &process = known(tracer);
    if (!inScope(tracer) && !inScope(target)) return;
    const size_t at = begin(SN_PTRACE, tracer, process, bootNs);
    sn_rare body = {};
    body.target_pid = static_cast<uint32_t>(target);
    body.target_start = subject.startNs;
    body.target_uid = subject.uid;
    body.a[0] = kPtraceAttach;
    memcpy(body.comm, process.comm, sizeof body.comm);
    memcpy(body.target_comm, subject.comm, sizeof body.target_comm);
    finish(at, body);
  }

  void flush() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (batch_.count > 0) {
      pendingBytes_ += batch_.bytes.size();
      pending_.push_back(std::move(batch_));
      batch_ = {};
    }
    if ((!pending_.empty() || !losses_.empty()) && !signalled_) {
      signalled_ = true;
      signal_();
    }
    room_.wait(lock, [this] { return pendingBytes_ < kMaxPendingBytes || stopping_; });
  }

  struct Cpu {
    bool seen = false;
    uint32_t nextSeq = 0;
    uint64_t lastBootNs = 0;
  };

  ProcReader reader_;
  bool everything_;
  std::unordered_set<uint32_t> members_;
  int receiveBytes_;
  std::function<void()> signal_;
  int socket_ = -1, wake_ = -1;
  bool acknowledged_ = false;
  uint32_t acknowledgedError_ = 0;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  // The thread's own.
  std::unordered_map<pid_t, Process> processes_;
  std::vector<Cpu> cpus_;
  Batch batch_;
  // Shared.
  std::mutex mutex_;
  std::condition_variable room_;
  std::vector<Batch> pending_;
  std::vector<Loss> losses_;
  size_t pendingBytes_ = 0;
  bool signalled_ = false;
};

class ProcConnectorWrap final : public Napi::ObjectWrap<ProcConnectorWrap> {
 public:
  static void define(Napi::Env env, Napi::Object exports) {
    exports.Set("NativeProcConnector",
                DefineClass(env, "NativeProcConnector",
                            {InstanceMethod("start", &ProcConnectorWrap::start),
                             InstanceMethod("take", &ProcConnectorWrap::take),
                             InstanceMethod("stop", &ProcConnectorWrap::stop),
                             InstanceMethod("stats", &ProcConnectorWrap::stats)}));
  }

  explicit ProcConnectorWrap(const Napi::CallbackInfo &info) : Napi::ObjectWrap<ProcConnectorWrap>(info) {
    if (info.Length() < 2 || !info[0].IsObject() || !info[1].IsFunction()) {
      throw Napi::TypeError::New(info.Env(), "NativeProcConnector needs (options, onReady)");
    }
    const Napi::Object given = info[0].As<Napi::Object>();
    Options options;
    if (given.Get("cgroupMount").IsString()) options.cgroupMount = given.Get("cgroupMount").As<Napi::String>();
    if (given.Get("members").IsArray()) {
      options.everything = false;
      const Napi::Array list = given.Get("members").As<Napi::Array>();
      for (uint32_t i = 0; i < list.Length(); ++i) {
        options.members.push_back(Napi::Value(list[i]).ToNumber().Uint32Value());
      }
    }
    if (given.Get("receiveBytes").IsNumber()) options.receiveBytes = given.Get("receiveBytes").ToNumber().Int32Value();
    ready_ = Napi::ThreadSafeFunction::New(info.Env(), info[1].As<Napi::Function>(), "sentinel:proc-connector", 1, 1);
    ready_.Unref(info.Env());
    connector_ = std::make_unique<Connector>(std::move(options), [this] { ready_.NonBlockingCall(); });
  }

  ~ProcConnectorWrap() override { release(); }

 private:
  Napi::Value start(const Napi::CallbackInfo &info) {
    const std::string failure = connector_ == nullptr ? "stopped already" : connector_->start();
    if (!failure.empty()) {
      release();
      throw Napi::Error::New(info.Env(), failure);
    }
    return info.Env().Undefined();
  }

  Napi::Value take(const Napi::CallbackInfo &info) {
    const Napi::Env env = info.Env();
    std::vector<Batch> batches;
    std::vector<Loss> losses;
    if (connector_ != nullptr) connector_->take(batches, losses);
    Napi::Array batchList = Napi::Array::New(env);
    for (const Batch &batch : batches) {
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("bytes", Napi::Buffer<uint8_t>::Copy(env, batch.bytes.data(), batch.bytes.size()));
      entry.Set("count", batch.count);
      batchList.Set(batchList.Length(), entry);
    }
    Napi::Array lossList = Napi::Array::New(env);
    for (const Loss &loss : losses) {
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("cpu", loss.cpu);
      entry.Set("count", loss.count);
      entry.Set("fromBootNs", Napi::BigInt::New(env, loss.fromBootNs));
      entry.Set("toBootNs", Napi::BigInt::New(env, loss.toBootNs));
      lossList.Set(lossList.Length(), entry);
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("batches", batchList);
    result.Set("losses", lossList);
    return result;
  }

  // Ends the thread; what it has collected can still be taken.
  Napi::Value stop(const Napi::CallbackInfo &info) {
    if (connector_ != nullptr) connector_->stop();
    if (ready_) ready_.Release();
    ready_ = Napi::ThreadSafeFunction();
    return info.Env().Undefined();
  }

  Napi::Value stats(const Napi::CallbackInfo &info) {
    Napi::Object result = Napi::Object::New(info.Env());
    if (connector_ == nullptr) return result;
    const auto set = [&](const char *name, uint64_t value) { result.Set(name, static_cast<double>(value)); };
    set("records", connector_->stats.records);
    set("lost", connector_->stats.lost);
    set("overruns", connector_->stats.overruns);
    set("vanished", connector_->stats.vanished);
    set("failure", static_cast<uint64_t>(connector_->stats.failure));
    return result;
  }

  void release() {
    if (connector_ != nullptr) connector_->stop();
    connector_.reset();
    if (ready_) ready_.Release();
    ready_ = Napi::ThreadSafeFunction();
  }

  Napi::ThreadSafeFunction ready_;
  std::unique_ptr<Connector> connector_;
};

}  // namespace

void registerProcConnector(Napi::Env env, Napi::Object exports) { ProcConnectorWrap::define(env, exports); }

}  // namespace sentinel
