// The kernel's process connector (netlink, CN_IDX_PROC): fork, exec, exit, id changes and ptrace, without eBPF.
//
// A thread of its own reads the socket and, because the messages hold only pids, /proc at once. Finished records wait
// in a list that JavaScript empties with take(); it is told once per filling. Bounds: when kMaxPendingBytes wait, the
// thread stops reading, the socket overflows, and what the kernel drops is counted exactly (proc_socket.h), in messages
// (threads' messages included).
//
// Needs the initial user and pid namespaces, and CAP_NET_ADMIN on kernels before 6.6.
#include "linux/proc_connector.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "linux/proc_socket.h"
#include "linux/proc_tracker.h"

namespace sentinel {
namespace {

constexpr size_t kMaxPendingBytes = 32u << 20;
constexpr size_t kBatchBytes = 256u << 10;
constexpr int kReceiveBytes = 8 << 20;
constexpr int kAfterOverrunMs = 50;

struct Options {
  std::string cgroupMount;
  // Only these processes and their descendants; all when `everything`.
  bool everything = true;
  std::vector<uint32_t> members;
  int receiveBytes = kReceiveBytes;
};

class Connector {
 public:
  Connector(const Options &options, std::function<void()> signal)
      : tracker_(options.cgroupMount, options.everything, options.members),
        source_([this](const proc_event &event, uint64_t bootNs) { tracker_.handle(event, bootNs); },
                [this](const Loss &loss) {
                  const std::lock_guard<std::mutex> lock(mutex_);
                  losses_.push_back(loss);
                }),
        receiveBytes_(options.receiveBytes),
        signal_(std::move(signal)) {}

  ~Connector() { stop(); }

  // Empty on success, else what failed.
  std::string start() {
    const std::string refused = source_.open(receiveBytes_);
    if (!refused.empty()) return refused;
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_ < 0) return std::string("no eventfd: ") + strerror(errno);
    tracker_.learnAll();
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
    source_.close();
    if (wake_ >= 0) close(wake_);
    wake_ = -1;
  }

  void take(std::vector<Batch> &batches, std::vector<Loss> &losses) {
    const std::lock_guard<std::mutex> lock(mutex_);
    signalled_ = false;
    batches.swap(pending_);
    losses.swap(losses_);
    pendingBytes_ = 0;
    room_.notify_all();
  }

  uint64_t records() const { return tracker_.records; }
  uint64_t vanished() const { return tracker_.vanished; }
  uint64_t lost() const { return source_.lost; }
  uint64_t overruns() const { return source_.overruns; }
  int failure() const { return failure_; }

 private:
  void run() {
    // Told to stop, it still reads what waits in the socket, but not for ever.
    for (int roundsLeft = 1000; roundsLeft > 0; roundsLeft -= stopping_ ? 1 : 0) {
      const int got = source_.read();
      if (got < 0) {
        failure_ = -got;
        break;
      }
      if (got > 0) {
        if (tracker_.batch.bytes.size() >= kBatchBytes) flush();
        continue;
      }
      flush();
      if (stopping_) return;
      pollfd waits[2] = {{source_.descriptor(), POLLIN, 0}, {wake_, POLLIN, 0}};
      // A drop that raced with emptying the socket wakes nobody: look once more a little later.
      poll(waits, 2, source_.takeOverrun() ? kAfterOverrunMs : -1);
    }
    flush();
  }

  // What cannot be assigned to the scope or to somebody else is stated like what was lost.
  void stateUnassigned() {
    if (tracker_.unassigned == 0) return;
    const uint64_t nowNs = clockNs(CLOCK_BOOTTIME);
    source_.lost += tracker_.unassigned;
    losses_.push_back({kUnknownCpu, static_cast<uint32_t>(tracker_.unassigned), nowNs, nowNs});
    tracker_.unassigned = 0;
  }

  void flush() {
    std::unique_lock<std::mutex> lock(mutex_);
    stateUnassigned();
    if (tracker_.batch.count > 0) {
      pendingBytes_ += tracker_.batch.bytes.size();
      pending_.push_back(std::move(tracker_.batch));
      tracker_.batch = {};
    }
    if ((!pending_.empty() || !losses_.empty()) && !signalled_) {
      signalled_ = true;
      signal_();
    }
    room_.wait(lock, [this] { return pendingBytes_ < kMaxPendingBytes || stopping_; });
  }

  ProcTracker tracker_;
  ProcSocket source_;
  int receiveBytes_;
  std::function<void()> signal_;
  int wake_ = -1;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> failure_{0};  // errno that ended the thread
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
    connector_ = std::make_unique<Connector>(options, [this] { ready_.NonBlockingCall(); });
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
      if (loss.cpu != kUnknownCpu) entry.Set("cpu", loss.cpu);
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
    set("records", connector_->records());
    set("lost", connector_->lost());
    set("overruns", connector_->overruns());
    set("vanished", connector_->vanished());
    set("failure", static_cast<uint64_t>(connector_->failure()));
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
