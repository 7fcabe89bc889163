// What the agent does to a process: signals through a pidfd, to the process that was meant and to no other.
#include "act.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
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
    std::string why = ProtectedReason(pid);
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

Napi::Value Reason(const Napi::CallbackInfo &info) {
  return Napi::String::New(info.Env(), ProtectedReason(info[0].As<Napi::Number>().Int32Value()));
}

Napi::Value Protect(const Napi::CallbackInfo &info) {
  ProtectProcess(info[0].As<Napi::Number>().Int32Value());
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
  exports.Set("protectedReason", Napi::Function::New(env, Reason, "protectedReason"));
  exports.Set("protectProcess", Napi::Function::New(env, Protect, "protectProcess"));
  exports.Set("protectedExecutables", Napi::Function::New(env, Executables, "protectedExecutables"));
}

}  // namespace sentinel
