// The netlink socket of the kernel's process connector: subscribing, reading, and counting exactly what was lost.
//
// Two sources say what was lost. Each CPU numbers its messages, so a hole shows with that CPU's next message and says
// where and when; but a CPU that never speaks again never reveals its last ones. The socket's own drop counter knows
// all of them at once, but not whose they were. So: holes are stated as they show; when nothing more waits to be read,
// drops that no hole has shown are stated without a CPU, and holes that show later are first set off against them.
#ifndef SENTINEL_PROC_SOCKET_H
#define SENTINEL_PROC_SOCKET_H
#include <linux/cn_proc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <linux/netlink.h>

#include <atomic>
#include <functional>
#include <string>
#include <vector>

namespace sentinel {

constexpr uint32_t kUnknownCpu = UINT32_MAX;

// Nanoseconds of a clock.
uint64_t clockNs(int clock);

// Messages that the kernel could not deliver, about any process or thread.
struct Loss {
  uint32_t cpu;  // kUnknownCpu when only the socket's counter knows of them
  uint32_t count;
  uint64_t fromBootNs, toBootNs;
};

class ProcSocket {
 public:
  using OnEvent = std::function<void(const proc_event &, uint64_t bootNs)>;
  using OnLoss = std::function<void(const Loss &)>;

  ProcSocket(OnEvent onEvent, OnLoss onLoss);
  ~ProcSocket() { close(); }
  ProcSocket(const ProcSocket &) = delete;
  ProcSocket &operator=(const ProcSocket &) = delete;

  // Subscribes. Empty on success, else what failed.
  std::string open(int receiveBytes);
  void close();
  int descriptor() const { return socket_; }

  // Reads a batch of what waits and calls OnEvent for each. Positive if there was something, 0 if nothing waits (by then
  // every drop is stated), negative if the socket failed (errno).
  int read();

  // True when the kernel dropped something since the last call: more may be dropped unannounced for a moment.
  bool takeOverrun();

  std::atomic<uint64_t> lost{0}, overruns{0};

 private:
  struct Slot {
    alignas(8) uint8_t bytes[512];
  };
  struct Cpu {
    bool seen = false;
    uint32_t nextSeq = 0;
    uint64_t lastBootNs = 0;
  };

  std::string subscribe(proc_cn_mcast_op op);
  std::string awaitAcknowledgement();
  void handleDatagram(const uint8_t *bytes, size_t length);
  void countHole(uint32_t cpu, uint32_t seq, uint64_t bootNs);
  void countDrops();
  void state(uint32_t cpu, uint32_t count, uint64_t fromBootNs, uint64_t toBootNs);

  OnEvent onEvent_;
  OnLoss onLoss_;
  int socket_ = -1;
  bool acknowledged_ = false;
  uint32_t acknowledgedError_ = 0;
  bool overrun_ = false;
  std::vector<Cpu> cpus_;
  uint32_t lastDrops_ = 0;
  uint64_t drops_ = 0;        // of the socket, without wrapping
  uint64_t holes_ = 0;        // messages that holes in the numbers have shown
  uint64_t unattributed_ = 0; // stated without a CPU and not yet shown by a hole
  uint64_t lastBootNs_ = 0;
  std::vector<Slot> slots_;
  std::vector<iovec> vectors_;
  std::vector<sockaddr_nl> senders_;
  std::vector<mmsghdr> messages_;
};

}  // namespace sentinel
#endif
