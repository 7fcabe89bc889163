// peerCredentials(fd) -> {pid, uid, gid, groups}: who is at the other end of a connected unix socket, told by the
// kernel as of the moment it connected (SO_PEERCRED, SO_PEERGROUPS). Throws if the descriptor is anything else.
#include "host/peercred.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

static Napi::Value PeerCredentials(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsNumber()) {
    throw Napi::TypeError::New(env, "peerCredentials: descriptor expected");
  }
  const int fd = info[0].As<Napi::Number>().Int32Value();
  int domain = 0;
  socklen_t domain_len = sizeof(domain);
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) != 0) {
    throw Napi::Error::New(env, std::string("peerCredentials: ") + std::strerror(errno));
  }
  // Other families answer too, with uid -1: never let that pass for an identity.
  if (domain != AF_UNIX) throw Napi::Error::New(env, "peerCredentials: not a unix socket");

  struct ucred cred = {};
  socklen_t len = sizeof(cred);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
    throw Napi::Error::New(env, std::string("peerCredentials: ") + std::strerror(errno));
  }
  if (cred.uid == static_cast<uid_t>(-1)) throw Napi::Error::New(env, "peerCredentials: not connected");

  // Kernels before 4.13 do not know SO_PEERGROUPS: then only the primary group counts.
  std::vector<gid_t> groups(64);
  socklen_t bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  int result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes);
  if (result != 0 && errno == ERANGE) {
    groups.resize(bytes / sizeof(gid_t));
    result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes);
  }
  groups.resize(result == 0 ? bytes / sizeof(gid_t) : 0);

  Napi::Object peer = Napi::Object::New(env);
  peer.Set("pid", Napi::Number::New(env, cred.pid));
  peer.Set("uid", Napi::Number::New(env, cred.uid));
  peer.Set("gid", Napi::Number::New(env, cred.gid));
  Napi::Array list = Napi::Array::New(env, groups.size());
  for (size_t i = 0; i < groups.size(); i++) {
    list.Set(static_cast<uint32_t>(i), Napi::Number::New(env, groups[i]));
  }
  peer.Set("groups", list);
  return peer;
}

void RegisterPeerCredentials(Napi::Env env, Napi::Object exports) {
  exports.Set("peerCredentials", Napi::Function::New(env, PeerCredentials, "peerCredentials"));
}
