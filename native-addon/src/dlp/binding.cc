// sentinel_dlp: the scanner for JavaScript. Everything that reads content runs on the libuv pool.
#include <napi.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <memory>
#include <string>

#include "dlp/background.h"
#include "dlp/edm_binding.h"
#include "dlp/document_binding.h"
#include "dlp/napi_source.h"
#include "dlp/patterns_binding.h"
#include "dlp/scanner.h"

namespace sentinel::dlp {
namespace {

const char *const kOutcomes[] = {"ok", "aborted", "time", "too_large", "changed", "unreadable"};

Napi::Object resultOf(Napi::Env env, const Scan &scan) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("outcome", kOutcomes[static_cast<size_t>(scan.outcome())]);
  result.Set("detail", scan.detail());
  result.Set("bytes", Napi::Number::New(env, static_cast<double>(scan.bytes())));
  result.Set("unlisted", Napi::Number::New(env, static_cast<double>(scan.list().unlisted())));
  const std::vector<Hit> &hits = scan.list().hits();
  Napi::Array list = Napi::Array::New(env, hits.size());
  uint32_t place = 0;
  for (const Hit &hit : hits) {
    Napi::Object one = Napi::Object::New(env);
    one.Set("source", hit.source);
    one.Set("kind", static_cast<uint32_t>(hit.kind));
    one.Set("field", static_cast<uint32_t>(hit.field));
    one.Set("offset", Napi::Number::New(env, static_cast<double>(hit.offset)));
    one.Set("length", hit.length);
    one.Set("ref", Napi::Number::New(env, static_cast<double>(hit.ref)));
    one.Set("confidence", Napi::Number::New(env, hit.confidence));
    one.Set("count", hit.count);
    one.Set("secondaries", hit.secondaries);
    one.Set("containment", Napi::Number::New(env, hit.containment));
    list[place++] = one;
  }
  result.Set("hits", list);
  return result;
}

struct Request {
  ScanLimits limits;
  bool background = false;
  Napi::ObjectReference abort;  // keeps the memory of limits.abort
};

void readRequest(const Napi::Value &value, Request *request) {
  if (!value.IsObject()) throw Napi::TypeError::New(value.Env(), "the scan's options are missing");
  const Napi::Object options = value.As<Napi::Object>();
  const auto number = [&](const char *name) {
    const Napi::Value given = options.Get(name);
    return given.IsNumber() ? given.As<Napi::Number>().DoubleValue() : 0.0;
  };
  request->limits.maxBytes = static_cast<uint64_t>(number("maxBytes"));
  request->limits.deadlineMs = static_cast<uint64_t>(number("deadlineMs"));
  request->limits.maxHits = static_cast<uint32_t>(number("maxHits"));
  request->limits.portable = options.Get("portable").ToBoolean();
  request->background = options.Get("background").ToBoolean();
  const Napi::Value abort = options.Get("abort");
  if (abort.IsTypedArray() && abort.As<Napi::TypedArray>().ByteLength() >= 4) {
    Napi::Int32Array array = abort.As<Napi::Int32Array>();
    request->limits.abort = reinterpret_cast<const std::atomic<int32_t> *>(array.Data());
    request->abort = Napi::Persistent(abort.As<Napi::Object>());
  }
}

class FileWorker final : public Napi::AsyncWorker {
 public:
  FileWorker(Napi::Env env, const Sources &sources, int fd, Request request)
      : Napi::AsyncWorker(env, "sentinel:dlpScan"),
        deferred_(Napi::Promise::Deferred::New(env)),
        request_(std::move(request)),
        scan_(sources, request_.limits),
        fd_(fd) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    const Background background(request_.background);
    scan_.readAll(fd_);
  }
  void OnOK() override { deferred_.Resolve(resultOf(Env(), scan_)); }
  void OnError(const Napi::Error &error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  Request request_;
  Scan scan_;
  int fd_;
};

// Buffers, text and detectors go with the end of the stream, not when JavaScript collects its garbage: a mailbox is a
// hundred thousand streams, of which the collector sees nothing but a few small objects.
struct StreamState {
  StreamState(const Sources &given, Request asked) : sources(given), request(std::move(asked)) {}
  Sources sources;
  Request request;
  std::unique_ptr<Scan> scan;  // between the first piece and the end
  bool busy = false;
};

// One piece of a stream, or its end when `bytes` is empty.
class StreamWorker final : public Napi::AsyncWorker {
 public:
  StreamWorker(Napi::Env env, std::shared_ptr<StreamState> state, Napi::Value bytes, bool last)
      : Napi::AsyncWorker(env, "sentinel:dlpScan"),
        deferred_(Napi::Promise::Deferred::New(env)),
        state_(std::move(state)),
        last_(last) {
    if (!last) {
      Napi::Uint8Array array = bytes.As<Napi::Uint8Array>();
      held_ = Napi::Persistent(bytes.As<Napi::Object>());
      bytes_ = array.Data();
      length_ = array.ByteLength();
    }
    state_->busy = true;
  }
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    const Background background(state_->request.background);
    if (last_) state_->scan->finish();
    else state_->scan->feed(bytes_, length_);
  }
  void OnOK() override {
    state_->busy = false;
    deferred_.Resolve(last_ ? resultOf(Env(), *state_->scan).As<Napi::Value>() : Env().Undefined());
    if (last_) state_->scan.reset();
  }
  void OnError(const Napi::Error &error) override {
    state_->busy = false;
    if (last_) state_->scan.reset();
    deferred_.Reject(error.Value());
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<StreamState> state_;
  Napi::ObjectReference held_;
  const uint8_t *bytes_ = nullptr;
  size_t length_ = 0;
  bool last_;
};

Napi::Value startPiece(const Napi::CallbackInfo &info, const std::shared_ptr<StreamState> &state, bool last) {
  Napi::Env env = info.Env();
  if (state->busy) throw Napi::Error::New(env, "the stream is busy: wait for the call before");
  if (!state->scan) state->scan.reset(new Scan(state->sources, state->request.limits));
  if (!last && (info.Length() < 1 || !info[0].IsTypedArray())) throw Napi::TypeError::New(env, "feed needs bytes");
  auto *worker = new StreamWorker(env, state, last ? env.Undefined() : info[0], last);
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

class DlpScanner final : public Napi::ObjectWrap<DlpScanner> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "DlpScanner",
                       {InstanceMethod("scanFd", &DlpScanner::scanFd), InstanceMethod("stream", &DlpScanner::stream)});
  }

  explicit DlpScanner(const Napi::CallbackInfo &info) : Napi::ObjectWrap<DlpScanner>(info) {
    if (info.Length() < 1 || !info[0].IsArray()) throw Napi::TypeError::New(info.Env(), "DlpScanner needs sources");
    const Napi::Array list = info[0].As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const Napi::Value one = list[i];
      if (!one.IsExternal()) throw Napi::TypeError::New(info.Env(), "not a source");
      sources_.push_back(*one.As<Napi::External<SourcePtr>>().Data());
    }
  }

 private:
  Napi::Value scanFd(const Napi::CallbackInfo &info) {
    Request request;
    readRequest(info[1], &request);
    auto *worker = new FileWorker(info.Env(), sources_, info[0].As<Napi::Number>().Int32Value(), std::move(request));
    const Napi::Promise promise = worker->promise();
    worker->Queue();
    return promise;
  }

  Napi::Value stream(const Napi::CallbackInfo &info) {
    Request request;
    readRequest(info[0], &request);
    auto state = std::make_shared<StreamState>(sources_, std::move(request));
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("feed", Napi::Function::New(info.Env(), [state](const Napi::CallbackInfo &call) { return startPiece(call, state, false); }));
    object.Set("finish", Napi::Function::New(info.Env(), [state](const Napi::CallbackInfo &call) { return startPiece(call, state, true); }));
    return object;
  }

  Sources sources_;
};

// What is looked at is in this process' memory, which must not be written anywhere: no core file, and none for a program
// that collects cores either, which a limit alone does not stop. Children start anew at exec, but keep the limit.
void keepMemoryFromDumps() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  keepMemoryFromDumps();
  exports.Set("abi", Napi::Number::New(env, 1));
  exports.Set("DlpScanner", DlpScanner::define(env));
  definePatterns(env, exports);
  defineDocuments(env, exports);
  registerEdm(env, exports);
  return exports;
}

}  // namespace sentinel::dlp

static Napi::Object InitDlp(Napi::Env env, Napi::Object exports) { return sentinel::dlp::Init(env, exports); }
NODE_API_MODULE(sentinel_dlp, InitDlp)
