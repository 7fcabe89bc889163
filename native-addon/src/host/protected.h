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

struct Protection {
  std::string why;        // empty: none, or no such process
  uint64_t start = 0;     // in clock ticks
  bool life_only = false; // it may not be ended or frozen; what it asks for may be refused
};

// Whether policies may touch process `pid`.
Protection ProtectionOf(int pid);

// Adds a process (the browser that shows the console) to those that no policy may end, while it lives.
void ProtectProcess(int pid, const std::string &why);

// The executables of the session that exist here, found once.
const std::vector<ProtectedExecutable> &ProtectedExecutables();

}  // namespace sentinel

#endif
