#pragma once
#include <napi.h>

namespace sentinel {

// Adds actOnProcess, protectedReason and protectProcess; see CoreAddon in index.ts.
void registerActs(Napi::Env env, Napi::Object exports);

}  // namespace sentinel
