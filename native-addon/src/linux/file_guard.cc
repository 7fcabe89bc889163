// Files that may not be opened: fanotify permission events, answered on threads of their own.
//
// Whoever opens a marked file waits in the kernel for the answer, so nothing here waits for anything: no file is opened
// on a guarded path, JavaScript only hears of what was done. The agent's own opens are let pass before anything else,
// then all that no rule is about. What a rule is about is judged by a second thread, because looking at who asks may
// hang (an executable on a dead network file system); at its deadline the first thread answers as the policy fails.
// There are no ignore marks: one would stay with a file that is renamed onto a guarded path afterwards.
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
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../host/protected.h"
#include "cut_off.h"
#include "guarded_open.h"

namespace sentinel {

namespace {

constexpr size_t kMaxDirectories = 4096;
constexpr size_t kMaxActs = 1024;
constexpr uint64_t kMask = FAN_OPEN_PERM | FAN_EVENT_ON_CHILD;
constexpr uint64_t kTickNs = 10000000;
constexpr size_t kMaxJobs = 4096;
constexpr size_t kMaxAsks = 256;
constexpr size_t kMaxLooked = 8192;

class FileGuard : public Napi::ObjectWrap<FileGuard> {
 public:
  static void Register(Napi::Env env, Napi::Object exports) {
    exports.Set("NativeFileGuard", DefineClass(env, "NativeFileGuard",
                                               {InstanceMethod("set", &FileGuard::Set),
                                                InstanceMethod("answer", &FileGuard::AnswerAsk),
                                                InstanceMethod("forget", &FileGuard::Forget),
                                                InstanceMethod("refresh", &FileGuard::Refresh),
                                                InstanceMethod("useCutMap", &FileGuard::UseCutMap),
                                                InstanceMethod("take", &FileGuard::TakeActs),
                                                InstanceMethod("close", &FileGuard::Close)}));
  }

  // new NativeFileGuard(onActs, scopeCgroup, deadlineMs)
  explicit FileGuard(const Napi::CallbackInfo &info) : Napi::ObjectWrap<FileGuard>(info) {
    scope_ = info[1].As<Napi::String>();
    deadline_ns_ = static_cast<uint64_t>(info[2].As<Napi::Number>().Int64Value()) * 1000000;
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
    judge_ = std::thread([this] { Judge(); });
  }

  ~FileGuard() override { Stop(); }

 private:
  int fan_ = -1, wake_ = -1;
  std::string scope_;  // only processes in this cgroup, as /proc/PID/cgroup has it; empty: all
  uint64_t deadline_ns_ = 0;
  int cut_map_ = -1;  // whose entries are cut off from the network
  std::thread thread_, judge_;
  Napi::ThreadSafeFunction notify_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // of what follows
  std::condition_variable work_;
  std::shared_ptr<const Rules> rules_ = std::make_shared<Rules>();
  std::deque<std::shared_ptr<Job>> todo_;     // for the judge
  std::deque<std::shared_ptr<Job>> waiting_;  // not answered, oldest first; answered ones leave from the front
  std::vector<Act> acts_;
  uint64_t dropped_ = 0, late_ = 0;
  std::vector<Ask> asks_;                                // not taken yet
  std::map<uint64_t, std::shared_ptr<Job>> asking_;      // until somebody has looked
  std::map<std::string, std::vector<uint32_t>> looked_;  // by content: the rules that forbid it
  uint64_t asked_ = 0;
  std::set<std::string> marked_;  // main thread only

  void Stop() {
    if (fan_ < 0) return;
    stopping_ = true;
    uint64_t one = 1;
    if (write(wake_, &one, sizeof one) == sizeof one && thread_.joinable()) thread_.join();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      todo_.clear();
      for (const Ask &ask : asks_) close(ask.fd);
      asks_.clear();
    }
    work_.notify_all();
    // It may hang where a job did; what waits was let pass, and the process is about to end.
    if (judge_.joinable()) judge_.join();
    close(fan_);
    close(wake_);
    fan_ = -1;
    notify_.Release();
  }

  Napi::Value Close(const Napi::CallbackInfo &info) {
    Stop();
    return info.Env().Undefined();
  }

  // useCutMap(descriptor): the descriptor stays the caller's, and open.
  Napi::Value UseCutMap(const Napi::CallbackInfo &info) {
    std::lock_guard<std::mutex> lock(mutex_);
    cut_map_ = info[0].As<Napi::Number>().Int32Value();
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
      rule.closed = item.Get("closed").As<Napi::Boolean>().Value();
      rule.content = item.Get("content").As<Napi::Boolean>().Value();
      const Napi::Value cut = item.Get("cutMs");
      if (cut.IsNumber()) rule.cut_ns = static_cast<uint64_t>(cut.As<Napi::Number>().Int64Value()) * 1000000;
      Napi::Array except = item.Get("except").As<Napi::Array>();
      for (uint32_t j = 0; j < except.Length(); j++) rule.except.push_back(except.Get(j).As<Napi::String>());
      rules.push_back(std::move(rule));
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      rules_ = std::make_shared<const Rules>(rules);
      looked_.clear();
    }
    return Mark(info.Env(), rules);
  }

  Napi::Value Refresh(const Napi::CallbackInfo &info) {
    std::shared_ptr<const Rules> rules;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      rules = rules_;
    }
    return Mark(info.Env(), *rules);
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

  // answer(id, identity, handles): somebody has looked; these rules forbid what is in the file.
  Napi::Value AnswerAsk(const Napi::CallbackInfo &info) {
    const uint64_t id = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
    const std::string identity = info[1].As<Napi::String>();
    Napi::Array list = info[2].As<Napi::Array>();
    std::vector<uint32_t> handles;
    for (uint32_t i = 0; i < list.Length(); i++) handles.push_back(list.Get(i).As<Napi::Number>().Uint32Value());
    bool told = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      const auto found = asking_.find(id);
      if (found == asking_.end()) return info.Env().Undefined();
      const std::shared_ptr<Job> job = found->second;
      asking_.erase(found);
      if (looked_.size() >= kMaxLooked) looked_.clear();
      // Of the rules that were asked about; others may be in force by now.
      if (!identity.empty() && job->rules == rules_) looked_[identity] = handles;
      if (!job->answered) {
        const Rule *rule = Forbidding(*job, handles);
        told = rule;
        Settle(job.get(), rule && Enforce(*job, *rule, false, job->start_ns, job->executable));
      }
    }
    if (told) notify_.NonBlockingCall();
    return info.Env().Undefined();
  }

  // What is looked for has changed.
  Napi::Value Forget(const Napi::CallbackInfo &info) {
    std::lock_guard<std::mutex> lock(mutex_);
    looked_.clear();
    return info.Env().Undefined();
  }

  static const Rule *Forbidding(const Job &job, const std::vector<uint32_t> &handles) {
    for (const Rule &rule : *job.rules)
      if (rule.content && AboutWho(rule, job.path, job.executable) &&
          std::find(handles.begin(), handles.end(), rule.handle) != handles.end())
        return &rule;
    return nullptr;
  }

  // With the mutex held. True when the job waits for somebody's look; otherwise `rule` says what forbids it, if any does.
  bool LookFirst(const std::shared_ptr<Job> &job, const Rule **rule) {
    const std::string identity = ContentIdentity(job->fd);
    if (identity.empty()) return false;
    const auto known = looked_.find(identity);
    if (known != looked_.end()) {
      *rule = Forbidding(*job, known->second);
      return false;
    }
    const int fd = asks_.size() < kMaxAsks ? fcntl(job->fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (fd < 0) return true;  // the deadline answers
    asking_[++asked_] = job;
    asks_.push_back({asked_, fd, job->path, identity});
    return true;
  }

  // take() -> {acts, asks, dropped, late}
  Napi::Value TakeActs(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    std::vector<Act> acts;
    std::vector<Ask> asks;
    uint64_t dropped, late;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      acts.swap(acts_);
      asks.swap(asks_);
      dropped = dropped_;
      dropped_ = 0;
      late = late_;
    }
    Napi::Array list = Napi::Array::New(env, acts.size());
    for (uint32_t i = 0; i < acts.size(); i++) {
      Napi::Object item = Napi::Object::New(env);
      item.Set("pid", Napi::Number::New(env, acts[i].pid));
      item.Set("startNs", Napi::BigInt::New(env, acts[i].start_ns));
      item.Set("handle", Napi::Number::New(env, acts[i].handle));
      item.Set("outcome", kOutcomes[acts[i].outcome]);
      item.Set("path", acts[i].path);
      item.Set("executable", acts[i].executable);
      item.Set("error", acts[i].error);
      list.Set(i, item);
    }
    Napi::Array asked = Napi::Array::New(env, asks.size());
    for (uint32_t i = 0; i < asks.size(); i++) {
      Napi::Object item = Napi::Object::New(env);
      item.Set("id", Napi::Number::New(env, static_cast<double>(asks[i].id)));
      item.Set("fd", Napi::Number::New(env, asks[i].fd));
      item.Set("path", asks[i].path);
      item.Set("identity", asks[i].identity);
      asked.Set(i, item);
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("acts", list);
    result.Set("asks", asked);
    result.Set("dropped", Napi::Number::New(env, static_cast<double>(dropped)));
    result.Set("late", Napi::Number::New(env, static_cast<double>(late)));
    return result;
  }

  void Answer(int fd, bool deny) {
    fanotify_response response = {fd, static_cast<uint32_t>(deny ? FAN_DENY : FAN_ALLOW)};
    if (write(fan_, &response, sizeof response) != sizeof response) errno = 0;
    close(fd);
  }

  // Answers once, with the mutex held.
  void Settle(Job *job, bool deny) {
    if (job->answered) return;
    job->answered = true;
    Answer(job->fd, deny);
    while (!waiting_.empty() && waiting_.front()->answered) waiting_.pop_front();
  }

  // With the mutex held.
  void Tell(const Job &job, const Rule &rule, Outcome outcome, uint64_t start_ns, const std::string &executable,
            const std::string &error = "") {
    if (acts_.size() < kMaxActs)
      acts_.push_back({job.pid, start_ns, rule.handle, outcome, job.path, executable, error});
    else
      dropped_++;
  }

  // With the mutex held: does what the rule says about an open, and tells it. Returns whether the open is refused. Who is
  // cut off is so before the open returns: what was read never meets an open way out.
  bool Enforce(const Job &job, const Rule &rule, bool spared, uint64_t start_ns, const std::string &executable) {
    if (rule.cut_ns == 0 || spared) {
      Tell(job, rule, spared ? kProtected : kApplied, start_ns, executable);
      return !spared;
    }
    timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    const uint64_t now_ns = static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
    const std::string error = CutOff(cut_map_, job.pid, start_ns, rule.handle, rule.closed, now_ns + rule.cut_ns);
    Tell(job, rule, error.empty() ? kCut : kNotCut, start_ns, executable, error);
    return !error.empty() && rule.closed;
  }

  // Who asks, and whether they may; may hang where /proc leads to a file system that does.
  void Judge() {
    pthread_setname_np(pthread_self(), "sentinel-judge");
    for (;;) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        work_.wait(lock, [this] { return stopping_ || !todo_.empty(); });
        if (todo_.empty()) return;
        job = todo_.front();
        todo_.pop_front();
        if (job->answered) continue;
      }
      const bool in_scope = InCgroup(job->pid, scope_);
      const std::string executable = ReadLink("/proc/" + std::to_string(job->pid) + "/exe");
      const Rule *matched = nullptr;
      bool by_content = false;
      for (const Rule &rule : *job->rules) {
        if (!in_scope || matched || !AboutWho(rule, job->path, executable)) continue;
        if (rule.content)
          by_content = true;
        else
          matched = &rule;
      }
      Protection protection;
      if (matched || by_content) protection = ProtectionOf(job->pid);
      const bool spared = !protection.why.empty() && !protection.life_only;
      const uint64_t start_ns = matched || by_content ? StartTicks(job->pid) * kTickNs : 0;
      bool told = false;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!matched && by_content && !spared && !job->answered) {
          job->start_ns = start_ns;
          job->executable = executable;
          if (LookFirst(job, &matched)) {
            notify_.NonBlockingCall();
            continue;
          }
        }
        told = matched && !job->answered;
        Settle(job.get(), told && Enforce(*job, *matched, spared, start_ns, executable));
      }
      if (told) notify_.NonBlockingCall();
    }
  }

  // What was not judged in time is answered as its policy fails. Returns how long to wait for the next, in ms; -1: none.
  int Expire() {
    const uint64_t now = NowNs();
    bool told = false;
    int wait = -1;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      while (!waiting_.empty()) {
        Job *job = waiting_.front().get();
        if (job->deadline_ns > now) {
          wait = static_cast<int>((job->deadline_ns - now) / 1000000) + 1;
          break;
        }
        const std::shared_ptr<Job> held = waiting_.front();
        const Rule *rule = nullptr;
        for (const Rule &each : *job->rules)
          if (About(each, job->path) && (!rule || (each.closed && !rule->closed))) rule = &each;
        late_++;
        if (rule) Tell(*job, *rule, rule->closed ? kLateRefused : kLatePassed, 0, "");
        told = true;
        Settle(job, rule && rule->closed);
      }
    }
    if (told) notify_.NonBlockingCall();
    return wait;
  }

  void Take(int fd, int pid) {
    if (pid == getpid()) return Answer(fd, false);
    std::string path = ReadLink("/proc/self/fd/" + std::to_string(fd));
    std::lock_guard<std::mutex> lock(mutex_);
    const bool about = std::any_of(rules_->begin(), rules_->end(), [&](const Rule &rule) { return About(rule, path); });
    if (!about) return Answer(fd, false);
    auto job = std::make_shared<Job>(Job{fd, pid, std::move(path), rules_, NowNs() + deadline_ns_});
    waiting_.push_back(job);
    // Beyond that the judge hangs anyhow, and the deadline decides.
    if (deadline_ns_ && todo_.size() < kMaxJobs) {
      todo_.push_back(std::move(job));
      work_.notify_one();
    }
  }

  void Run() {
    pthread_setname_np(pthread_self(), "sentinel-guard");
    alignas(fanotify_event_metadata) char buffer[8192];
    pollfd wait[2] = {{fan_, POLLIN, 0}, {wake_, POLLIN, 0}};
    int timeout = -1;
    while (!stopping_) {
      if (poll(wait, 2, timeout) < 0 && errno != EINTR) break;
      for (ssize_t left; (left = read(fan_, buffer, sizeof buffer)) > 0;) {
        for (auto *event = reinterpret_cast<fanotify_event_metadata *>(buffer); FAN_EVENT_OK(event, left);
             event = FAN_EVENT_NEXT(event, left)) {
          if (event->fd < 0) continue;
          if (event->mask & FAN_OPEN_PERM)
            Take(event->fd, event->pid);
          else
            close(event->fd);
        }
      }
      timeout = Expire();
    }
    std::lock_guard<std::mutex> lock(mutex_);
    while (!waiting_.empty()) Settle(std::shared_ptr<Job>(waiting_.front()).get(), false);
  }
};

}  // namespace

void registerFileGuard(Napi::Env env, Napi::Object exports) { FileGuard::Register(env, exports); }

}  // namespace sentinel
