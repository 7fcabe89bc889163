// Tells the main thread's event loop that the kernel woke somebody for the rings.
#ifndef SENTINEL_BPF_DIRECT_H
#define SENTINEL_BPF_DIRECT_H
#include <napi.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include <functional>
#include <utility>

namespace sentinel {

class DirectWatch {
 public:
  ~DirectWatch() {
    Close();
    if (fd_ >= 0) close(fd_);
  }

  // On the main thread. Without a loop of Node's there is nothing to watch with, and open() stays false.
  void Open(Napi::Env env, std::function<void()> woken) {
    uv_loop_t *loop = nullptr;
    if (napi_get_uv_event_loop(env, &loop) != napi_ok || loop == nullptr) return;
    const int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) return;
    State *state = new State{{}, fd, std::move(woken)};
    state->poll.data = state;
    if (uv_poll_init(loop, &state->poll, fd) != 0) {
      close(fd);
      delete state;
      return;
    }
    uv_poll_start(&state->poll, UV_READABLE, Woken);
    // What keeps the process alive is Delivery.
    uv_unref(reinterpret_cast<uv_handle_t *>(&state->poll));
    state_ = state;
    fd_ = fd;
  }

  bool open() const { return fd_ >= 0; }

  // From any thread: wake-ups of these descriptors count from now on, or no more. Edge-triggered: see Reader::Start.
  void Watch(int a, int b) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    epoll_ctl(fd_, EPOLL_CTL_ADD, a, &event);
    epoll_ctl(fd_, EPOLL_CTL_ADD, b, &event);
  }

  void Ignore(int a, int b) {
    epoll_ctl(fd_, EPOLL_CTL_DEL, a, nullptr);
    epoll_ctl(fd_, EPOLL_CTL_DEL, b, nullptr);
  }

  // On the main thread; nothing is told any more. The descriptor stays for whoever still calls Watch or Ignore.
  void Close() {
    if (state_ == nullptr) return;
    State *state = state_;
    state_ = nullptr;
    state->woken = nullptr;
    uv_close(reinterpret_cast<uv_handle_t *>(&state->poll),
             [](uv_handle_t *handle) { delete static_cast<State *>(handle->data); });
  }

 private:
  struct State {
    uv_poll_t poll;
    int fd;
    std::function<void()> woken;
  };
  State *state_ = nullptr;
  int fd_ = -1;

  static void Woken(uv_poll_t *poll, int, int) {
    State *state = static_cast<State *>(poll->data);
    epoll_event events[2];
    epoll_wait(state->fd, events, 2, 0);
    // A copy: what it calls may close us.
    const std::function<void()> woken = state->woken;
    if (woken) woken();
  }
};

}  // namespace sentinel

#endif
