// Takes from this process, for good, what a program that only computes does not need: privileges, files, the network,
// other processes, more memory and more time than it was given. For children that parse what strangers wrote.
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace sentinel {

namespace {

constexpr uid_t kNobody = 65534;

#if defined(__x86_64__)
constexpr uint32_t kArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArch = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kArch = 0;
#endif

// What Node needs once everything is loaded. Anything that is in neither list fails with EPERM.
constexpr uint32_t kAllowed[] = {
    __NR_read,          __NR_write,         __NR_readv,         __NR_writev,       __NR_pread64,
    __NR_close,         __NR_fstat,         __NR_lseek,         __NR_mmap,         __NR_munmap,
    __NR_mprotect,      __NR_mremap,        __NR_madvise,       __NR_brk,          __NR_futex,
    __NR_epoll_pwait,   __NR_epoll_ctl,     __NR_ppoll,         __NR_clock_gettime, __NR_clock_getres,
    __NR_clock_nanosleep, __NR_nanosleep,   __NR_gettimeofday,  __NR_getrandom,    __NR_getpid,
    __NR_gettid,        __NR_getppid,       __NR_getrusage,     __NR_sched_yield,  __NR_sched_getaffinity,
    __NR_rt_sigaction,  __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_sigaltstack,  __NR_restart_syscall,
    __NR_set_robust_list, __NR_membarrier,  __NR_rseq,          __NR_exit,         __NR_exit_group,
    __NR_getcpu,        __NR_sysinfo,       __NR_sched_getparam, __NR_sched_getscheduler,
#ifdef __NR_epoll_wait
    __NR_epoll_wait,
#endif
#ifdef __NR_poll
    __NR_poll,
#endif
#ifdef __NR_newfstatat
    __NR_newfstatat,
#endif
};

// What nothing here does unless it was taken over: the process ends with SIGSYS.
constexpr uint32_t kFatal[] = {
    __NR_execve,       __NR_execveat,     __NR_socket,           __NR_socketpair,       __NR_connect,
    __NR_bind,         __NR_listen,       __NR_accept,           __NR_accept4,          __NR_sendto,
    __NR_ptrace,       __NR_process_vm_readv, __NR_process_vm_writev, __NR_bpf,         __NR_perf_event_open,
    __NR_mount,        __NR_init_module,  __NR_finit_module,     __NR_unshare,          __NR_setns,
    __NR_keyctl,       __NR_add_key,      __NR_userfaultfd,      __NR_memfd_create,     __NR_chroot,
    __NR_io_uring_setup,
#ifdef __NR_fork
    __NR_fork,
#endif
#ifdef __NR_vfork
    __NR_vfork,
#endif
};

void deny(std::vector<sock_filter> &program, uint32_t action) {
  program.push_back(BPF_STMT(BPF_RET | BPF_K, action));
}

// `if the number is `number`, answer `action``.
void rule(std::vector<sock_filter> &program, uint32_t number, uint32_t action) {
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
  deny(program, action);
}

constexpr uint32_t argument(int index) {
  return static_cast<uint32_t>(offsetof(seccomp_data, args)) + static_cast<uint32_t>(index) * 8;
}

std::vector<sock_filter> filter() {
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArch, 1, 0));
  deny(program, SECCOMP_RET_KILL_PROCESS);
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const uint32_t number : kAllowed) rule(program, number, SECCOMP_RET_ALLOW);
  for (const uint32_t number : kFatal) rule(program, number, SECCOMP_RET_KILL_PROCESS);
  // glibc falls back to clone, whose flags can be seen: a thread is allowed, a process is not.
  rule(program, __NR_clone3, SECCOMP_RET_ERRNO | ENOSYS);
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 4));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(0)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1));
  deny(program, SECCOMP_RET_ALLOW);
  deny(program, SECCOMP_RET_KILL_PROCESS);
  // Its own signals only: abort() is how V8 says that the heap is full.
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_tgkill, 0, 4));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(0)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(getpid()), 0, 1));
  deny(program, SECCOMP_RET_ALLOW);
  deny(program, SECCOMP_RET_ERRNO | EPERM);
  // Flags of descriptors, which Node puts back when it ends.
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_fcntl, 0, 4));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(1)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, F_SETFL, 1, 0));
  deny(program, SECCOMP_RET_ALLOW);
  deny(program, SECCOMP_RET_ERRNO | EPERM);
  // Names of mappings and threads are all that V8 asks of prctl.
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_prctl, 0, 5));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(0)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x53564d41 /* PR_SET_VMA */, 1, 0));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_NAME, 0, 1));
  deny(program, SECCOMP_RET_ALLOW);
  deny(program, SECCOMP_RET_ERRNO | EPERM);
  deny(program, SECCOMP_RET_ERRNO | EPERM);
  return program;
}

// VmData: private memory that can be written, which is what RLIMIT_DATA counts. V8 reserves much of it at its start.
uint64_t dataBytesNow() {
  FILE *status = fopen("/proc/self/status", "re");
  if (!status) return 0;
  char line[256];
  unsigned long long kib = 0;
  while (fgets(line, sizeof line, status))
    if (sscanf(line, "VmData: %llu", &kib) == 1) break;
  fclose(status);
  return kib * 1024;
}

bool limit(int resource, uint64_t value) {
  rlimit now{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &now) != 0) return false;
  if (now.rlim_max != RLIM_INFINITY && value > now.rlim_max) value = now.rlim_max;
  const rlimit wanted{value, value};
  return setrlimit(static_cast<__rlimit_resource>(resource), &wanted) == 0;
}

// '' or what could not be done. The order matters: what needs privileges comes before they are dropped.
std::string confine(uint64_t data_bytes, uint64_t cpu_seconds) {
  const auto failed = [](const char *what) { return std::string(what) + ": " + strerror(errno); };
  const uint64_t data = dataBytesNow();
  if (data == 0) return "the size of this process is not known";
  if (geteuid() == 0) {
    if (setgroups(0, nullptr) != 0) return failed("setgroups");
    if (setresgid(kNobody, kNobody, kNobody) != 0) return failed("setresgid");
    if (setresuid(kNobody, kNobody, kNobody) != 0) return failed("setresuid");
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("no_new_privs");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("dumpable");
  // A change of user forgets it, so it is set here: nothing is left running when the agent is killed.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return failed("pdeathsig");
  if (!limit(RLIMIT_CORE, 0) || !limit(RLIMIT_FSIZE, 0) || !limit(RLIMIT_NPROC, 0)) return failed("setrlimit");
  if (!limit(RLIMIT_CPU, cpu_seconds) || !limit(RLIMIT_DATA, data + data_bytes)) return failed("setrlimit");
  // No new descriptor at all: those that are open stay usable.
  if (!limit(RLIMIT_NOFILE, 0)) return failed("setrlimit");
  std::vector<sock_filter> program = filter();
  sock_fprog code{static_cast<unsigned short>(program.size()), program.data()};
  // TSYNC: the threads of V8 and libuv too, or none of this holds.
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &code);
  if (result < 0) return failed("seccomp");
  if (result > 0) return "seccomp: a thread has a filter of its own";
  return "";
}

// confine(dataBytes, cpuSeconds) -> '' or why not
Napi::Value Confine(const Napi::CallbackInfo &info) {
  const auto data_bytes = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
  const auto cpu_seconds = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
  if (kArch == 0) return Napi::String::New(info.Env(), "not built for this kind of CPU");
  return Napi::String::New(info.Env(), confine(data_bytes, cpu_seconds));
}

// leave(code): ends at once. The usual end of Node wants system calls that are not allowed any more.
Napi::Value Leave(const Napi::CallbackInfo &info) { _exit(info[0].As<Napi::Number>().Int32Value()); }

}  // namespace

void registerConfine(Napi::Env env, Napi::Object exports) {
  exports.Set("confine", Napi::Function::New(env, Confine, "confine"));
  exports.Set("leave", Napi::Function::New(env, Leave, "leave"));
}

}  // namespace sentinel
