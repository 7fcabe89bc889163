// Cuts a process off from the network: an entry of the kernel's map, by which the connect hooks refuse. By the plain system
// call, because the guard of files does it too, in an addon without libbpf.
#ifndef SENTINEL_CUT_OFF_H
#define SENTINEL_CUT_OFF_H
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "../host/protected.h"
#include "sensor-abi.h"

namespace sentinel {

// `start_ns`: of the process, to the clock tick. Returns '' or why not.
inline std::string CutOff(int map, int pid, uint64_t start_ns, uint32_t handle, bool fail_closed, uint64_t until_ns) {
  constexpr uint64_t kTick = 10000000;
  sn_cut cut = {};
  cut.start = start_ns / kTick;
  cut.until_ns = until_ns;
  cut.root = static_cast<uint32_t>(pid);
  cut.verdict = {handle, fail_closed ? SN_VERDICT_FAIL_CLOSED : 0u};
  const Protection protection = ProtectionOf(pid);
  if (!protection.why.empty() && !protection.life_only) return "protected: " + protection.why;
  bpf_attr attr = {};
  attr.map_fd = static_cast<uint32_t>(map);
  attr.key = reinterpret_cast<uintptr_t>(&cut.root);
  attr.value = reinterpret_cast<uintptr_t>(&cut);
  if (syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof attr) != 0)
    return errno == E2BIG ? "too many processes are cut off already" : strerror(errno);
  // It may have ended before the entry was made, and then nobody takes it out.
  if (StartTicks(pid) == cut.start) return "";
  attr.value = 0;  // else the kernel refuses to delete
  syscall(SYS_bpf, BPF_MAP_DELETE_ELEM, &attr, sizeof attr);
  return "it had ended";
}

}  // namespace sentinel

#endif
