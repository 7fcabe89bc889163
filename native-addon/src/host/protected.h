// Who is beyond the reach of any policy: init, kernel threads, this process and those it came from, and the programs
// that hold the session together. Looked up by whoever acts, at the moment of acting.
#ifndef SENTINEL_HOST_PROTECTED_H
#define SENTINEL_HOST_PROTECTED_H
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sentinel {

// A file by device and inode, as stat(2) gives them.
struct FileId {
  dev_t dev;
  ino_t ino;
};

struct ProtectedExecutable {
  std::string path;  // resolved
  FileId id;         // as stat(2) says
  dev_t super_dev;   // of the file system, which is what the kernel's side sees
};

// Start of a process in clock ticks since boot; 0 when there is none.
uint64_t StartTicks(int pid);

// Why no policy may touch process `pid`; empty when one may, or when there is no such process.
std::string ProtectedReason(int pid);

// Adds a process (the console's host, the keeper of the hooks) to those that are protected, while it lives.
void ProtectProcess(int pid);

// The executables of the session that exist here, found once.
const std::vector<ProtectedExecutable> &ProtectedExecutables();

}  // namespace sentinel

#endif
