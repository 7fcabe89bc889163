// What the guard of files speaks of: rules, opens that wait for an answer, and what was done about them.
#ifndef SENTINEL_GUARDED_OPEN_H
#define SENTINEL_GUARDED_OPEN_H
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace sentinel {

struct Rule {
  std::string path;  // a directory's with its slash
  bool directory = false;
  uint32_t handle = 0;
  bool closed = false;              // what is not judged in time is refused
  bool content = false;             // only what a look into the file forbids
  uint64_t cut_ns = 0;              // not refused: who opens it is cut off from the network for so long
  std::vector<std::string> except;  // executables
};
using Rules = std::vector<Rule>;

enum Outcome { kApplied = 0, kProtected, kLatePassed, kLateRefused, kCut, kNotCut };
constexpr const char *kOutcomes[] = {"applied", "protected_process", "late_passed", "late_refused", "cut", "not_cut"};

// An open that a rule is about.
struct Job {
  int fd, pid;
  std::string path;
  std::shared_ptr<const Rules> rules;
  uint64_t deadline_ns;
  uint64_t start_ns = 0;
  std::string executable;
  bool answered = false;
};

// A file that somebody has to look into before it may be opened. The descriptor is whose takes it.
struct Ask {
  uint64_t id;
  int fd;
  std::string path, identity;
};

struct Act {
  int pid;
  uint64_t start_ns;
  uint32_t handle;
  Outcome outcome;
  std::string path, executable;
  std::string error = {};  // why it was not cut off
};

inline uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

inline bool About(const Rule &rule, const std::string &path) {
  return rule.directory ? path.compare(0, rule.path.size(), rule.path) == 0 : path == rule.path;
}

// Whether a rule is about an open of this path by this executable.
inline bool AboutWho(const Rule &rule, const std::string &path, const std::string &executable) {
  return About(rule, path) && std::find(rule.except.begin(), rule.except.end(), executable) == rule.except.end();
}

inline std::string ReadLink(const std::string &path) {
  char text[PATH_MAX];
  ssize_t n = readlink(path.c_str(), text, sizeof text);
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : std::string();
}

// One text for each state of a file's content, as agent/dlp/open-file.ts has it.
inline std::string ContentIdentity(int fd) {
  struct stat s;
  if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) return std::string();
  const auto ns = [](const timespec &t) { return std::to_string(int64_t{t.tv_sec} * 1000000000 + t.tv_nsec); };
  return std::to_string(s.st_dev) + ":" + std::to_string(s.st_ino) + ":" + std::to_string(s.st_size) + ":" +
         ns(s.st_mtim) + ":" + ns(s.st_ctim);
}

// Whether a process is in a cgroup, as /proc/PID/cgroup has it; every process is in "".
inline bool InCgroup(int pid, const std::string &scope) {
  if (scope.empty()) return true;
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  text[n > 0 ? n : 0] = 0;
  const char *own = strstr(text, "0::");
  if (!own || strncmp(own + 3, scope.c_str(), scope.size()) != 0) return false;
  const char after = own[3 + scope.size()];
  return after == '\n' || after == '/' || after == 0;
}

}  // namespace sentinel

#endif
