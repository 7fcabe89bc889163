#pragma once
#include <napi.h>

void RegisterPeerCredentials(Napi::Env env, Napi::Object exports);
