// How a Source travels through JavaScript: an External that owns a shared_ptr.
#pragma once

#include <napi.h>

#include <memory>
#include <utility>

#include "dlp/detector.h"

namespace sentinel::dlp {

using SourcePtr = std::shared_ptr<const Source>;

inline Napi::Value wrapSource(Napi::Env env, SourcePtr source) {
  return Napi::External<SourcePtr>::New(env, new SourcePtr(std::move(source)),
                                        [](Napi::Env, SourcePtr *held) { delete held; });
}

}  // namespace sentinel::dlp
