// sentinel_core: everything native that needs no libbpf. Thin: each part registers its own functions.
#include <napi.h>

#include "host/peercred.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("abi", Napi::Number::New(env, 1));
  RegisterPeerCredentials(env, exports);
  return exports;
}

NODE_API_MODULE(sentinel_core, Init)
