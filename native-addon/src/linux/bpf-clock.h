// Clocks, and the processor time that the reading threads ask for.
#ifndef SENTINEL_BPF_CLOCK_H
#define SENTINEL_BPF_CLOCK_H
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace sentinel {

constexpr int64_t kSecondNs = 1000000000;
// For how long at once the reader and the main thread ask for the processor: who asks for little gets it sooner when
// others want it too, and no larger share. Since Linux 6.12, ignored before.
constexpr uint64_t kSliceNs = 100000;

// struct sched_attr of sched_setattr(2), which the C library does not have.
struct sched_attr_v0 {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

inline int64_t Now(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * kSecondNs + t.tv_nsec;
}

// CLOCK_REALTIME - CLOCK_BOOTTIME, from the tightest of a few readings.
inline int64_t WallOffset() {
  int64_t best = 0, width = INT64_MAX;
  for (int i = 0; i < 4; i++) {
    int64_t before = Now(CLOCK_BOOTTIME), wall = Now(CLOCK_REALTIME), after = Now(CLOCK_BOOTTIME);
    if (after - before < width) {
      width = after - before;
      best = wall - (before + after) / 2;
    }
  }
  return best;
}

// Of the calling thread.
inline void AskForShortSlices() {
  sched_attr_v0 attributes{};
  attributes.size = sizeof attributes;
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.size = sizeof attributes;
  attributes.runtime = kSliceNs;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace sentinel

#endif
