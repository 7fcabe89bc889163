// The kernel guardian for JavaScript: what the policy maps hold, who is protected, and whether all is as it was left.
#include "policy_binding.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include <string>
#include <thread>

#include "../host/protected.h"
#include "bpf-reader.h"
#include "cut_off.h"

namespace sentinel {

namespace {

// Sizes of the maps that policies fill, and the bit of each in control.policies.
struct PolicyMap {
  const char *name;
  size_t key, value;
  uint32_t bit;
};
constexpr PolicyMap kMaps[] = {
    {"pol_exe", sizeof(sn_exe), sizeof(sn_exe_verdict), SN_POLICIES_EXE},
    {"pol_path", sizeof(sn_policy_path), sizeof(sn_verdict), SN_POLICIES_PATH},
    {"pol_dir", sizeof(sn_policy_path), sizeof(sn_verdict), SN_POLICIES_DIR},
    {"pol_net", sizeof(sn_net_key), sizeof(sn_net_rules), SN_POLICIES_NET},
    {"cut_net", sizeof(sn_cut_net_key), sizeof(uint32_t), 0},
};

Reader *Unwrap(const Napi::CallbackInfo &info) { return info[0].As<Napi::External<Reader>>().Data(); }

Napi::Value Throw(Napi::Env env, const std::string &message) {
  Napi::Error::New(env, message).ThrowAsJavaScriptException();
  return env.Undefined();
}

std::string Bytes(const void *from, size_t size) { return {static_cast<const char *>(from), size}; }

// The kernel's form of a device number as stat(2) gives it: what encode_dev makes.
uint64_t EncodeDevice(dev_t dev) {
  const unsigned major = ::major(dev), minor = ::minor(dev);
  return (minor & 0xff) | major << 8 | static_cast<uint64_t>(minor & ~0xffu) << 12;
}

// Who must not be touched now: processes come and go, executables do not.
std::string WriteGuards(Reader *sensor, size_t *processes) {
  Entries tgids, executables;
  const uint32_t one = 1;
  for (const ProtectedExecutable &executable : ProtectedExecutables()) {
    const sn_exe key = {EncodeDevice(executable.super_dev), executable.id.ino};
    executables[Bytes(&key, sizeof key)] = Bytes(&one, sizeof one);
  }
  DIR *proc = opendir("/proc");
  for (dirent *entry; proc && (entry = readdir(proc));) {
    const uint32_t pid = static_cast<uint32_t>(atoi(entry->d_name));
    if (pid == 0 || tgids.size() >= 4000) continue;
    const Protection protection = ProtectionOf(static_cast<int>(pid));
    if (protection.why.empty()) continue;
    const uint64_t value = protection.start | (protection.life_only ? SN_GUARD_LIFE_ONLY : 0);
    tgids[Bytes(&pid, sizeof pid)] = Bytes(&value, sizeof value);
  }
  if (proc) closedir(proc);
  *processes = tgids.size();
  std::string error = sensor->policy.Write(sensor->loader, "guard_exe", executables);
  return error.empty() ? sensor->policy.Write(sensor->loader, "guard_tgid", tgids) : error;
}

void SetPolicies(Reader *sensor) {
  uint32_t bits = sensor->cuts ? SN_POLICIES_CUT : 0;
  for (const PolicyMap &map : kMaps) {
    auto written = sensor->policy.written().find(map.name);
    if (written != sensor->policy.written().end() && !written->second.empty()) bits |= map.bit;
  }
  __atomic_store_n(&sensor->loader.control->policies, bits, __ATOMIC_SEQ_CST);
  sensor->policy_bits = bits;
}

void Beat(Reader *sensor) {
  __atomic_store_n(&sensor->loader.control->heartbeat_ns, static_cast<uint64_t>(Now(CLOCK_BOOTTIME)),
                   __ATOMIC_SEQ_CST);
}

// policyWrite(handle, map, keys, values)
Napi::Value Write(const Napi::CallbackInfo &info) {
  Reader *sensor = Unwrap(info);
  const std::string name = info[1].As<Napi::String>();
  auto keys = info[2].As<Napi::Buffer<uint8_t>>(), values = info[3].As<Napi::Buffer<uint8_t>>();
  for (const PolicyMap &map : kMaps) {
    if (name != map.name) continue;
    const size_t count = keys.Length() / map.key;
    if (keys.Length() != count * map.key || values.Length() != count * map.value)
      return Throw(info.Env(), "entries of " + name + " have another size; rebuild");
    Entries entries;
    for (size_t i = 0; i < count; i++)
      entries[Bytes(keys.Data() + i * map.key, map.key)] = Bytes(values.Data() + i * map.value, map.value);
    // Before anything can act: who is beyond its reach, and that we are here.
    size_t processes;
    std::string error = entries.empty() ? "" : WriteGuards(sensor, &processes);
    if (error.empty()) {
      Beat(sensor);
      error = sensor->policy.Write(sensor->loader, name, std::move(entries));
    }
    SetPolicies(sensor);
    return error.empty() ? info.Env().Undefined() : Throw(info.Env(), error);
  }
  return Throw(info.Env(), name + " is not a policy map");
}

// policyArm(handle, {silentNs, hold, verdictsWait, cuts})
Napi::Value Arm(const Napi::CallbackInfo &info) {
  Reader *sensor = Unwrap(info);
  Napi::Object options = info[1].As<Napi::Object>();
  Beat(sensor);
  __atomic_store_n(&sensor->loader.control->silent_ns,
                   static_cast<uint64_t>(options.Get("silentNs").As<Napi::Number>().Int64Value()), __ATOMIC_SEQ_CST);
  sn_loader_hold(&sensor->loader, options.Get("hold").As<Napi::Boolean>().Value());
  sensor->verdicts_wait = options.Get("verdictsWait").As<Napi::Boolean>().Value();
  sensor->cuts = options.Get("cuts").ToBoolean();
  size_t processes;
  const std::string error = sensor->cuts ? WriteGuards(sensor, &processes) : "";
  SetPolicies(sensor);
  return error.empty() ? info.Env().Undefined() : Throw(info.Env(), error);
}

int CutMap(Reader *sensor) { return PolicyMaps::Fd(sensor->loader, "cut_tgid"); }

// policyCut(handle, pid, startNs, policyHandle, failClosed, untilNs) -> '' or why not
Napi::Value Cut(const Napi::CallbackInfo &info) {
  bool whole;
  const int pid = info[1].As<Napi::Number>().Int32Value();
  const std::string error = CutOff(CutMap(Unwrap(info)), pid, info[2].As<Napi::BigInt>().Uint64Value(&whole),
                                   info[3].As<Napi::Number>().Uint32Value(), info[4].As<Napi::Boolean>().Value(),
                                   info[5].As<Napi::BigInt>().Uint64Value(&whole));
  return Napi::String::New(info.Env(), error);
}

// policyCuts(handle) -> [{pid, root, handle}]
Napi::Value Cuts(const Napi::CallbackInfo &info) {
  const int fd = CutMap(Unwrap(info));
  Napi::Array list = Napi::Array::New(info.Env());
  uint32_t key = 0, next = 0, count = 0;
  // Bounded: an entry that leaves while we look may start the walk again.
  for (const void *at = nullptr; count < SN_CUT_MOST && bpf_map_get_next_key(fd, at, &next) == 0; at = &key) {
    sn_cut cut;
    key = next;
    if (bpf_map_lookup_elem(fd, &key, &cut) != 0) continue;
    Napi::Object item = Napi::Object::New(info.Env());
    item.Set("pid", Napi::Number::New(info.Env(), key));
    item.Set("root", Napi::Number::New(info.Env(), cut.root));
    item.Set("handle", Napi::Number::New(info.Env(), cut.verdict.handle));
    list.Set(count++, item);
  }
  return list;
}

// policyUncut(handle, pids)
Napi::Value Uncut(const Napi::CallbackInfo &info) {
  const int fd = CutMap(Unwrap(info));
  Napi::Array pids = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < pids.Length(); i++) {
    const uint32_t pid = pids.Get(i).As<Napi::Number>().Uint32Value();
    bpf_map_delete_elem(fd, &pid);
  }
  return info.Env().Undefined();
}

// policyCutState(handle) -> {map, lost}: the descriptor by which others cut processes off, and children without room
Napi::Value CutState(const Napi::CallbackInfo &info) {
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("map", Napi::Number::New(info.Env(), CutMap(Unwrap(info))));
  const uint64_t lost = __atomic_load_n(&Unwrap(info)->loader.control->cuts_lost, __ATOMIC_RELAXED);
  result.Set("lost", Napi::Number::New(info.Env(), static_cast<double>(lost)));
  return result;
}

Napi::Value BeatNow(const Napi::CallbackInfo &info) {
  Beat(Unwrap(info));
  return info.Env().Undefined();
}

// policyFrozen(handle, files)
Napi::Value Frozen(const Napi::CallbackInfo &info) {
  Napi::Array files = info[1].As<Napi::Array>();
  const sn_loader &loader = Unwrap(info)->loader;
  sn_loader_tell(&loader, "thawed\n");
  for (uint32_t i = 0; i < files.Length(); i++) {
    const std::string line = "frozen " + files.Get(i).As<Napi::String>().Utf8Value() + "\n";
    sn_loader_tell(&loader, line.c_str());
  }
  return info.Env().Undefined();
}

// policyProtect(handle) -> number of protected processes
Napi::Value Protect(const Napi::CallbackInfo &info) {
  size_t processes = 0;
  const std::string error = WriteGuards(Unwrap(info), &processes);
  if (!error.empty()) return Throw(info.Env(), error);
  return Napi::Number::New(info.Env(), static_cast<double>(processes));
}

Napi::Value Restore(const Napi::CallbackInfo &info) {
  Reader *sensor = Unwrap(info);
  const std::string error = sensor->policy.Restore(sensor->loader);
  __atomic_store_n(&sensor->loader.control->stopped, 0, __ATOMIC_SEQ_CST);
  SetPolicies(sensor);
  return Napi::String::New(info.Env(), error);
}

uint64_t Alive(const sn_loader &loader) {
  uint64_t sum = 0;
  for (size_t cpu = 0; cpu < loader.cpu_count; cpu++) sum += __atomic_load_n(&loader.cpus[cpu].alive, __ATOMIC_RELAXED);
  return sum;
}

// Whether the kernel runs our programs: a thread starts, which the hook of forks counts before anything else.
bool HooksRun(const sn_loader &loader) {
  const uint64_t before = Alive(loader);
  std::thread([] {}).join();
  return Alive(loader) != before;
}

// policyCheck(handle) -> what is not as it was left; see index.ts.
Napi::Value Check(const Napi::CallbackInfo &info) {
  static const char *const kStates[] = {"attached", "detached", "replaced"};
  Napi::Env env = info.Env();
  Reader *sensor = Unwrap(info);
  const sn_loader &loader = sensor->loader;
  Napi::Array links = Napi::Array::New(env), maps = Napi::Array::New(env), changes = Napi::Array::New(env);
  for (uint32_t i = 0; i < loader.link_count; i++) {
    Napi::Object item = Napi::Object::New(env);
    item.Set("hook", loader.origins[i].hook->name);
    item.Set("linkId", Napi::Number::New(env, loader.origins[i].link_id));
    item.Set("state", kStates[sn_loader_link_state(&loader, i)]);
    links.Set(i, item);
  }
  uint32_t index = 0;
  for (const auto &[name, entries] : sensor->policy.written()) {
    bpf_map_info facts = {};
    uint32_t size = sizeof facts;
    bpf_obj_get_info_by_fd(PolicyMaps::Fd(loader, name), &facts, &size);
    Napi::Object item = Napi::Object::New(env);
    item.Set("map", name);
    item.Set("id", Napi::Number::New(env, facts.id));
    item.Set("entries", Napi::Number::New(env, static_cast<double>(entries.size())));
    maps.Set(index++, item);
  }
  {
    bpf_map_info facts = {};
    uint32_t size = sizeof facts;
    bpf_obj_get_info_by_fd(PolicyMaps::Fd(loader, "control"), &facts, &size);
    Napi::Object item = Napi::Object::New(env);
    item.Set("map", "control");
    item.Set("id", Napi::Number::New(env, facts.id));
    item.Set("entries", Napi::Number::New(env, 1));
    maps.Set(index, item);
  }
  index = 0;
  for (const MapDifference &difference : sensor->policy.Check(loader)) {
    Napi::Object item = Napi::Object::New(env);
    item.Set("map", difference.map);
    item.Set("missing", Napi::Number::New(env, difference.missing));
    item.Set("changed", Napi::Number::New(env, difference.changed));
    item.Set("foreign", Napi::Number::New(env, difference.foreign));
    changes.Set(index++, item);
  }
  if (loader.control->policies != sensor->policy_bits || loader.control->stopped) {
    Napi::Object item = Napi::Object::New(env);
    item.Set("map", "control");
    item.Set("missing", Napi::Number::New(env, 0));
    item.Set("changed", Napi::Number::New(env, 1));
    item.Set("foreign", Napi::Number::New(env, 0));
    changes.Set(index++, item);
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("links", links);
  result.Set("maps", maps);
  result.Set("changes", changes);
  result.Set("acts", Napi::Number::New(env, static_cast<double>(loader.control->acts)));
  result.Set("hooksRun", HooksRun(loader));
  result.Set("heartbeatAgeNs",
             Napi::Number::New(env, static_cast<double>(static_cast<uint64_t>(Now(CLOCK_BOOTTIME)) - loader.control->heartbeat_ns)));
  result.Set("keeperPid", Napi::Number::New(env, loader.keeper_pid));
  return result;
}

}  // namespace

void RegisterPolicy(Napi::Env env, Napi::Object exports) {
  exports.Set("policyWrite", Napi::Function::New(env, Write));
  exports.Set("policyArm", Napi::Function::New(env, Arm));
  exports.Set("policyCut", Napi::Function::New(env, Cut));
  exports.Set("policyCuts", Napi::Function::New(env, Cuts));
  exports.Set("policyUncut", Napi::Function::New(env, Uncut));
  exports.Set("policyCutState", Napi::Function::New(env, CutState));
  exports.Set("policyBeat", Napi::Function::New(env, BeatNow));
  exports.Set("policyFrozen", Napi::Function::New(env, Frozen));
  exports.Set("policyProtect", Napi::Function::New(env, Protect));
  exports.Set("policyCheck", Napi::Function::New(env, Check));
  exports.Set("policyRestore", Napi::Function::New(env, Restore));
}

}  // namespace sentinel
