// Looking at files that nobody waits for yields to everything else on the machine, the agent's own decisions first.
#pragma once

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sentinel::dlp {

// Lowers the priority of this thread as long as it lives; not where it could not be raised again, because the thread is
// the pool's.
class Background {
 public:
  explicit Background(bool wanted) {
    static const bool possible = mayRaise();
    if (!wanted || !possible) return;
    thread_ = static_cast<id_t>(syscall(SYS_gettid));
    before_ = getpriority(PRIO_PROCESS, thread_);
    lowered_ = before_ < kNice && setpriority(PRIO_PROCESS, thread_, kNice) == 0;
  }
  ~Background() {
    if (lowered_) setpriority(PRIO_PROCESS, thread_, before_);
  }
  Background(const Background &) = delete;
  Background &operator=(const Background &) = delete;

 private:
  static constexpr int kNice = 5;  // a third of what others get: a look must still end before its deadline

  static bool mayRaise() {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & 1u << CAP_SYS_NICE) != 0;
  }

  id_t thread_ = 0;
  int before_ = 0;
  bool lowered_ = false;
};

}  // namespace sentinel::dlp
