// Reads /proc/PID right after the kernel told of it, and writes sensor records (events.h). For the proc connector.
#ifndef SENTINEL_PROC_READER_H
#define SENTINEL_PROC_READER_H
#include <stdint.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "linux/events.h"

namespace sentinel {

constexpr uint64_t kTickNs = 10000000;  // USER_HZ is 100 on every Linux ABI

// Fields of /proc/PID/stat.
struct ProcStat {
  bool found = false;
  char comm[SN_COMM_LEN] = {};
  uint32_t ppid = 0, sid = 0, tty = 0;
  bool kthread = false;
  uint64_t startNs = 0;  // beginning of the tick
  uint64_t argBytes = 0;
};
ProcStat readProcStat(pid_t pid);

// Real, effective and saved ids and effective capabilities of /proc/PID/status.
struct ProcIds {
  bool found = false;
  uint32_t uid[3] = {SN_UNKNOWN_ID, SN_UNKNOWN_ID, SN_UNKNOWN_ID};
  uint32_t gid[3] = {SN_UNKNOWN_ID, SN_UNKNOWN_ID, SN_UNKNOWN_ID};
  uint64_t capEffective = 0;
  uint32_t nsPid = 0;  // innermost pid, 0 when not in a nested pid namespace
};
ProcIds readProcIds(pid_t pid);

class ProcReader {
 public:
  // `cgroupMount`: where cgroup v2 is mounted, empty if nowhere.
  explicit ProcReader(std::string cgroupMount) : cgroupMount_(std::move(cgroupMount)) {}

  // Appends the body and strings of an sn_proc to `out`, which holds its header already (started at `at`), fills the
  // header's ids and closes the record. What cannot be read is flagged SN_STR_FAULT. Returns whether the process was
  // still the one that started at `startNs`.
  bool appendProc(std::vector<uint8_t> &out, size_t at, const ProcStat &stat, pid_t pid, uint64_t parentStartNs);

 private:
  struct Cgroup {
    std::string path;
    uint64_t id = 0;
  };
  Cgroup readCgroup(pid_t pid);

  std::string cgroupMount_;
  Cgroup lastCgroup_;
};

// Pads the record that began at `at` to 8 bytes and writes its length.
void closeRecord(std::vector<uint8_t> &out, size_t at);

}  // namespace sentinel
#endif
