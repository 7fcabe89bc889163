#include "linux/proc_socket.h"

#include <errno.h>
#include <linux/connector.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace sentinel {
namespace {
constexpr int kMessages = 64;
constexpr uint32_t kMaxCpu = 65535;
}  // namespace

uint64_t clockNs(int clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000ull + static_cast<uint64_t>(time.tv_nsec);
}

ProcSocket::ProcSocket(OnEvent onEvent, OnLoss onLoss)
    : onEvent_(std::move(onEvent)),
      onLoss_(std::move(onLoss)),
      slots_(kMessages),
      vectors_(kMessages),
      senders_(kMessages),
      messages_(kMessages) {
  for (int i = 0; i < kMessages; ++i) {
    vectors_[i] = {slots_[i].bytes, sizeof slots_[i].bytes};
    messages_[i] = {};
    messages_[i].msg_hdr.msg_iov = &vectors_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_name = &senders_[i];
  }
}

std::string ProcSocket::open(int receiveBytes) {
  socket_ = socket(PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
  if (socket_ < 0) return std::string("the netlink connector is not there: ") + strerror(errno);
  if (setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &receiveBytes, sizeof receiveBytes) != 0) {
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receiveBytes, sizeof receiveBytes);
  }
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  if (bind(socket_, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0) {
    return std::string("process events need CAP_NET_ADMIN, or Linux 6.6 or later: ") + strerror(errno);
  }
  const std::string refused = subscribe(PROC_CN_MCAST_LISTEN);
  return refused.empty() ? awaitAcknowledgement() : refused;
}

void ProcSocket::close() {
  if (socket_ < 0) return;
  subscribe(PROC_CN_MCAST_IGNORE);
  ::close(socket_);
  socket_ = -1;
}

std::string ProcSocket::subscribe(proc_cn_mcast_op op) {
  alignas(8) uint8_t request[sizeof(nlmsghdr) + sizeof(cn_msg) + sizeof op] = {};
  nlmsghdr header = {};
  header.nlmsg_len = sizeof request;
  header.nlmsg_type = NLMSG_DONE;
  header.nlmsg_pid = static_cast<uint32_t>(getpid());
  cn_msg message = {};
  message.id.idx = CN_IDX_PROC;
  message.id.val = CN_VAL_PROC;
  message.len = sizeof op;
  memcpy(request, &header, sizeof header);
  memcpy(request + sizeof header, &message, sizeof message);
  memcpy(request + sizeof header + sizeof message, &op, sizeof op);
  if (send(socket_, request, sizeof request, 0) != sizeof request) {
    return std::string("subscribing to process events failed: ") + strerror(errno);
  }
  return "";
}

// The kernel answers a subscription, except one from another namespace, which it ignores without a word.
std::string ProcSocket::awaitAcknowledgement() {
  const uint64_t deadlineNs = clockNs(CLOCK_MONOTONIC) + 500000000ull;
  while (!acknowledged_) {
    const uint64_t nowNs = clockNs(CLOCK_MONOTONIC);
    pollfd wait = {socket_, POLLIN, 0};
    if (nowNs >= deadlineNs || poll(&wait, 1, static_cast<int>((deadlineNs - nowNs) / 1000000 + 1)) <= 0) {
      return "the kernel does not answer: process events go to the initial user and pid namespaces only "
             "(not into containers)";
    }
    alignas(8) uint8_t bytes[512];
    sockaddr_nl sender = {};
    socklen_t length = sizeof sender;
    const ssize_t got = recvfrom(socket_, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr *>(&sender), &length);
    if (got > 0 && sender.nl_pid == 0) handleDatagram(bytes, static_cast<size_t>(got));
  }
  if (acknowledgedError_ == 0) return "";
  return std::string("the kernel refused to tell process events: ") + strerror(static_cast<int>(acknowledgedError_));
}

int ProcSocket::read() {
  for (auto &message : messages_) message.msg_hdr.msg_namelen = sizeof(sockaddr_nl);
  const int got = recvmmsg(socket_, messages_.data(), kMessages, MSG_DONTWAIT, nullptr);
  if (got < 0) {
    switch (errno) {
      case ENOBUFS:
        ++overruns;
        overrun_ = true;
        return 1;
      case EINTR:
        return 1;
      case EAGAIN:
        countDrops();
        return 0;
      default:
        return -errno;
    }
  }
  for (int i = 0; i < got; ++i) {
    // Only the kernel speaks on port 0; anybody else is a forger.
    if (senders_[i].nl_pid == 0) handleDatagram(slots_[i].bytes, messages_[i].msg_len);
  }
  return got;
}

bool ProcSocket::takeOverrun() {
  const bool was = overrun_;
  overrun_ = false;
  return was;
}

void ProcSocket::handleDatagram(const uint8_t *bytes, size_t length) {
  constexpr size_t kPrefix = sizeof(nlmsghdr) + sizeof(cn_msg);
  if (length < kPrefix + offsetof(proc_event, event_data)) return;
  cn_msg message;
  memcpy(&message, bytes + sizeof(nlmsghdr), sizeof message);
  if (message.id.idx != CN_IDX_PROC || message.id.val != CN_VAL_PROC) return;
  proc_event event = {};
  memcpy(&event, bytes + kPrefix, std::min(sizeof event, length - kPrefix));
  // Acknowledgements (of anybody's subscription) are not numbered like events.
  if (event.what == proc_event::PROC_EVENT_NONE) {
    if (!acknowledged_) acknowledgedError_ = event.event_data.ack.err;
    acknowledged_ = true;
    return;
  }
  const uint64_t bootNs = event.timestamp_ns + (clockNs(CLOCK_BOOTTIME) - clockNs(CLOCK_MONOTONIC));
  countHole(event.cpu, message.seq, bootNs);
  onEvent_(event, bootNs);
}

void ProcSocket::countHole(uint32_t cpu, uint32_t seq, uint64_t bootNs) {
  lastBootNs_ = bootNs;
  if (cpu >= cpus_.size()) {
    if (cpu > kMaxCpu) return;
    cpus_.resize(cpu + 1);
  }
  Cpu &last = cpus_[cpu];
  const uint32_t missing = seq - last.nextSeq;
  // Numbers may also step back by a few: an interrupt's message can overtake the one it interrupted.
  if (last.seen && missing != 0 && missing < 0x80000000u) {
    holes_ += missing;
    const uint64_t known = std::min<uint64_t>(missing, unattributed_);
    unattributed_ -= known;
    if (known < missing) state(cpu, missing - static_cast<uint32_t>(known), last.lastBootNs, bootNs);
  }
  if (!last.seen || missing < 0x80000000u) last.nextSeq = seq + 1;
  last.seen = true;
  last.lastBootNs = bootNs;
}

// Called when nothing waits: whatever the socket dropped and no number has shown is stated now.
void ProcSocket::countDrops() {
  uint32_t info[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof info;
  if (getsockopt(socket_, SOL_SOCKET, SO_MEMINFO, info, &length) != 0 ||
      length < (SK_MEMINFO_DROPS + 1) * sizeof info[0]) {
    return;  // before Linux 4.12: only the numbers tell
  }
  drops_ += static_cast<uint32_t>(info[SK_MEMINFO_DROPS] - lastDrops_);
  lastDrops_ = info[SK_MEMINFO_DROPS];
  if (drops_ <= holes_ + unattributed_) return;
  const uint64_t more = drops_ - holes_ - unattributed_;
  unattributed_ += more;
  const uint64_t nowNs = clockNs(CLOCK_BOOTTIME);
  state(kUnknownCpu, static_cast<uint32_t>(more), lastBootNs_ == 0 ? nowNs : lastBootNs_, nowNs);
}

void ProcSocket::state(uint32_t cpu, uint32_t count, uint64_t fromBootNs, uint64_t toBootNs) {
  lost += count;
  onLoss_({cpu, count, fromBootNs, toBootNs});
}

}  // namespace sentinel
