// Files that may not be opened: fanotify permission events, answered on a thread of their own.
//
// Whoever opens a marked file waits in the kernel for the answer, so nothing here waits for anything: no file is opened
// on a guarded path, JavaScript only hears of what was done. The agent's own opens are let pass before anything else.
// The directory of a guarded file is marked, not the file, so that one which replaces it is guarded as well; a guarded
// directory is marked with those below it, again now and then, because marks of directories reach one level.
// Closing the descriptor, by death or otherwise, lets everybody pass: that is how the kernel has it.
#include "file_guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../host/protected.h"

namespace sentinel {

namespace {

constexpr size_t kMaxDirectories = 4096;
constexpr size_t kMaxActs = 1024;
constexpr uint64_t kMask = FAN_OPEN_PERM | FAN_EVENT_ON_CHILD;
constexpr uint64_t kTickNs = 10000000;

struct Rule {
  std::string path;  // a directory's with its slash
  bool directory = false;
  uint32_t handle = 0;
  std::vector<std::string> except;  // executables
};

// As the outcomes of events.h.
enum Outcome { kApplied = 0, kProtected = 1 };

struct Act {
  int pid;
  uint64_t start_ns;
  uint32_t handle;
  Outcome outcome;
  std::string path, executable;
};

std::string ReadLink(const std::string &path) {
  char text[PATH_MAX];
  ssize_t n = readlink(path.c_str(), text, sizeof text);
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : std::string();
}

class FileGuard : public Napi::ObjectWrap<FileGuard> {
 public:
  static void Register(Napi::Env env, Napi::Object exports) {
    exports.Set("NativeFileGuard", DefineClass(env, "NativeFileGuard",
                                               {InstanceMethod("set", &FileGuard::Set),
                                                InstanceMethod("refresh", &FileGuard::Refresh),
                                                InstanceMethod("take", &FileGuard::Take),
                                                InstanceMethod("close", &FileGuard::Close)}));
  }

  // new NativeFileGuard(onActs, scopeCgroup)
  explicit FileGuard(const Napi::CallbackInfo &info) : Napi::ObjectWrap<FileGuard>(info) {
    scope_ = info[1].As<Napi::String>();
    fan_ = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_LARGEFILE | O_CLOEXEC);
    if (fan_ < 0) {
      Napi::Error::New(info.Env(), std::string("the kernel does not allow fanotify permission events (") +
                                       strerror(errno) + ")")
          .ThrowAsJavaScriptException();
      return;
    }
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    notify_ = Napi::ThreadSafeFunction::New(info.Env(), info[0].As<Napi::Function>(), "sentinel_guard", 1, 1);
    notify_.Unref(info.Env());
    thread_ = std::thread([this] { Run(); });
  }

  ~FileGuard() override { Stop(); }

 private:
  int fan_ = -1, wake_ = -1;
  std::string scope_;  // only processes in this cgroup, as /proc/PID/cgroup has it; empty: all
  std::thread thread_;
  Napi::ThreadSafeFunction notify_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // of what follows
  std::vector<Rule> rules_;
  std::vector<Act> acts_;
  uint64_t dropped_ = 0;
  std::set<std::string> marked_;  // main thread only

  void Stop() {
    if (fan_ < 0) return;
    stopping_ = true;
    uint64_t one = 1;
    if (write(wake_, &one, sizeof one) == sizeof one && thread_.joinable()) thread_.join();
    close(fan_);
    close(wake_);
    fan_ = -1;
    notify_.Release();
  }

  Napi::Value Close(const Napi::CallbackInfo &info) {
    Stop();
    return info.Env().Undefined();
  }

  // set([{path, directory, handle, except}]) -> paths that could not be marked, with the reason
  Napi::Value Set(const Napi::CallbackInfo &info) {
    Napi::Array list = info[0].As<Napi::Array>();
    std::vector<Rule> rules;
    for (uint32_t i = 0; i < list.Length(); i++) {
      Napi::Object item = list.Get(i).As<Napi::Object>();
      Rule rule;
      rule.path = item.Get("path").As<Napi::String>();
      rule.directory = item.Get("directory").As<Napi::Boolean>().Value();
      rule.handle = item.Get("handle").As<Napi::Number>().Uint32Value();
      Napi::Array except = item.Get("except").As<Napi::Array>();
      for (uint32_t j = 0; j < except.Length(); j++) rule.except.push_back(except.Get(j).As<Napi::String>());
      rules.push_back(std::move(rule));
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      rules_ = rules;
    }
    return Mark(info.Env(), rules);
  }

  Napi::Value Refresh(const Napi::CallbackInfo &info) {
    std::vector<Rule> rules;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      rules = rules_;
    }
    return Mark(info.Env(), rules);
  }

  // Directories that the rules need marked; existing subdirectories of guarded ones too.
  static void Below(const std::string &directory, std::set<std::string> *found) {
    if (found->size() >= kMaxDirectories || !found->insert(directory).second) return;
    DIR *open = opendir(directory.c_str());
    for (dirent *entry; open && (entry = readdir(open));)
      if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
        Below(directory + "/" + entry->d_name, found);
    if (open) closedir(open);
  }

  Napi::Value Mark(Napi::Env env, const std::vector<Rule> &rules) {
    Napi::Array failed = Napi::Array::New(env);
    uint32_t failures = 0;
    std::set<std::string> wanted;
    for (const Rule &rule : rules) {
      const std::string directory = rule.path.substr(0, std::max<size_t>(rule.path.rfind('/'), 1));
      if (rule.directory)
        Below(directory, &wanted);
      else
        wanted.insert(directory);
      if (fanotify_mark(fan_, FAN_MARK_ADD | FAN_MARK_ONLYDIR, kMask, AT_FDCWD, directory.c_str()) != 0) {
        Napi::Object item = Napi::Object::New(env);
        item.Set("handle", Napi::Number::New(env, rule.handle));
        item.Set("reason", directory + ": " + strerror(errno));
        failed.Set(failures++, item);
      }
    }
    // Added again each time: a directory that was replaced has a new inode, and marking twice is marking once.
    for (const std::string &directory : wanted)
      fanotify_mark(fan_, FAN_MARK_ADD | FAN_MARK_ONLYDIR, kMask, AT_FDCWD, directory.c_str());
    for (const std::string &directory : marked_)
      if (!wanted.count(directory))
        fanotify_mark(fan_, FAN_MARK_REMOVE | FAN_MARK_ONLYDIR, kMask, AT_FDCWD, directory.c_str());
    marked_ = std::move(wanted);
    if (rules.empty()) fanotify_mark(fan_, FAN_MARK_FLUSH, 0, AT_FDCWD, nullptr);
    return failed;
  }

  // take() -> {acts, dropped}
  Napi::Value Take(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    std::vector<Act> acts;
    uint64_t dropped;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      acts.swap(acts_);
      dropped = dropped_;
      dropped_ = 0;
    }
    Napi::Array list = Napi::Array::New(env, acts.size());
    for (uint32_t i = 0; i < acts.size(); i++) {
      Napi::Object item = Napi::Object::New(env);
      item.Set("pid", Napi::Number::New(env, acts[i].pid));
      item.Set("startNs", Napi::BigInt::New(env, acts[i].start_ns));
      item.Set("handle", Napi::Number::New(env, acts[i].handle));
      item.Set("outcome", acts[i].outcome == kApplied ? "applied" : "protected_process");
      item.Set("path", acts[i].path);
      item.Set("executable", acts[i].executable);
      list.Set(i, item);
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("acts", list);
    result.Set("dropped", Napi::Number::New(env, static_cast<double>(dropped)));
    return result;
  }

  bool InScope(int pid) const {
    if (scope_.empty()) return true;
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *own = strstr(text, "0::");
    if (!own || strncmp(own + 3, scope_.c_str(), scope_.size()) != 0) return false;
    const char after = own[3 + scope_.size()];
    return after == '\n' || after == '/' || after == 0;
  }

  // FAN_ALLOW or FAN_DENY.
  uint32_t Judge(int pid, int fd) {
    if (pid == getpid()) return FAN_ALLOW;
    const std::string path = ReadLink("/proc/self/fd/" + std::to_string(fd));
    std::lock_guard<std::mutex> lock(mutex_);
    for (const Rule &rule : rules_) {
      if (rule.directory ? path.compare(0, rule.path.size(), rule.path) != 0 : path != rule.path) continue;
      if (!InScope(pid)) return FAN_ALLOW;
      const std::string executable = ReadLink("/proc/" + std::to_string(pid) + "/exe");
      if (std::find(rule.except.begin(), rule.except.end(), executable) != rule.except.end()) continue;
      const Protection protection = ProtectionOf(pid);
      const bool spared = !protection.why.empty() && !protection.life_only;
      if (acts_.size() < kMaxActs)
        acts_.push_back({pid, StartTicks(pid) * kTickNs, rule.handle, spared ? kProtected : kApplied, path, executable});
      else
        dropped_++;
      return spared ? FAN_ALLOW : FAN_DENY;
    }
    return FAN_ALLOW;
  }

  void Run() {
    pthread_setname_np(pthread_self(), "sentinel-guard");
    alignas(fanotify_event_metadata) char buffer[8192];
    pollfd wait[2] = {{fan_, POLLIN, 0}, {wake_, POLLIN, 0}};
    while (!stopping_) {
      if (poll(wait, 2, -1) < 0 && errno != EINTR) break;
      const size_t before = Pending();
      for (ssize_t left; (left = read(fan_, buffer, sizeof buffer)) > 0;) {
        for (auto *event = reinterpret_cast<fanotify_event_metadata *>(buffer); FAN_EVENT_OK(event, left);
             event = FAN_EVENT_NEXT(event, left)) {
          if (event->fd < 0) continue;
          if (event->mask & FAN_OPEN_PERM) {
            fanotify_response response = {event->fd, Judge(event->pid, event->fd)};
            if (write(fan_, &response, sizeof response) != sizeof response) errno = 0;
          }
          close(event->fd);
        }
      }
      if (Pending() > before) notify_.NonBlockingCall();
    }
  }

  size_t Pending() {
    std::lock_guard<std::mutex> lock(mutex_);
    return acts_.size();
  }
};

}  // namespace

void registerFileGuard(Napi::Env env, Napi::Object exports) { FileGuard::Register(env, exports); }

}  // namespace sentinel
