#include "linux/proc_tracker.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

namespace sentinel {
namespace {
constexpr size_t kMaxProcesses = 131072;
constexpr uint32_t kPtraceAttach = 16;
}  // namespace

ProcTracker::ProcTracker(std::string cgroupMount, bool everything, const std::vector<uint32_t> &members)
    : reader_(std::move(cgroupMount)), everything_(everything), members_(members.begin(), members.end()) {}

void ProcTracker::learnAll() {
  DIR *directory = opendir("/proc");
  if (directory == nullptr) return;
  while (const dirent *entry = readdir(directory)) {
    const pid_t pid = atoi(entry->d_name);
    if (pid > 0) learn(pid);
  }
  closedir(directory);
}

ProcTracker::Process &ProcTracker::learn(pid_t pid) {
  Process &process = processes_[pid];
  const ProcStat stat = readProcStat(pid);
  if (stat.found) {
    process.startNs = stat.startNs;
    process.ppid = stat.ppid;
    memcpy(process.comm, stat.comm, sizeof process.comm);
    const ProcIds ids = readProcIds(pid);
    process.uid = ids.uid[0];
    process.euid = ids.uid[1];
    process.gid = ids.gid[0];
    process.egid = ids.gid[1];
  }
  return process;
}

ProcTracker::Process &ProcTracker::known(pid_t pid) {
  const auto found = processes_.find(pid);
  if (found != processes_.end()) return found->second;
  // Its start was before ours (then it was listed) or its message was lost.
  Process &process = learn(pid);
  if (!inScope(pid)) adopt(pid, static_cast<pid_t>(process.ppid), process.startNs != 0);
  return process;
}

// A process whose start was lost belongs to the scope if its parent does.
void ProcTracker::adopt(pid_t pid, pid_t ppid, bool isFound) {
  if (isFound && inScope(ppid)) {
    members_.insert(static_cast<uint32_t>(pid));
  } else if (!isFound) {
    ++unassigned;
  }
}

void ProcTracker::handle(const proc_event &event, uint64_t bootNs) {
  const auto &data = event.event_data;
  switch (event.what) {
    case proc_event::PROC_EVENT_FORK:
      if (data.fork.child_pid == data.fork.child_tgid) {
        forked(data.fork.child_tgid, data.fork.parent_tgid, bootNs);
      }
      break;
    case proc_event::PROC_EVENT_EXEC:
      executed(data.exec.process_tgid, bootNs);
      break;
    case proc_event::PROC_EVENT_EXIT:
      if (data.exit.process_pid == data.exit.process_tgid) {
        exited(data.exit.process_tgid, data.exit.parent_tgid, data.exit.exit_code, bootNs);
      }
      break;
    case proc_event::PROC_EVENT_UID:
      if (data.id.process_pid == data.id.process_tgid) idsChanged(data.id.process_tgid, SN_SETUID, bootNs);
      break;
    case proc_event::PROC_EVENT_GID:
      if (data.id.process_pid == data.id.process_tgid) idsChanged(data.id.process_tgid, SN_SETGID, bootNs);
      break;
    case proc_event::PROC_EVENT_PTRACE:
      if (data.ptrace.tracer_tgid != 0) traced(data.ptrace.tracer_tgid, data.ptrace.process_tgid, bootNs);
      break;
    case proc_event::PROC_EVENT_COMM: {
      if (data.comm.process_pid != data.comm.process_tgid) break;
      Process &process = known(data.comm.process_tgid);
      memcpy(process.comm, data.comm.comm, sizeof process.comm);
      process.comm[SN_COMM_LEN - 1] = 0;
      break;
    }
    default:
      break;  // sessions, core dumps (their exit follows), what newer kernels add
  }
}

// Starts a record: appends a header for `process` and returns where it begins.
size_t ProcTracker::begin(uint8_t type, pid_t pid, const Process &process, uint64_t bootNs) {
  const size_t at = batch.bytes.size();
  sn_header header = {};
  header.type = type;
  header.ver = SN_VERSION;
  header.ts = bootNs;
  header.start = process.startNs;
  header.tgid = static_cast<uint32_t>(pid);
  header.tid = static_cast<uint32_t>(pid);
  header.uid = process.uid;
  header.euid = process.euid;
  header.cgroup = process.cgroup;
  const uint8_t *from = reinterpret_cast<const uint8_t *>(&header);
  batch.bytes.insert(batch.bytes.end(), from, from + sizeof header);
  return at;
}

// Finishes a record whose body is `body` (which begins with the header).
template <typename Body>
void ProcTracker::finish(size_t at, Body &body) {
  memcpy(&body.h, batch.bytes.data() + at, sizeof body.h);
  batch.bytes.resize(at + sizeof body);
  memcpy(batch.bytes.data() + at, &body, sizeof body);
  closeRecord(batch.bytes, at);
  ++batch.count;
  ++records;
}

void ProcTracker::forked(pid_t pid, pid_t ppid, uint64_t bootNs) {
  if (processes_.size() >= kMaxProcesses) {
    // Exits were lost: begin anew with those that are there.
    processes_.clear();
    learnAll();
  }
  const Process parent = known(ppid);
  Process &child = processes_[pid];
  child = parent;
  child.ppid = static_cast<uint32_t>(ppid);
  const ProcStat stat = readProcStat(pid);
  // The message follows the start within microseconds, so its tick is the process's unless a tick ended between.
  child.startNs = stat.found ? stat.startNs : bootNs / kTickNs * kTickNs;
  if (!everything_) {
    if (!inScope(ppid)) {
      // The number may have been a member's whose end was lost.
      members_.erase(static_cast<uint32_t>(pid));
      return;
    }
    members_.insert(static_cast<uint32_t>(pid));
  }
  const size_t at = begin(SN_FORK, pid, child, bootNs);
  sn_fork body = {};
  body.parent_start = body.creator_start = parent.startNs;
  body.ppid = body.creator_pid = static_cast<uint32_t>(ppid);
  memcpy(body.comm, child.comm, sizeof body.comm);
  finish(at, body);
}

void ProcTracker::executed(pid_t pid, uint64_t bootNs) {
  Process &process = known(pid);
  if (!inScope(pid)) return;
  ProcStat stat = readProcStat(pid);
  const bool same = stat.found && (process.startNs == 0 || stat.startNs == process.startNs);
  if (process.startNs == 0 && stat.found) process.startNs = stat.startNs;
  if (!same) {
    // Gone (or its pid taken) before it could be read: what is known of the fork must do.
    stat = {};
    stat.ppid = process.ppid;
    stat.startNs = process.startNs;
    memcpy(stat.comm, process.comm, sizeof stat.comm);
  } else {
    memcpy(process.comm, stat.comm, sizeof process.comm);
  }
  const auto parent = processes_.find(static_cast<pid_t>(process.ppid));
  const uint64_t parentStart = parent == processes_.end() ? 0 : parent->second.startNs;
  const size_t at = begin(SN_EXEC, pid, process, bootNs);
  // pid 0 does not exist, so nothing of another process is read.
  if (!reader_.appendProc(batch.bytes, at, stat, same ? pid : 0, parentStart)) ++vanished;
  sn_header header;
  memcpy(&header, batch.bytes.data() + at, sizeof header);
  if (header.uid == SN_UNKNOWN_ID) {
    header.uid = process.uid;
    header.euid = process.euid;
    memcpy(batch.bytes.data() + at, &header, sizeof header);
  } else {
    process.uid = header.uid;
    process.euid = header.euid;
    process.cgroup = header.cgroup;
  }
  ++batch.count;
  ++records;
}

void ProcTracker::exited(pid_t pid, pid_t ppid, uint32_t status, uint64_t bootNs) {
  const auto before = processes_.find(pid);
  const bool isNew = before == processes_.end() || before->second.startNs == 0;
  // Its start was lost, but its end names the parent.
  if (!everything_ && isNew && inScope(ppid)) members_.insert(static_cast<uint32_t>(pid));
  const Process process = known(pid);
  processes_.erase(pid);
  const bool wanted = inScope(pid);
  members_.erase(static_cast<uint32_t>(pid));
  if (!wanted) return;
  const size_t at = begin(SN_EXIT, pid, process, bootNs);
  sn_exit body = {};
  body.status = status;
  body.ppid = process.ppid;
  memcpy(body.comm, process.comm, sizeof body.comm);
  finish(at, body);
}

void ProcTracker::idsChanged(pid_t pid, uint8_t type, uint64_t bootNs) {
  Process &process = known(pid);
  const Process before = process;
  const ProcIds ids = readProcIds(pid);
  if (!ids.found) return;
  // Only the kind this message is about: the other has a message of its own.
  const bool user = type == SN_SETUID;
  if (user) {
    process.uid = ids.uid[0];
    process.euid = ids.uid[1];
  } else {
    process.gid = ids.gid[0];
    process.egid = ids.gid[1];
  }
  const bool changed = user ? before.uid != process.uid || before.euid != process.euid
                            : before.gid != process.gid || before.egid != process.egid;
  if (!changed || !inScope(pid)) return;
  const size_t at = begin(type, pid, process, bootNs);
  sn_rare body = {};
  const uint32_t *now = user ? ids.uid : ids.gid;
  for (int i = 0; i < 3; ++i) body.a[i] = now[i];
  body.a[3] = user ? before.uid : before.gid;
  body.a[4] = user ? before.euid : before.egid;
  memcpy(body.comm, process.comm, sizeof body.comm);
  body.target_uid = SN_UNKNOWN_ID;
  finish(at, body);
}

void ProcTracker::traced(pid_t tracer, pid_t target, uint64_t bootNs) {
  const Process subject = known(target);
  const Process &process = known(tracer);
  if (!inScope(tracer) && !inScope(target)) return;
  const size_t at = begin(SN_PTRACE, tracer, process, bootNs);
  sn_rare body = {};
  body.target_pid = static_cast<uint32_t>(target);
  body.target_start = subject.startNs;
  body.target_uid = subject.uid;
  body.a[0] = kPtraceAttach;
  memcpy(body.comm, process.comm, sizeof body.comm);
  memcpy(body.target_comm, subject.comm, sizeof body.target_comm);
  finish(at, body);
}

}  // namespace sentinel
