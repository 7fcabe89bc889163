#pragma once

#include <napi.h>

namespace sentinel::dlp {

// Adds patternSource(rules, forward, backward).
void definePatterns(Napi::Env env, Napi::Object exports);

}  // namespace sentinel::dlp
