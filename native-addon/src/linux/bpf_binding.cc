// sentinel_bpf: loads and reads the eBPF sensor; links libbpf, so it is a library of its own that may fail to load.
#include <napi.h>

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("abi", Napi::Number::New(env, 1));
  return exports;
}

NODE_API_MODULE(sentinel_bpf, Init)
