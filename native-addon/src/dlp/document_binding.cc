// Indexes of documents and of whole files for JavaScript.
#include "dlp/document_binding.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "dlp/document_build.h"
#include "dlp/document_detector.h"
#include "dlp/napi_source.h"

namespace sentinel::dlp {
namespace {

const char* const kOpenErrors[] = {"", "unreadable", "not_an_index", "version", "truncated", "wrong_key", "corrupt"};

Napi::Value number(Napi::Env env, uint64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

const uint8_t* bytesOf(const Napi::Value& value, size_t* length, size_t wanted = 0) {
  if (!value.IsTypedArray()) throw Napi::TypeError::New(value.Env(), "bytes are missing");
  const Napi::Uint8Array array = value.As<Napi::Uint8Array>();
  *length = array.ByteLength();
  if (wanted != 0 && *length != wanted) throw Napi::TypeError::New(value.Env(), std::to_string(wanted) + " bytes are wanted");
  return array.Data();
}

Key keyOf(const Napi::Value& value) {
  size_t length;
  Key key;
  memcpy(key.data(), bytesOf(value, &length, 32), 32);
  return key;
}

// For the command line, which has nothing else to do: everything happens in the caller's thread.
class Builder final : public Napi::ObjectWrap<Builder> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "DlpDocumentBuilder",
                       {InstanceMethod("begin", &Builder::begin), InstanceMethod("feed", &Builder::feed),
                        InstanceMethod("endStream", &Builder::endStream), InstanceMethod("addHash", &Builder::addHash),
                        InstanceMethod("write", &Builder::write)});
  }
  explicit Builder(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Builder>(info) {
    size_t length;
    const uint8_t* salt = bytesOf(info[1], &length, 32);
    builder_ = std::make_unique<DocumentBuilder>(keyOf(info[0]), salt);
  }

 private:
  void begin(const Napi::CallbackInfo& info) {
    begun_ = true;
    builder_->begin(info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : std::string());
  }
  void feed(const Napi::CallbackInfo& info) {
    if (!begun_) throw Napi::Error::New(info.Env(), "no document has begun");
    size_t length;
    const uint8_t* bytes = bytesOf(info[0], &length);
    builder_->feed(bytes, length);
  }
  void endStream(const Napi::CallbackInfo& info) {
    if (!begun_) throw Napi::Error::New(info.Env(), "no document has begun");
    builder_->endStream();
  }
  void addHash(const Napi::CallbackInfo& info) {
    size_t length;
    const uint8_t* hash = bytesOf(info[0], &length, 32);
    builder_->addHash(hash, info[1].ToString());
  }
  Napi::Value write(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    DocumentReport report;
    const std::string error = builder_->write(info[0].As<Napi::Number>().Int32Value(), static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value()), &report);
    Napi::Object result = Napi::Object::New(env);
    result.Set("error", error);
    result.Set("documents", number(env, report.documents));
    result.Set("windows", number(env, report.windows));
    result.Set("kept", number(env, report.kept));
    result.Set("boilerplate", number(env, report.boilerplate));
    result.Set("common", number(env, report.common));
    Napi::Array each = Napi::Array::New(env, report.each.size());
    for (uint32_t i = 0; i < report.each.size(); i++) {
      Napi::Object one = Napi::Object::New(env);
      one.Set("characters", number(env, report.each[i].characters));
      one.Set("windows", report.each[i].windows);
      one.Set("kept", report.each[i].kept);
      each[i] = one;
    }
    result.Set("each", each);
    return result;
  }

  std::unique_ptr<DocumentBuilder> builder_;
  bool begun_ = false;
};

class OpenWorker final : public Napi::AsyncWorker {
 public:
  OpenWorker(Napi::Env env, std::string path, const Key& key)
      : Napi::AsyncWorker(env, "sentinel:dlpOpenDocuments"), deferred_(Napi::Promise::Deferred::New(env)), path_(std::move(path)), key_(key) {}
  ~OpenWorker() override { explicit_bzero(key_.data(), key_.size()); }
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
      error_ = OpenError::kUnreadable;
      detail_ = strerror(errno);
      return;
    }
    index_ = DocumentIndex::open(fd, key_, &error_, &detail_);
    if (index_) rate_ = index_->measuredRate();
  }
  void OnOK() override {
    Napi::Env env = Env();
    Napi::Object result = Napi::Object::New(env);
    result.Set("error", kOpenErrors[static_cast<size_t>(error_)]);
    result.Set("detail", detail_);
    if (index_) {
      Napi::Object info = Napi::Object::New(env);
      info.Set("wholeFiles", index_->wholeFiles());
      info.Set("bytes", number(env, index_->fileBytes()));
      info.Set("createdMs", number(env, index_->createdMs()));
      info.Set("entries", number(env, index_->entries()));
      info.Set("prefilterRate", Napi::Number::New(env, rate_));
      Napi::Array names = Napi::Array::New(env, index_->documents().size());
      for (uint32_t i = 0; i < index_->documents().size(); i++) names[i] = Napi::String::New(env, index_->documents()[i].name);
      info.Set("names", names);
      result.Set("info", info);
      result.Set("source", wrapSource(env, documentSource(index_)));
    }
    deferred_.Resolve(result);
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  std::string path_;
  Key key_;
  OpenError error_ = OpenError::kNone;
  std::string detail_;
  std::shared_ptr<DocumentIndex> index_;
  double rate_ = 0;
};

Napi::Value openDocuments(const Napi::CallbackInfo& info) {
  auto* worker = new OpenWorker(info.Env(), info[0].As<Napi::String>().Utf8Value(), keyOf(info[1]));
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace

void defineDocuments(Napi::Env env, Napi::Object exports) {
  exports.Set("DlpDocumentBuilder", Builder::define(env));
  exports.Set("openDocuments", Napi::Function::New(env, openDocuments, "openDocuments"));
}

}  // namespace sentinel::dlp
