// What Node has no call for: owner, mode, extended attributes and times of one open file given to another.
#include "attributes.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace sentinel {

namespace {

constexpr size_t kMaxAttribute = 65536;  // the kernel's own limit for a list and for a value

void Add(std::string *lost, const std::string &what) {
  if (!lost->empty()) *lost += ", ";
  *lost += what;
}

// copyAttributes(from, to) -> '' or what could not be kept. Times come last: everything before changes them. The owner
// comes before the mode, which it clears bits of, and before the attributes, some of which it removes.
Napi::Value CopyAttributes(const Napi::CallbackInfo &info) {
  const int from = info[0].As<Napi::Number>().Int32Value();
  const int to = info[1].As<Napi::Number>().Int32Value();
  std::string lost;
  struct stat stat;
  if (fstat(from, &stat) != 0) return Napi::String::New(info.Env(), std::string("all: ") + strerror(errno));
  if (fchown(to, stat.st_uid, stat.st_gid) != 0) Add(&lost, "owner");
  if (fchmod(to, stat.st_mode & 07777) != 0) Add(&lost, "mode");
  std::vector<char> names(kMaxAttribute), value(kMaxAttribute);
  const ssize_t length = flistxattr(from, names.data(), names.size());
  if (length < 0 && errno != ENOTSUP) Add(&lost, "extended attributes");
  for (ssize_t at = 0; at < length;) {
    const std::string name(names.data() + at);
    at += static_cast<ssize_t>(name.size()) + 1;
    const ssize_t size = fgetxattr(from, name.c_str(), value.data(), value.size());
    if (size < 0 || fsetxattr(to, name.c_str(), value.data(), static_cast<size_t>(size), 0) != 0) Add(&lost, name);
  }
  const struct timespec times[2] = {stat.st_atim, stat.st_mtim};
  if (futimens(to, times) != 0) Add(&lost, "times");
  return Napi::String::New(info.Env(), lost);
}

}  // namespace

void registerAttributes(Napi::Env env, Napi::Object exports) {
  exports.Set("copyAttributes", Napi::Function::New(env, CopyAttributes, "copyAttributes"));
}

}  // namespace sentinel
