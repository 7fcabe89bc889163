// Turns the process connector's messages, which hold little more than pids, into sensor records: what is missing is read
// from /proc at once, or known from the messages before.
#ifndef SENTINEL_PROC_TRACKER_H
#define SENTINEL_PROC_TRACKER_H
#include <linux/cn_proc.h>
#include <stdint.h>
#include <sys/types.h>

#include <atomic>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "linux/proc_reader.h"

namespace sentinel {

struct Batch {
  std::vector<uint8_t> bytes;
  uint32_t count = 0;
};

class ProcTracker {
 public:
  // `everything`, or only `members` and their descendants.
  ProcTracker(std::string cgroupMount, bool everything, const std::vector<uint32_t> &members);

  // Learns who is there. After subscribing, so that nobody falls between the listing and the first event.
  void learnAll();
  // Appends the records of one message to `batch`.
  void handle(const proc_event &event, uint64_t bootNs);

  Batch batch;
  // `vanished`: programs that ended before they could be read. `unassigned`: messages of processes whose start was lost
  // and whose ancestry is gone, so that nobody can say whether they belong to the scope.
  std::atomic<uint64_t> records{0}, vanished{0};
  uint64_t unassigned = 0;

 private:
  struct Process {
    uint64_t startNs = 0;
    uint32_t ppid = 0;
    uint32_t uid = SN_UNKNOWN_ID, euid = SN_UNKNOWN_ID, gid = SN_UNKNOWN_ID, egid = SN_UNKNOWN_ID;
    uint64_t cgroup = 0;
    char comm[SN_COMM_LEN] = {};
  };

  Process &learn(pid_t pid);
  Process &known(pid_t pid);
  bool inScope(pid_t pid) const { return everything_ || members_.count(static_cast<uint32_t>(pid)) != 0; }
  void adopt(pid_t pid, pid_t ppid, bool isFound);
  size_t begin(uint8_t type, pid_t pid, const Process &process, uint64_t bootNs);
  template <typename Body>
  void finish(size_t at, Body &body);
  void forked(pid_t pid, pid_t ppid, uint64_t bootNs);
  void executed(pid_t pid, uint64_t bootNs);
  void exited(pid_t pid, pid_t ppid, uint32_t status, uint64_t bootNs);
  void idsChanged(pid_t pid, uint8_t type, uint64_t bootNs);
  void traced(pid_t tracer, pid_t target, uint64_t bootNs);

  ProcReader reader_;
  bool everything_;
  std::unordered_set<uint32_t> members_;
  std::unordered_map<pid_t, Process> processes_;
};

}  // namespace sentinel
#endif
