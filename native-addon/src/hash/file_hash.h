#ifndef SENTINEL_FILE_HASH_H
#define SENTINEL_FILE_HASH_H
#include <napi.h>

namespace sentinel {
// Adds hashFile(request) to the addon's exports; see CoreAddon in native-addon/index.ts.
void registerFileHash(Napi::Env env, Napi::Object exports);
}  // namespace sentinel
#endif
