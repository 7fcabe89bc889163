#ifndef SENTINEL_PROC_CONNECTOR_H
#define SENTINEL_PROC_CONNECTOR_H
#include <napi.h>

namespace sentinel {
// Adds the class NativeProcConnector to the addon's exports; see CoreAddon in native-addon/index.ts.
void registerProcConnector(Napi::Env env, Napi::Object exports);
}  // namespace sentinel
#endif
