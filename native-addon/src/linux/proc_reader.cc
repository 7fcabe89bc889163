#include "linux/proc_reader.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace sentinel {
namespace {

constexpr uint32_t kPfKthread = 0x00200000;
constexpr uint32_t kInitPidNs = 0xeffffffc;

// Contents of /proc/PID/NAME, at most size - 1 bytes and a NUL; -1 when it cannot be read.
ssize_t readFile(pid_t pid, const char *name, char *buffer, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  size_t filled = 0;
  while (filled < size - 1) {
    const ssize_t got = read(fd, buffer + filled, size - 1 - filled);
    if (got <= 0) break;
    filled += static_cast<size_t>(got);
  }
  close(fd);
  buffer[filled] = 0;
  return static_cast<ssize_t>(filled);
}

ssize_t readLink(pid_t pid, const char *name, char *buffer, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  const ssize_t got = readlink(path, buffer, size - 1);
  if (got >= 0) buffer[got] = 0;
  return got;
}

uint32_t readId(pid_t pid, const char *name) {
  char text[32];
  return readFile(pid, name, text, sizeof text) <= 0 ? SN_UNKNOWN_ID
                                                     : static_cast<uint32_t>(strtoul(text, nullptr, 10));
}

uint32_t readNamespace(pid_t pid, const char *name) {
  char text[64];
  if (readLink(pid, name, text, sizeof text) <= 0) return 0;
  const char *open = strchr(text, '[');
  return open == nullptr ? 0 : static_cast<uint32_t>(strtoul(open + 1, nullptr, 10));
}

void appendString(std::vector<uint8_t> &out, size_t descriptorAt, uint8_t kind, const void *bytes, size_t length,
                  size_t limit, uint64_t original) {
  sn_str text = {};
  text.kind = kind;
  if (length > limit) length = limit;
  text.len = static_cast<uint16_t>(length);
  text.orig = static_cast<uint32_t>(std::min<uint64_t>(original, SN_UNKNOWN_ID));
  if (original > length) text.flags = SN_STR_CUT;
  memcpy(out.data() + descriptorAt, &text, sizeof text);
  const uint8_t *from = static_cast<const uint8_t *>(bytes);
  out.insert(out.end(), from, from + length);
}

void flagUnreadable(std::vector<uint8_t> &out, size_t descriptorAt, uint8_t kind) {
  sn_str text = {};
  text.kind = kind;
  text.flags = SN_STR_FAULT;
  memcpy(out.data() + descriptorAt, &text, sizeof text);
}

uint64_t toNs(const struct timespec &time) {
  return static_cast<uint64_t>(time.tv_sec) * 1000000000ull + static_cast<uint64_t>(time.tv_nsec);
}

bool writableByAll(std::string path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return false;
  path.resize(slash == 0 ? 1 : slash);
  struct stat directory;
  return stat(path.c_str(), &directory) == 0 && (directory.st_mode & S_IWOTH) != 0;
}

bool namesContainer(const std::string &path) {
  size_t run = 0;
  for (const char c : path) {
    run = isxdigit(static_cast<unsigned char>(c)) ? run + 1 : 0;
    if (run == 64) return true;
  }
  return path.compare(0, 5, "/lxc/") == 0 || path.find("/lxc.payload.") != std::string::npos;
}

}  // namespace

ProcStat readProcStat(pid_t pid) {
  ProcStat stat;
  char text[1024];
  if (readFile(pid, "stat", text, sizeof text) <= 0) return stat;
  const char *open = strchr(text, '(');
  const char *close = strrchr(text, ')');
  if (open == nullptr || close == nullptr || close < open) return stat;
  const size_t length = std::min<size_t>(static_cast<size_t>(close - open - 1), SN_COMM_LEN - 1);
  memcpy(stat.comm, open + 1, length);
  // Field 3 follows the name. Numbers of fields are those of proc(5).
  char *at = const_cast<char *>(close) + 2;
  uint64_t argStart = 0;
  for (int field = 3; at != nullptr && *at != 0; ++field) {
    char *end = strchr(at, ' ');
    if (end != nullptr) *end = 0;
    switch (field) {
      case 4: stat.ppid = static_cast<uint32_t>(strtoul(at, nullptr, 10)); break;
      case 6: stat.sid = static_cast<uint32_t>(strtoul(at, nullptr, 10)); break;
      case 7: stat.tty = static_cast<uint32_t>(strtol(at, nullptr, 10)); break;
      case 9: stat.kthread = (strtoul(at, nullptr, 10) & kPfKthread) != 0; break;
      case 22:
        stat.startNs = strtoull(at, nullptr, 10) * kTickNs;
        stat.found = true;
        break;
      case 48: argStart = strtoull(at, nullptr, 10); break;
      case 49: {
        const uint64_t argEnd = strtoull(at, nullptr, 10);
        stat.argBytes = argEnd > argStart ? argEnd - argStart : 0;
        break;
      }
    }
    at = end == nullptr ? nullptr : end + 1;
  }
  return stat;
}

ProcIds readProcIds(pid_t pid) {
  ProcIds ids;
  char text[16384];  // the groups come before the capabilities
  if (readFile(pid, "status", text, sizeof text) <= 0) return ids;
  for (char *line = text; line != nullptr; line = strchr(line, '\n')) {
    if (*line == '\n') ++line;
    if (strncmp(line, "Uid:", 4) == 0) {
      ids.found = sscanf(line + 4, "%u %u %u", &ids.uid[0], &ids.uid[1], &ids.uid[2]) == 3;
    } else if (strncmp(line, "Gid:", 4) == 0) {
      sscanf(line + 4, "%u %u %u", &ids.gid[0], &ids.gid[1], &ids.gid[2]);
    } else if (strncmp(line, "CapEff:", 7) == 0) {
      ids.capEffective = strtoull(line + 7, nullptr, 16);
    } else if (strncmp(line, "NSpid:", 6) == 0) {
      uint32_t count = 0, last = 0;
      const char *end = strchr(line, '\n');
      for (char *at = line + 6; end != nullptr && at < end;) {
        char *next;
        last = static_cast<uint32_t>(strtoul(at, &next, 10));
        if (next == at || next > end) break;
        ++count;
        at = next;
      }
      if (count > 1) ids.nsPid = last;
    }
  }
  return ids;
}

void closeRecord(std::vector<uint8_t> &out, size_t at) {
  while ((out.size() - at) % 8 != 0) out.push_back(0);
  const uint32_t length = static_cast<uint32_t>(out.size() - at);
  memcpy(out.data() + at + offsetof(sn_header, len), &length, sizeof length);
}

ProcReader::Cgroup ProcReader::readCgroup(pid_t pid) {
  Cgroup result;
  char text[8192];
  if (readFile(pid, "cgroup", text, sizeof text) <= 0) return result;
  std::string v2, container;
  char *rest = nullptr;
  for (char *line = strtok_r(text, "\n", &rest); line != nullptr; line = strtok_r(nullptr, "\n", &rest)) {
    const char *first = strchr(line, ':');
    const char *second = first == nullptr ? nullptr : strchr(first + 1, ':');
    if (second == nullptr) continue;
    const std::string path(second + 1);
    if (line[0] == '0' && second == first + 1) v2 = path;
    if (container.empty() && namesContainer(path)) container = path;
  }
  result.path = namesContainer(v2) || container.empty() ? v2 : container;
  if (cgroupMount_.empty() || v2.empty()) return result;
  if (v2 == lastCgroup_.path) {
    result.id = lastCgroup_.id;
    return result;
  }
  struct stat directory;
  if (stat((cgroupMount_ + v2).c_str(), &directory) == 0) {
    result.id = directory.st_ino;
    lastCgroup_ = {v2, result.id};
  }
  return result;
}

bool ProcReader::appendProc(std::vector<uint8_t> &out, size_t at, const ProcStat &known, pid_t pid,
                            uint64_t parentStartNs) {
  out.resize(at + sizeof(sn_proc));
  sn_proc body;
  memcpy(&body.h, out.data() + at, sizeof body.h);
  memset(reinterpret_cast<uint8_t *>(&body) + sizeof body.h, 0, sizeof body - sizeof body.h);

  const ProcIds ids = readProcIds(pid);
  char executable[SN_PATH_MAX + 64], cwd[SN_PATH_MAX + 64];
  ssize_t executableLength = readLink(pid, "exe", executable, sizeof executable);
  const ssize_t cwdLength = readLink(pid, "cwd", cwd, sizeof cwd);
  char arguments[SN_ARGV_MAX + 2];
  ssize_t argumentsLength = readFile(pid, "cmdline", arguments, sizeof arguments);
  const Cgroup cgroup = readCgroup(pid);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  struct stat file;
  const bool haveFile = stat(path, &file) == 0;

  body.h.uid = ids.uid[0];
  body.h.euid = ids.uid[1];
  body.h.cgroup = cgroup.id;
  body.parent_start = parentStartNs;
  body.cap_effective = ids.capEffective;
  body.ppid = known.ppid;
  body.gid = ids.gid[0];
  body.egid = ids.gid[1];
  body.loginuid = readId(pid, "loginuid");
  body.session = readId(pid, "sessionid");
  body.tty = known.tty;
  body.sid = known.sid;
  body.exe_mode = body.exe_uid = SN_UNKNOWN_ID;
  memcpy(body.comm, known.comm, sizeof body.comm);
  if (ids.nsPid != 0) {
    body.ns_tgid = ids.nsPid;
    body.ns_pid = readNamespace(pid, "ns/pid");
    body.ns_mnt = readNamespace(pid, "ns/mnt");
    body.ns_net = readNamespace(pid, "ns/net");
    body.ns_user = readNamespace(pid, "ns/user");
  } else {
    body.ns_pid = kInitPidNs;
  }
  if (known.kthread) body.h.flags |= SN_F_KTHREAD;
  if (haveFile) {
    body.exe_ino = file.st_ino;
    body.exe_dev = file.st_dev;
    body.exe_size = static_cast<uint64_t>(file.st_size);
    body.exe_mtime = toNs(file.st_mtim);
    body.exe_ctime = toNs(file.st_ctim);
    body.exe_mode = file.st_mode;
    body.exe_uid = file.st_uid;
    if ((file.st_mode & S_ISUID) != 0) body.h.flags |= SN_F_EXE_SETUID;
    if ((file.st_mode & S_ISGID) != 0) body.h.flags |= SN_F_EXE_SETGID;
    if (file.st_nlink == 0) {
      body.h.flags |= SN_F_EXE_DELETED;
      static const char kDeleted[] = " (deleted)";
      const ssize_t suffix = sizeof kDeleted - 1;
      if (executableLength > suffix && strcmp(executable + executableLength - suffix, kDeleted) == 0) {
        executableLength -= suffix;
        executable[executableLength] = 0;
      }
    }
  }
  if (executableLength > 0) {
    if (strncmp(executable, "/memfd:", 7) == 0) body.h.flags |= SN_F_EXE_MEMFD;
    else if (writableByAll(executable)) body.h.flags |= SN_F_EXE_WRITABLE_DIR;
  }
  memcpy(out.data() + at, &body, sizeof body);

  const auto text = [&](size_t descriptor, const char *bytes, ssize_t length) {
    if (length <= 0) return flagUnreadable(out, at + descriptor, SN_STR_PLAIN);
    appendString(out, at + descriptor, SN_STR_PLAIN, bytes, static_cast<size_t>(length), SN_PATH_MAX,
                 static_cast<uint64_t>(length));
  };
  // Kernel threads have neither.
  if (!known.kthread) {
    text(offsetof(sn_proc, exe), executable, executableLength);
    text(offsetof(sn_proc, cwd), cwd, cwdLength);
    if (argumentsLength <= 0) flagUnreadable(out, at + offsetof(sn_proc, argv), SN_STR_ARGV);
    else {
      if (argumentsLength <= SN_ARGV_MAX && arguments[argumentsLength - 1] != 0) arguments[argumentsLength++] = 0;
      appendString(out, at + offsetof(sn_proc, argv), SN_STR_ARGV, arguments, static_cast<size_t>(argumentsLength),
                   SN_ARGV_MAX, std::max<uint64_t>(known.argBytes, static_cast<uint64_t>(argumentsLength)));
    }
  }
  if (!cgroup.path.empty()) {
    appendString(out, at + offsetof(sn_proc, cgroup_path), SN_STR_PLAIN, cgroup.path.data(), cgroup.path.size(), 512,
                 cgroup.path.size());
  }
  closeRecord(out, at);
  const ProcStat after = readProcStat(pid);
  return after.found && after.startNs == known.startNs;
}

}  // namespace sentinel
