// Opening and building indexes, for JavaScript.
#pragma once

#include <napi.h>

namespace sentinel::dlp {
void registerEdm(Napi::Env env, Napi::Object exports);
}
