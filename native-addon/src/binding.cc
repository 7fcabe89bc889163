// sentinel_core: everything native that needs no libbpf. Thin: each part registers its own functions.
#include <napi.h>

#include "hash/file_hash.h"
#include "host/peercred.h"
#include "linux/proc_connector.h"
#include "wal/wal_binding.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("abi", Napi::Number::New(env, 1));
  RegisterPeerCredentials(env, exports);
  sentinel::registerFileHash(env, exports);
  sentinel::registerProcConnector(env, exports);
  swal::Register(env, exports);
  return exports;
}

NODE_API_MODULE(sentinel_core, Init)
