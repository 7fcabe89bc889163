#include "dlp/edm_binding.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <memory>

#include "dlp/edm_build.h"
#include "dlp/edm_detector.h"
#include "dlp/edm_index.h"
#include "dlp/napi_source.h"

namespace sentinel::dlp {
namespace {

const char *const kOpenErrors[] = {"", "unreadable", "not_an_index", "version", "truncated", "wrong_key", "corrupt"};

Key keyOf(const Napi::Value &value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().ByteLength() != 32) throw Napi::TypeError::New(value.Env(), "a key has 32 bytes");
  Key key;
  memcpy(key.data(), value.As<Napi::Uint8Array>().Data(), key.size());
  return key;
}

Napi::Value number(Napi::Env env, uint64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

Napi::Object describe(Napi::Env env, const Index &index, double rate) {
  static const char *const types[] = {"number", "iban", "card", "ssn", "email", "words", "date", "phone", "id"};
  const IndexMeta &meta = index.meta();
  Napi::Object info = Napi::Object::New(env);
  info.Set("name", meta.name);
  info.Set("bytes", number(env, index.fileBytes()));
  info.Set("createdMs", number(env, index.createdMs()));
  info.Set("rows", number(env, meta.rows));
  info.Set("entries", number(env, index.prologue().lone.entries));
  info.Set("combinations", number(env, index.prologue().combined.entries));
  info.Set("prefilterRate", Napi::Number::New(env, rate));
  info.Set("secondary", meta.secondary);
  info.Set("withinTokens", meta.withinTokens);
  info.Set("sameRow", meta.sameRow);
  Napi::Array fields = Napi::Array::New(env, meta.fields.size());
  for (uint32_t i = 0; i < meta.fields.size(); ++i) {
    Napi::Object field = Napi::Object::New(env);
    field.Set("column", meta.fields[i].column);
    field.Set("type", types[static_cast<size_t>(meta.fields[i].type)]);
    field.Set("role", meta.fields[i].primary ? "primary" : "secondary");
    field.Set("combined", meta.fields[i].combined);
    fields[i] = field;
  }
  info.Set("fields", fields);
  return info;
}

class OpenWorker final : public Napi::AsyncWorker {
 public:
  OpenWorker(Napi::Env env, std::string path, const Key &key, bool all)
      : Napi::AsyncWorker(env, "sentinel:dlpOpen"), deferred_(Napi::Promise::Deferred::New(env)), path_(std::move(path)), key_(key), all_(all) {}
  ~OpenWorker() override { explicit_bzero(key_.data(), key_.size()); }
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
      error_ = OpenError::kUnreadable;
      detail_ = strerror(errno);
      return;
    }
    index_ = Index::open(fd, key_, &error_, &detail_);
    if (index_) rate_ = index_->measuredRate();
  }
  void OnOK() override {
    Napi::Object result = Napi::Object::New(Env());
    result.Set("error", kOpenErrors[static_cast<size_t>(error_)]);
    result.Set("detail", detail_);
    if (index_) {
      result.Set("info", describe(Env(), *index_, rate_));
      result.Set("source", wrapSource(Env(), edmSource(index_, all_)));
    }
    deferred_.Resolve(result);
  }
  void OnError(const Napi::Error &error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  std::string path_;
  Key key_;
  bool all_;
  OpenError error_ = OpenError::kNone;
  std::string detail_;
  std::shared_ptr<Index> index_;
  double rate_ = 0;
};

Napi::Value openIndex(const Napi::CallbackInfo &info) {
  auto *worker = new OpenWorker(info.Env(), info[0].As<Napi::String>().Utf8Value(), keyOf(info[1]), info[2].ToBoolean());
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

class BuildWorker final : public Napi::AsyncWorker {
 public:
  BuildWorker(Napi::Env env, BuildOptions options, std::shared_ptr<BuildProgress> progress)
      : Napi::AsyncWorker(env, "sentinel:dlpBuild"),
        deferred_(Napi::Promise::Deferred::New(env)),
        options_(std::move(options)),
        progress_(std::move(progress)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { buildIndex(std::move(options_), progress_.get(), &report_); }
  void OnOK() override {
    Napi::Env env = Env();
    Napi::Object result = Napi::Object::New(env);
    result.Set("error", report_.error);
    result.Set("remedy", report_.remedy);
    result.Set("rows", number(env, report_.rows));
    result.Set("indexedRows", number(env, report_.indexedRows));
    result.Set("badRows", number(env, report_.badRows));
    result.Set("rowsWithoutPrimary", number(env, report_.rowsWithoutPrimary));
    result.Set("rowsWithoutSecondary", number(env, report_.rowsWithoutSecondary));
    result.Set("duplicateRows", number(env, report_.duplicateRows));
    result.Set("entries", number(env, report_.entries));
    result.Set("combinations", number(env, report_.combinations));
    result.Set("droppedOverLimit", number(env, report_.droppedOverLimit));
    Napi::Array bad = Napi::Array::New(env, report_.bad.size());
    for (uint32_t i = 0; i < report_.bad.size(); ++i) {
      const BadCell &cell = report_.bad[i];
      Napi::Object one = Napi::Object::New(env);
      one.Set("row", number(env, cell.row));
      one.Set("line", number(env, cell.line));
      one.Set("column", cell.column);
      one.Set("problem", cell.problem);
      one.Set("remedy", cell.remedy);
      bad[i] = one;
    }
    result.Set("bad", bad);
    deferred_.Resolve(result);
  }
  void OnError(const Napi::Error &error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  BuildOptions options_;
  std::shared_ptr<BuildProgress> progress_;
  BuildReport report_;
};

void readMeta(const Napi::Object &schema, IndexMeta *meta) {
  meta->name = schema.Get("name").As<Napi::String>().Utf8Value();
  meta->secondary = schema.Get("secondary").As<Napi::Number>().Uint32Value();
  meta->withinTokens = schema.Get("withinTokens").As<Napi::Number>().Uint32Value();
  meta->sameRow = schema.Get("sameRow").ToBoolean();
  meta->dates = static_cast<DateOrder>(schema.Get("dates").As<Napi::Number>().Uint32Value());
  const Napi::Array fields = schema.Get("fields").As<Napi::Array>();
  if (fields.Length() > kMaxFields) throw Napi::RangeError::New(schema.Env(), "too many fields");
  for (uint32_t i = 0; i < fields.Length(); ++i) {
    const Napi::Object given = fields.Get(i).As<Napi::Object>();
    FieldSpec field;
    field.column = given.Get("column").As<Napi::String>().Utf8Value();
    field.primary = given.Get("role").As<Napi::String>().Utf8Value() == "primary";
    if (!fieldTypeOf(given.Get("type").As<Napi::String>().Utf8Value(), &field.type)) throw Napi::TypeError::New(schema.Env(), "unknown field type");
    meta->fields.push_back(field);
  }
}

Napi::Value startBuild(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  const Napi::Object given = info[0].As<Napi::Object>();
  BuildOptions options;
  options.csvFd = given.Get("csvFd").As<Napi::Number>().Int32Value();
  options.outFd = given.Get("outFd").As<Napi::Number>().Int32Value();
  options.tempDir = given.Get("tempDir").As<Napi::String>().Utf8Value();
  options.strict = given.Get("strict").ToBoolean();
  options.delimiter = given.Get("delimiter").As<Napi::String>().Utf8Value()[0];
  options.createdMs = static_cast<uint64_t>(given.Get("createdMs").As<Napi::Number>().DoubleValue());
  options.master = keyOf(given.Get("key"));
  const Key salt = keyOf(given.Get("salt"));
  memcpy(options.salt, salt.data(), salt.size());
  readMeta(given.Get("schema").As<Napi::Object>(), &options.meta);
  auto progress = std::make_shared<BuildProgress>();
  auto *worker = new BuildWorker(env, std::move(options), progress);
  Napi::Object result = Napi::Object::New(env);
  result.Set("done", worker->promise());
  result.Set("progress", Napi::Function::New(env, [progress](const Napi::CallbackInfo &call) {
               Napi::Object now = Napi::Object::New(call.Env());
               now.Set("bytesRead", number(call.Env(), progress->bytesRead));
               now.Set("totalBytes", number(call.Env(), progress->totalBytes));
               now.Set("rows", number(call.Env(), progress->rows));
               now.Set("partitions", number(call.Env(), progress->partitions));
               return now;
             }));
  result.Set("cancel", Napi::Function::New(env, [progress](const Napi::CallbackInfo &call) {
               progress->cancel = true;
               return call.Env().Undefined();
             }));
  worker->Queue();
  return result;
}

Napi::Value keyId(const Napi::CallbackInfo &info) { return Napi::String::New(info.Env(), keyIdOf(keyOf(info[0]))); }

// The last thing that is written into a header.
Napi::Value sealHeader(const Napi::CallbackInfo &info) {
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().ByteLength() != kHeaderBytes) throw Napi::TypeError::New(info.Env(), "not a header");
  uint8_t *header = info[0].As<Napi::Uint8Array>().Data();
  IndexKeys keys = deriveKeys(keyOf(info[1]), header + 24);
  const Digest seal = macOf(keys, header, kHeaderSealAt);
  memcpy(header + kHeaderSealAt, seal.bytes, 32);
  explicit_bzero(&keys, sizeof keys);
  return info.Env().Undefined();
}

}  // namespace

void registerEdm(Napi::Env env, Napi::Object exports) {
  exports.Set("openIndex", Napi::Function::New(env, openIndex, "openIndex"));
  exports.Set("buildIndex", Napi::Function::New(env, startBuild, "buildIndex"));
  exports.Set("sealIndexHeader", Napi::Function::New(env, sealHeader, "sealIndexHeader"));
  exports.Set("keyId", Napi::Function::New(env, keyId, "keyId"));
}

}  // namespace sentinel::dlp
