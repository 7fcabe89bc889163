#pragma once
#include <napi.h>

namespace sentinel {

// Adds the class FileGuard; see NativeFileGuard in index.ts.
void registerFileGuard(Napi::Env env, Napi::Object exports);

}  // namespace sentinel
