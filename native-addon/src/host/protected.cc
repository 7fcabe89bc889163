#include "protected.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <iterator>
#include <map>
#include <mutex>

namespace sentinel {

namespace {

constexpr unsigned kKernelThread = 0x00200000;  // PF_KTHREAD

struct Facts {
  int ppid = 0;
  unsigned flags = 0;
  uint64_t start = 0;
};

Facts ReadStat(int pid) {
  Facts facts;
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return facts;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return facts;
  text[n] = 0;
  // The name may hold anything, also parentheses: fields are counted from the last one.
  const char *at = strrchr(text, ')');
  unsigned long long start = 0;
  int ppid = 0;
  unsigned flags = 0;
  if (at && sscanf(at + 1, " %*c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &ppid,
                   &flags, &start) == 3) {
    facts.ppid = ppid;
    facts.flags = flags;
    facts.start = start;
  }
  return facts;
}

// Where distributions put what a session does not survive without.
const char *const kCandidates[] = {
    "/sbin/init",
    "/usr/lib/systemd/systemd",
    "/usr/lib/systemd/systemd-executor",
    "/usr/lib/systemd/systemd-logind",
    "/usr/lib/systemd/systemd-journald",
    "/usr/lib/systemd/systemd-udevd",
    "/usr/lib/systemd/systemd-networkd",
    "/usr/lib/systemd/systemd-resolved",
    "/usr/bin/dbus-daemon",
    "/usr/bin/dbus-broker",
    "/usr/bin/dbus-broker-launch",
    "/usr/sbin/sshd",
    "/usr/lib/openssh/sshd-session",
    "/usr/libexec/openssh/sshd-session",
    "/usr/bin/login",
    "/sbin/agetty",
    "/usr/sbin/gdm3",
    "/usr/sbin/gdm",
    "/usr/libexec/gdm-session-worker",
    "/usr/lib/gdm3/gdm-session-worker",
    "/usr/bin/sddm",
    "/usr/sbin/lightdm",
    "/usr/bin/gnome-shell",
    "/usr/libexec/gnome-session-binary",
    "/usr/bin/gnome-session-binary",
    "/usr/lib/xorg/Xorg",
    "/usr/libexec/Xorg",
    "/usr/bin/Xorg",
    "/usr/bin/Xwayland",
    "/usr/bin/kwin_wayland",
    "/usr/bin/kwin_x11",
    "/usr/bin/ksmserver",
    "/usr/bin/plasmashell",
    "/usr/bin/startplasma-wayland",
    "/usr/bin/startplasma-x11",
    "/usr/bin/xfce4-session",
    "/usr/bin/mate-session",
    "/usr/bin/cinnamon-session",
    "/usr/bin/sway",
    "/usr/bin/weston",
};

// Device of the file system of an open file: st_dev is another one on btrfs and overlayfs.
dev_t SuperDevice(int fd, dev_t otherwise) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE *info = fopen(path, "re");
  int wanted = -1;
  while (info && fgets(line, sizeof line, info)) sscanf(line, "mnt_id: %d", &wanted);
  if (info) fclose(info);
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  dev_t found = otherwise;
  while (mounts && fgets(line, sizeof line, mounts)) {
    int id;
    unsigned major, minor;
    if (sscanf(line, "%d %*d %u:%u", &id, &major, &minor) == 3 && id == wanted) found = makedev(major, minor);
  }
  if (mounts) fclose(mounts);
  return found;
}

std::vector<ProtectedExecutable> FindExecutables() {
  std::vector<ProtectedExecutable> found;
  for (const char *candidate : kCandidates) {
    char *resolved = realpath(candidate, nullptr);
    if (!resolved) continue;
    struct stat stat;
    int fd = open(resolved, O_PATH | O_CLOEXEC);
    const char *name = strrchr(resolved, '/');
    // Somebody's init may be a shell or a toolbox, which is not what is meant; and what others may write proves nothing.
    const bool is_init = strcmp(candidate, "/sbin/init") != 0 || strcmp(name, "/init") == 0 || strcmp(name, "/systemd") == 0;
    if (fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_uid == 0 &&
        !(stat.st_mode & (S_IWGRP | S_IWOTH)) && is_init)
      found.push_back({resolved, {stat.st_dev, stat.st_ino}, SuperDevice(fd, stat.st_dev)});
    if (fd >= 0) close(fd);
    free(resolved);
  }
  return found;
}

constexpr size_t kMaxNamed = 4096;

std::mutex mutex;
std::map<int, Protection> named;  // by pid

// Those this process came from, and itself: the shell it was started from, the session, the supervisor.
void NameAncestors() {
  static bool done = false;
  if (done) return;
  done = true;
  int pid = getpid();
  const char *why = "the agent itself";
  for (int depth = 0; pid > 1 && depth < 64; depth++) {
    Facts facts = ReadStat(pid);
    if (!facts.start) break;
    named[pid] = {why, facts.start, false};
    why = "the agent was started from it";
    pid = facts.ppid;
  }
  // Whoever leads the session may have started it by way of a process that is gone.
  const int leader = getsid(0);
  const uint64_t start = leader > 1 ? ReadStat(leader).start : 0;
  if (start) named.insert({leader, {"it leads the agent's session", start, false}});
}

// Forgets those that ended. With the mutex held.
void Prune() {
  for (auto at = named.begin(); at != named.end();)
    at = ReadStat(at->first).start == at->second.start ? std::next(at) : named.erase(at);
}

}  // namespace

uint64_t StartTicks(int pid) { return ReadStat(pid).start; }

const std::vector<ProtectedExecutable> &ProtectedExecutables() {
  static const std::vector<ProtectedExecutable> found = FindExecutables();
  return found;
}

void ProtectProcess(int pid, const std::string &why) {
  std::lock_guard<std::mutex> lock(mutex);
  NameAncestors();
  const uint64_t start = StartTicks(pid);
  if (!start) return;
  if (named.size() >= kMaxNamed) Prune();
  auto found = named.find(pid);
  // Who is protected altogether stays so.
  if (named.size() < kMaxNamed && (found == named.end() || found->second.start != start))
    named[pid] = {why, start, true};
}

Protection ProtectionOf(int pid) {
  const Facts facts = ReadStat(pid);
  if (pid == 1) return {"init", facts.start};
  if (!facts.start) return {};
  if (facts.flags & kKernelThread) return {"a kernel thread", facts.start};
  {
    std::lock_guard<std::mutex> lock(mutex);
    NameAncestors();
    auto found = named.find(pid);
    if (found != named.end() && found->second.start == facts.start) return found->second;
  }
  char path[64];
  struct stat stat;
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  if (::stat(path, &stat) == 0)
    for (const ProtectedExecutable &executable : ProtectedExecutables())
      if (executable.id.dev == stat.st_dev && executable.id.ino == stat.st_ino)
        return {"it holds the session together (" + executable.path + ")", facts.start};
  return {};
}

}  // namespace sentinel
