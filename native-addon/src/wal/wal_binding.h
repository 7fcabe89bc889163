// Registers the WAL writer, CRC-32C and BLAKE3 on the addon's exports.
#ifndef SENTINEL_WAL_BINDING_H
#define SENTINEL_WAL_BINDING_H
#include <napi.h>

namespace swal {
void Register(Napi::Env env, Napi::Object exports);
}  // namespace swal
#endif
