#pragma once
#include <napi.h>

namespace sentinel {

// Adds confine; see CoreAddon in index.ts.
void registerConfine(Napi::Env env, Napi::Object exports);

}  // namespace sentinel
