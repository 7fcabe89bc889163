// The queue between the reader's thread and JavaScript.
//
// Batches wait here by lane and the main thread is woken once, however many wait; it takes them kTurnBytes at a time,
// security first, so that other work gets its turn. A lane may hold kMaxPendingBytes; whoever fills it asks Full()
// before and stops, so memory is bounded and a flood on one lane costs the other nothing.
#ifndef SENTINEL_BPF_DELIVERY_H
#define SENTINEL_BPF_DELIVERY_H
#include <napi.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "sensor-abi.h"

namespace sentinel {

constexpr size_t kMaxPendingBytes = 12u << 20;  // of each lane
constexpr size_t kTurnBytes = 256u << 10;

struct Batch {
  uint32_t ring = 0;
  uint32_t count = 0;
  bool urgent = false;
  uint64_t first_seq = 0;
  int64_t wall_offset = 0;
  std::vector<uint8_t> bytes;
};

constexpr uint32_t kNoCpu = UINT32_MAX;

struct Loss {
  uint32_t ring;
  const char *cause;
  const char *hook;
  uint32_t cpu;
  uint64_t count;
  int64_t from_ns;
  int64_t to_ns;
};

class Delivery {
 public:
  // On the main thread, before anything else.
  void Open(Napi::Env env, Napi::Function deliver) {
    deliver_ = Napi::Persistent(deliver);
    context_ = std::make_unique<Napi::AsyncContext>(env, "sentinel_bpf");
    tsfn_ = Napi::ThreadSafeFunction::New(env, deliver, "sentinel_bpf", 0, 1);
  }

  // Queues a batch; Signal() makes it known.
  void Push(Batch &&batch) {
    std::lock_guard<std::mutex> lock(mutex_);
    pending_bytes_[batch.ring] += batch.bytes.size();
    pending_[batch.ring].push_back(std::move(batch));
  }

  void Push(const std::vector<Loss> &losses) {
    std::lock_guard<std::mutex> lock(mutex_);
    losses_.insert(losses_.end(), losses.begin(), losses.end());
  }

  void Signal() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (signalled_) return;
      signalled_ = true;
    }
    Call();
  }

  // On the main thread, outside of any call from JavaScript: hands over what waits without a signal to ourselves.
  void DeliverHere() {
    Napi::Env env = deliver_.Env();
    Napi::HandleScope handles(env);
    Napi::CallbackScope callback(env, *context_);
    try {
      Deliver(env, deliver_.Value());
    } catch (const Napi::Error &error) {
      napi_fatal_exception(env, error.Value());
    }
  }

  // Nothing comes any more: tells JavaScript after the last batch.
  void End() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ended_ = true;
    }
    // Whatever call is under way may have looked before this.
    Call();
  }

  bool Full(uint32_t ring) {
    std::lock_guard<std::mutex> lock(mutex_);
    return pending_bytes_[ring] > kMaxPendingBytes;
  }

  bool AnyFull() { return Full(SN_RING_SECURITY) || Full(SN_RING_OBSERVABILITY); }

  // Waits until both lanes are half empty, or `at_most` passed; says which.
  bool WaitForRoom(std::chrono::milliseconds at_most) {
    std::unique_lock<std::mutex> lock(mutex_);
    return room_.wait_for(lock, at_most, [this] {
      return pending_bytes_[0] <= kMaxPendingBytes / 2 && pending_bytes_[1] <= kMaxPendingBytes / 2;
    });
  }

  // Drops what waits: JavaScript is going away.
  void Abandon() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      pending_[0].clear();
      pending_[1].clear();
      pending_bytes_[0] = pending_bytes_[1] = 0;
    }
    room_.notify_all();
  }

 private:
  Napi::ThreadSafeFunction tsfn_;
  Napi::FunctionReference deliver_;
  std::unique_ptr<Napi::AsyncContext> context_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<Batch> pending_[2];  // by ring
  std::vector<Loss> losses_;
  size_t pending_bytes_[2] = {0, 0};
  bool signalled_ = false, ended_ = false, said_ended_ = false;

  void Call() {
    tsfn_.NonBlockingCall(this, [](Napi::Env env, Napi::Function deliver, Delivery *self) { self->Deliver(env, deliver); });
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
        if (losses[i].cpu != kNoCpu) item.Set("cpu", losses[i].cpu);
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
};

}  // namespace sentinel

#endif
