// sentinel_core: everything native that needs no libbpf. Thin: each part registers its own functions.
#include <napi.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "hash/file_hash.h"
#include "host/act.h"
#include "host/confine.h"
#include "host/attributes.h"
#include "host/peercred.h"
#include "linux/file_guard.h"
#include "linux/proc_connector.h"
#include "wal/wal_binding.h"

// glibc gives each thread an arena, never gives back what lies below the top of one, and raises the size from which an
// allocation is mapped (and so given back) to whatever was freed last, up to 32 MiB. Batches of records come and go by
// the second, so an agent under load grew by a megabyte a second until a third of its memory was free blocks.
static void KeepHeapSmall() {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  mallopt(M_TRIM_THRESHOLD, 256 * 1024);
#endif
}

// Returns freed memory to the system; for the end of a start and for quiet times.
static Napi::Value TrimHeap(const Napi::CallbackInfo &info) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return info.Env().Undefined();
}

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  KeepHeapSmall();
  exports.Set("trimHeap", Napi::Function::New(env, TrimHeap, "trimHeap"));
  exports.Set("abi", Napi::Number::New(env, 1));
  RegisterPeerCredentials(env, exports);
  sentinel::registerActs(env, exports);
  sentinel::registerConfine(env, exports);
  sentinel::registerAttributes(env, exports);
  sentinel::registerFileGuard(env, exports);
  sentinel::registerFileHash(env, exports);
  sentinel::registerProcConnector(env, exports);
  swal::Register(env, exports);
  return exports;
}

NODE_API_MODULE(sentinel_core, Init)
