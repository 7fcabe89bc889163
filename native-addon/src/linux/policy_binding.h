#ifndef SENTINEL_POLICY_BINDING_H
#define SENTINEL_POLICY_BINDING_H
#include <napi.h>

namespace sentinel {

// Adds policyWrite, policyArm, policyBeat, policyProtect, policyCheck and policyRestore; see BpfAddon in index.ts.
void RegisterPolicy(Napi::Env env, Napi::Object exports);

}  // namespace sentinel

#endif
