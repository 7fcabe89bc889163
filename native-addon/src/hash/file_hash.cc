// SHA-256 and BLAKE3 of a file in one pass, on the libuv pool.
//
// The file is opened once and everything is asked of that descriptor: it must be a regular file of the expected
// identity (inode, size, mtime, ctime) and must still be so after the last byte was read. So a digest is of that
// identity or there is none. Reads go at the lowest best-effort I/O priority.
#include "hash/file_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "blake3/blake3.h"
#include "hash/sha256.h"

namespace sentinel {
namespace {

constexpr size_t kChunkBytes = 256 * 1024;

struct Expected {
  bool any = false;
  uint64_t inode = 0, size = 0, mtimeNs = 0, ctimeNs = 0;
};

uint64_t toNs(const struct timespec &time) {
  return static_cast<uint64_t>(time.tv_sec) * 1000000000ull + static_cast<uint64_t>(time.tv_nsec);
}

bool sameFile(const struct stat &a, const struct stat &b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && toNs(a.st_mtim) == toNs(b.st_mtim) &&
         toNs(a.st_ctim) == toNs(b.st_ctim);
}

// Lowers the I/O priority of this thread for its scope (the pool thread does other work afterwards).
class LowIoPriority {
 public:
  LowIoPriority() : before_(syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, 0)) {
    syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 7 /* best effort, lowest */);
  }
  ~LowIoPriority() {
    if (before_ >= 0) syscall(SYS_ioprio_set, 1, 0, before_);
  }

 private:
  long before_;
};

std::string hex(const uint8_t *bytes, size_t length) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(length * 2);
  for (size_t i = 0; i < length; ++i) {
    text.push_back(digits[bytes[i] >> 4]);
    text.push_back(digits[bytes[i] & 15]);
  }
  return text;
}

class HashWorker final : public Napi::AsyncWorker {
 public:
  HashWorker(Napi::Env env, std::vector<std::string> paths, Expected expected, uint64_t maxBytes, bool portable)
      : Napi::AsyncWorker(env, "sentinel:hashFile"),
        deferred_(Napi::Promise::Deferred::New(env)),
        paths_(std::move(paths)),
        expected_(expected),
        maxBytes_(maxBytes),
        portable_(portable) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    const LowIoPriority priority;
    for (const std::string &path : paths_) {
      // O_NONBLOCK: a FIFO or device put in the file's place must not hold this thread.
      const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
      if (fd < 0) {
        refuse(errno == ENOENT || errno == ESRCH ? "gone" : errno == EACCES || errno == EPERM ? "denied" : "io",
               strerror(errno));
        continue;
      }
      const bool done = hashOpen(fd);
      close(fd);
      if (done) return;
    }
  }

  void OnOK() override {
    Napi::Env env = Env();
    Napi::Object result = Napi::Object::New(env);
    if (!refused_.empty()) {
      result.Set("refused", refused_);
      result.Set("detail", detail_);
      deferred_.Resolve(result);
      return;
    }
    result.Set("dev", std::to_string(stat_.st_dev));
    result.Set("inode", std::to_string(stat_.st_ino));
    result.Set("size", Napi::Number::New(env, static_cast<double>(stat_.st_size)));
    result.Set("mtimeNs", std::to_string(toNs(stat_.st_mtim)));
    result.Set("ctimeNs", std::to_string(toNs(stat_.st_ctim)));
    result.Set("sha256", sha256_);
    result.Set("blake3", blake3_);
    deferred_.Resolve(result);
  }

  void OnError(const Napi::Error &error) override { deferred_.Reject(error.Value()); }

 private:
  void refuse(const char *why, std::string detail) {
    refused_ = why;
    detail_ = std::move(detail);
  }

  // True when the answer is final, false when the next path may do better.
  bool hashOpen(int fd) {
    if (fstat(fd, &stat_) != 0) return refuse("io", strerror(errno)), false;
    if (!S_ISREG(stat_.st_mode)) return refuse("not_regular", "not a regular file"), false;
    const uint64_t size = static_cast<uint64_t>(stat_.st_size);
    if (expected_.any && (stat_.st_ino != expected_.inode || size != expected_.size ||
                          toNs(stat_.st_mtim) != expected_.mtimeNs || toNs(stat_.st_ctim) != expected_.ctimeNs)) {
      return refuse("replaced", "the file there now is not the one that was run"), false;
    }
    if (size > maxBytes_) {
      return refuse("too_large", std::to_string(size) + " bytes, the limit is " + std::to_string(maxBytes_)), true;
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    const std::unique_ptr<uint8_t, decltype(&free)> buffer(static_cast<uint8_t *>(malloc(kChunkBytes)), &free);
    if (!buffer) return refuse("io", "out of memory"), true;
    Sha256 sha(portable_);
    blake3_hasher blake;
    blake3_hasher_init(&blake);
    for (uint64_t total = 0;;) {
      const ssize_t got = read(fd, buffer.get(), kChunkBytes);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return refuse("io", strerror(errno)), true;
      if (got == 0) break;
      total += static_cast<uint64_t>(got);
      if (total > size) return refuse("changed", "the file grew while it was read"), true;
      sha.update(buffer.get(), static_cast<size_t>(got));
      blake3_hasher_update(&blake, buffer.get(), static_cast<size_t>(got));
    }
    struct stat after;
    if (fstat(fd, &after) != 0 || !sameFile(stat_, after)) {
      return refuse("changed", "the file changed while it was read"), true;
    }
    uint8_t digest[32];
    sha.finish(digest);
    sha256_ = hex(digest, sizeof digest);
    blake3_hasher_finalize(&blake, digest, sizeof digest);
    blake3_ = hex(digest, sizeof digest);
    refused_.clear();
    detail_.clear();
    return true;
  }

  Napi::Promise::Deferred deferred_;
  std::vector<std::string> paths_;
  Expected expected_;
  uint64_t maxBytes_;
  bool portable_;
  struct stat stat_ = {};
  std::string refused_ = "gone", detail_ = "no path given", sha256_, blake3_;
};

uint64_t decimalOf(const Napi::Object &from, const char *key) {
  const Napi::Value value = from.Get(key);
  if (value.IsNumber()) return static_cast<uint64_t>(value.As<Napi::Number>().DoubleValue());
  if (value.IsString()) return strtoull(value.As<Napi::String>().Utf8Value().c_str(), nullptr, 10);
  return 0;
}

Napi::Value hashFile(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsObject() || !info[0].As<Napi::Object>().Get("paths").IsArray()) {
    throw Napi::TypeError::New(env, "hashFile needs {paths: string[], maxBytes: number, ...}");
  }
  const Napi::Object request = info[0].As<Napi::Object>();
  const Napi::Array list = request.Get("paths").As<Napi::Array>();
  std::vector<std::string> paths;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value path = list[i];
    if (path.IsString()) paths.push_back(path.As<Napi::String>().Utf8Value());
  }
  Expected expected;
  if (request.Get("expected").IsObject()) {
    const Napi::Object identity = request.Get("expected").As<Napi::Object>();
    expected.any = true;
    expected.inode = decimalOf(identity, "inode");
    expected.size = decimalOf(identity, "size");
    expected.mtimeNs = decimalOf(identity, "mtimeNs");
    expected.ctimeNs = decimalOf(identity, "ctimeNs");
  }
  const bool portable = request.Get("portable").ToBoolean().Value();
  auto *worker = new HashWorker(env, std::move(paths), expected, decimalOf(request, "maxBytes"), portable);
  worker->Queue();
  return worker->promise();
}

}  // namespace

void registerFileHash(Napi::Env env, Napi::Object exports) {
  exports.Set("hasShaExtensions", Napi::Boolean::New(env, hasShaExtensions()));
  exports.Set("hashFile", Napi::Function::New(env, hashFile, "hashFile"));
}

}  // namespace sentinel
