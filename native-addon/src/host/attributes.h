#pragma once
#include <napi.h>

namespace sentinel {

void registerAttributes(Napi::Env env, Napi::Object exports);

}  // namespace sentinel
