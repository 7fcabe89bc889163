// What the agent does to a process: signals through a pidfd, to the process that was meant and to no other.
#include "act.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "protected.h"

namespace sentinel {

namespace {

// A clock tick of /proc in ns; USER_HZ is 100 on every Linux.
constexpr uint64_t kTickNs = 10000000;

// Empty when the signal was sent, else why not. The descriptor is taken first: if the start still fits then, it is of
// the process that was meant, whatever happens to the number later.
std::string Signal(int pid, uint64_t start_ns, int signal) {
  if (pid <= 0) return "no such process";
  int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return errno == ESRCH ? "it had ended" : strerror(errno);
  std::string error;
  const uint64_t ticks = StartTicks(pid);
  if (!ticks) {
    error = "it had ended";
  } else if (start_ns / kTickNs != ticks) {
    error = "it had ended, and its number is another process's";
  } else {
    const std::string why = ProtectionOf(pid).why;
    if (!why.empty())
      error = "protected: " + why;
    else if (syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0) != 0)
      error = errno == ESRCH ? "it had ended" : strerror(errno);
  }
  close(fd);
  return error;
}

Napi::Value ActOnProcess(const Napi::CallbackInfo &info) {
  bool lossless = true;
  const int pid = info[0].As<Napi::Number>().Int32Value();
  const uint64_t start_ns = info[1].As<Napi::BigInt>().Uint64Value(&lossless);
  const std::string what = info[2].As<Napi::String>();
  const int signal = what == "kill" ? SIGKILL : what == "stop" ? SIGSTOP : what == "continue" ? SIGCONT : 0;
  if (!signal) {
    Napi::TypeError::New(info.Env(), "kill, stop or continue").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return Napi::String::New(info.Env(), Signal(pid, start_ns, signal));
}

// What a child does that tries out a policy: joins the watched cgroup, then runs the program or connects a datagram
// socket, which sends nothing. Only calls that are safe after a fork of a program with threads.
[[noreturn]] void TryOut(const char *procs, bool exec, const char *program, const char *marker) {
  if (*procs) {
    int fd = open(procs, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1) _exit(79);
  }
  int result;
  if (exec) {
    char *const args[] = {const_cast<char *>(program), const_cast<char *>("-c"), const_cast<char *>(": > \"$0\""),
                          const_cast<char *>(marker), nullptr};
    char *const environment[] = {nullptr};
    result = execve(program, args, environment);
  } else {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    result = connect(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), reinterpret_cast<sockaddr *>(&address), sizeof address);
  }
  _exit(result == 0 ? 0 : errno == EPERM ? 77 : 78);
}

// tryOut(cgroupProcs, what, program, marker) -> ran, killed, refused or failed
Napi::Value TryOutPolicy(const Napi::CallbackInfo &info) {
  const std::string procs = info[0].As<Napi::String>(), what = info[1].As<Napi::String>(),
                    program = info[2].As<Napi::String>(), marker = info[3].As<Napi::String>();
  const pid_t child = fork();
  if (child == 0) TryOut(procs.c_str(), what == "exec", program.c_str(), marker.c_str());
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return Napi::String::New(info.Env(), "failed");
  const char *outcome = "failed";
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
    outcome = "killed";
  else if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    outcome = "refused";
  else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    outcome = "ran";
  return Napi::String::New(info.Env(), outcome);
}

Napi::Value Reason(const Napi::CallbackInfo &info) {
  return Napi::String::New(info.Env(), ProtectionOf(info[0].As<Napi::Number>().Int32Value()).why);
}

Napi::Value Protect(const Napi::CallbackInfo &info) {
  ProtectProcess(info[0].As<Napi::Number>().Int32Value(), info[1].As<Napi::String>());
  return info.Env().Undefined();
}

Napi::Value Executables(const Napi::CallbackInfo &info) {
  Napi::Array list = Napi::Array::New(info.Env());
  uint32_t index = 0;
  for (const ProtectedExecutable &executable : ProtectedExecutables())
    list.Set(index++, Napi::String::New(info.Env(), executable.path));
  return list;
}

}  // namespace

void registerActs(Napi::Env env, Napi::Object exports) {
  exports.Set("actOnProcess", Napi::Function::New(env, ActOnProcess, "actOnProcess"));
  exports.Set("tryOut", Napi::Function::New(env, TryOutPolicy, "tryOut"));
  exports.Set("protectedReason", Napi::Function::New(env, Reason, "protectedReason"));
  exports.Set("protectProcess", Napi::Function::New(env, Protect, "protectProcess"));
  exports.Set("protectedExecutables", Napi::Function::New(env, Executables, "protectedExecutables"));
}

}  // namespace sentinel
