// Node-API surface of the WAL writer. Types in native-addon/index.ts.
#include "wal_binding.h"

#include <string.h>

#include <atomic>
#include <memory>

#include "../blake3/blake3.h"
#include "crc32c.h"
#include "writer.h"

namespace swal {
namespace {

// Joins the writer's threads to the JavaScript callback. Signals are coalesced: one call is queued at a time.
struct Notifier {
  Napi::ThreadSafeFunction call;
  std::atomic<bool> queued{false};
  std::atomic<bool> open{true};

  void Signal() {
    if (!open.load(std::memory_order_acquire) || queued.exchange(true, std::memory_order_acq_rel)) return;
    call.NonBlockingCall([this](Napi::Env env, Napi::Function callback) {
      queued.store(false, std::memory_order_release);
      callback.Call({});
    });
  }
};

struct Session {
  std::unique_ptr<Notifier> notifier = std::make_unique<Notifier>();
  std::unique_ptr<Writer> writer;
  ~Session() { writer.reset(); }
};

class OpenWorker : public Napi::AsyncWorker {
 public:
  OpenWorker(Napi::Env env, std::shared_ptr<Session> session)
      : Napi::AsyncWorker(env, "swal-open"), deferred_(Napi::Promise::Deferred::New(env)), session_(session) {}
  Napi::Promise Promise() { return deferred_.Promise(); }
  void Execute() override { err_ = session_->writer->Open(&what_); }
  void OnOK() override {
    Napi::HandleScope scope(Env());
    if (err_ == 0) {
      deferred_.Resolve(Env().Undefined());
      return;
    }
    Napi::Error error = Napi::Error::New(Env(), what_ + ": " + strerror(err_));
    error.Set("errno", Napi::Number::New(Env(), err_));
    deferred_.Reject(error.Value());
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<Session> session_;
  int err_ = 0;
  std::string what_;
};

class CloseWorker : public Napi::AsyncWorker {
 public:
  CloseWorker(Napi::Env env, std::shared_ptr<Session> session)
      : Napi::AsyncWorker(env, "swal-close"), deferred_(Napi::Promise::Deferred::New(env)), session_(session) {}
  Napi::Promise Promise() { return deferred_.Promise(); }
  void Execute() override { ok_ = session_->writer->Close(); }
  void OnOK() override {
    Napi::HandleScope scope(Env());
    if (session_->notifier->open.exchange(false)) session_->notifier->call.Release();
    deferred_.Resolve(Napi::Boolean::New(Env(), ok_));
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<Session> session_;
  bool ok_ = false;
};

double Num(const Napi::Object &object, const char *name) { return object.Get(name).As<Napi::Number>().DoubleValue(); }

class NativeWal : public Napi::ObjectWrap<NativeWal> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "NativeWal",
                       {InstanceMethod("open", &NativeWal::Open), InstanceMethod("close", &NativeWal::Close),
                        InstanceMethod("append", &NativeWal::Append), InstanceMethod("durable", &NativeWal::Durable),
                        InstanceMethod("waitFor", &NativeWal::WaitFor), InstanceMethod("listen", &NativeWal::Listen),
                        InstanceMethod("keepAlive", &NativeWal::KeepAlive), InstanceMethod("stats", &NativeWal::Stats),
                        InstanceMethod("stateChanges", &NativeWal::StateChanges),
                        InstanceMethod("head", &NativeWal::Head), InstanceMethod("appender", &NativeWal::Appender)});
  }

  // new NativeWal(options, notify)
  explicit NativeWal(const Napi::CallbackInfo &info) : Napi::ObjectWrap<NativeWal>(info) {
    const Napi::Object in = info[0].As<Napi::Object>();
    WriterOptions options;
    options.dir = in.Get("dir").As<Napi::String>().Utf8Value();
    options.device = in.Get("deviceId").As<Napi::String>().Utf8Value();
    options.lane = static_cast<uint32_t>(Num(in, "lane"));
    options.epoch = static_cast<uint64_t>(Num(in, "epoch"));
    options.segment_bytes = static_cast<uint32_t>(Num(in, "segmentBytes"));
    options.max_age_ns = static_cast<uint64_t>(Num(in, "maxSegmentAgeMs") * 1e6);
    options.window_ns = static_cast<uint64_t>(Num(in, "commitWindowMs") * 1e6);
    options.max_pending = static_cast<size_t>(Num(in, "maxPendingBytes"));
    options.min_free = static_cast<uint64_t>(Num(in, "minFreeBytes"));
    options.direct = in.Get("directIo").As<Napi::Boolean>();
    options.segment = static_cast<uint64_t>(Num(in, "segment"));
    options.next_seq = static_cast<uint64_t>(Num(in, "nextSeq"));
    options.next_commit = static_cast<uint64_t>(Num(in, "nextCommit"));
    const auto chain = in.Get("chain").As<Napi::Uint8Array>();
    if (chain.ByteLength() != kChainBytes) throw Napi::TypeError::New(info.Env(), "chain must be 32 bytes");
    memcpy(options.chain, chain.Data(), kChainBytes);
    session_ = std::make_shared<Session>();
    Notifier *notifier = session_->notifier.get();
    notifier->call = Napi::ThreadSafeFunction::New(info.Env(), info[1].As<Napi::Function>(), "swal-notify", 0, 1);
    notifier->call.Unref(info.Env());
    session_->writer = std::make_unique<Writer>(std::move(options), [notifier] { notifier->Signal(); });
  }

 private:
  Napi::Value Open(const Napi::CallbackInfo &info) {
    auto *worker = new OpenWorker(info.Env(), session_);
    const Napi::Promise promise = worker->Promise();
    worker->Queue();
    return promise;
  }

  Napi::Value Close(const Napi::CallbackInfo &info) {
    auto *worker = new CloseWorker(info.Env(), session_);
    const Napi::Promise promise = worker->Promise();
    worker->Queue();
    return promise;
  }

  // append(packed, bytes, count, urgent) -> first sequence number, 0 if refused or if count is 0
  Napi::Value Append(const Napi::CallbackInfo &info) {
    const auto packed = info[0].As<Napi::Uint8Array>();
    const size_t bytes = info[1].As<Napi::Number>().Uint32Value();
    const size_t count = info[2].As<Napi::Number>().Uint32Value();
    const size_t limit = MaxPayload(session_->writer->options().segment_bytes);
    size_t at = 0;
    size_t seen = 0;
    while (at + kPackedHead <= bytes && bytes <= packed.ByteLength()) {
      uint32_t len;
      memcpy(&len, packed.Data() + at, sizeof len);
      if (len > limit) break;
      at += PackedBytes(len);
      seen++;
    }
    if (at != bytes || seen != count) {
      throw Napi::RangeError::New(info.Env(), "packed records do not add up");
    }
    const bool urgent = info[3].As<Napi::Boolean>();
    return Napi::Number::New(info.Env(), static_cast<double>(session_->writer->AppendPacked(packed.Data(), bytes, count, urgent)));
  }

  Napi::Value Durable(const Napi::CallbackInfo &info) {
    return Napi::Number::New(info.Env(), static_cast<double>(session_->writer->durable_seq()));
  }

  // waitFor(seq): 0 when nobody waits
  void WaitFor(const Napi::CallbackInfo &info) {
    const double seq = info[0].As<Napi::Number>().DoubleValue();
    session_->writer->WaitFor(seq > 0 ? static_cast<uint64_t>(seq) : UINT64_MAX);
  }

  void Listen(const Napi::CallbackInfo &info) { session_->writer->Listen(info[0].As<Napi::Boolean>()); }

  // Whether a pending notification keeps the process running.
  void KeepAlive(const Napi::CallbackInfo &info) {
    if (!session_->notifier->open.load()) return;
    if (info[0].As<Napi::Boolean>()) session_->notifier->call.Ref(info.Env());
    else session_->notifier->call.Unref(info.Env());
  }

  Napi::Value StateChanges(const Napi::CallbackInfo &info) {
    return Napi::Number::New(info.Env(), session_->writer->state_changes());
  }

  Napi::Value Stats(const Napi::CallbackInfo &info) {
    const WriterStats stats = session_->writer->Stats();
    Napi::Object out = Napi::Object::New(info.Env());
    const auto set = [&](const char *name, double value) { out.Set(name, Napi::Number::New(info.Env(), value)); };
    set("state", static_cast<double>(stats.state));
    out.Set("reason", stats.reason);
    set("lastSeq", static_cast<double>(stats.last_seq));
    set("durableSeq", static_cast<double>(stats.durable_seq));
    set("commits", static_cast<double>(stats.commits));
    set("failedWrites", static_cast<double>(stats.failed_writes));
    set("pendingBytes", static_cast<double>(stats.pending_bytes));
    set("segment", static_cast<double>(stats.segment));
    set("segmentUsed", static_cast<double>(stats.segment_used));
    set("refusedAppends", static_cast<double>(stats.refused_appends));
    set("refusedRecords", static_cast<double>(stats.refused_records));
    set("flushP50Us", stats.flush_p50_us);
    set("flushP99Us", stats.flush_p99_us);
    out.Set("directIo", stats.direct);
    return out;
  }

  Napi::Value Head(const Napi::CallbackInfo &info) {
    const ChainHead head = session_->writer->Head();
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("seq", Napi::Number::New(info.Env(), static_cast<double>(head.seq)));
    out.Set("commitNo", Napi::Number::New(info.Env(), static_cast<double>(head.commit_no)));
    out.Set("chain", Napi::Buffer<uint8_t>::Copy(info.Env(), head.chain, kChainBytes));
    return out;
  }

  // The External keeps the session: a sensor that appends after close is refused, not a use after free.
  Napi::Value Appender(const Napi::CallbackInfo &info) {
    auto *keep = new std::shared_ptr<Session>(session_);
    return Napi::External<swal_appender>::New(
        info.Env(), session_->writer->appender(),
        [](Napi::Env, swal_appender *, std::shared_ptr<Session> *held) { delete held; }, keep);
  }

  std::shared_ptr<Session> session_;
};

Napi::Value Crc(const Napi::CallbackInfo &info) {
  const auto bytes = info[1].As<Napi::Uint8Array>();
  const size_t start = info[2].As<Napi::Number>().Uint32Value();
  const size_t end = info[3].As<Napi::Number>().Uint32Value();
  if (start > end || end > bytes.ByteLength()) throw Napi::RangeError::New(info.Env(), "range outside the bytes");
  const uint32_t seed = info[0].As<Napi::Number>().Uint32Value();
  return Napi::Number::New(info.Env(), Crc32c(seed, bytes.Data() + start, end - start));
}

// blake3(bytes, key?) -> Buffer(32)
Napi::Value Blake3(const Napi::CallbackInfo &info) {
  const auto bytes = info[0].As<Napi::Uint8Array>();
  blake3_hasher hasher;
  if (info.Length() > 1 && !info[1].IsUndefined()) {
    const auto key = info[1].As<Napi::Uint8Array>();
    if (key.ByteLength() != BLAKE3_KEY_LEN) throw Napi::RangeError::New(info.Env(), "the key must be 32 bytes");
    blake3_hasher_init_keyed(&hasher, key.Data());
  } else {
    blake3_hasher_init(&hasher);
  }
  blake3_hasher_update(&hasher, bytes.Data(), bytes.ByteLength());
  auto out = Napi::Buffer<uint8_t>::New(info.Env(), BLAKE3_OUT_LEN);
  blake3_hasher_finalize(&hasher, out.Data(), BLAKE3_OUT_LEN);
  return out;
}

}  // namespace

void Register(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeWal", NativeWal::Define(env));
  exports.Set("crc32c", Napi::Function::New(env, Crc));
  exports.Set("blake3", Napi::Function::New(env, Blake3));
}

}  // namespace swal
