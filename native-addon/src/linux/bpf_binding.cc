// sentinel_bpf: the eBPF sensor for JavaScript. Links libbpf, so it is a library of its own that may fail to load.
#include <errno.h>
#include <malloc.h>
#include <napi.h>
#include <string.h>

#include <memory>
#include <string>
#include <vector>

#include "bpf-reader.h"
#include "policy_binding.h"

namespace {

using sentinel::Reader;

const char *FailureCode(sn_failure failure) {
  switch (failure) {
    case SN_FAIL_OBJECT:
      return "object";
    case SN_FAIL_BTF:
      return "no_btf";
    case SN_FAIL_PERMISSION:
      return "permission";
    case SN_FAIL_SCOPE:
      return "scope";
    default:
      return "kernel";
  }
}

Reader *Unwrap(const Napi::CallbackInfo &info) { return info[0].As<Napi::External<Reader>>().Data(); }

Napi::Value Throw(Napi::Env env, sn_failure failure, const std::string &message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, FailureCode(failure)));
  error.ThrowAsJavaScriptException();
  return env.Undefined();
}

uint64_t Number(const Napi::Object &object, const char *name) {
  Napi::Value value = object.Get(name);
  return value.IsNumber() ? static_cast<uint64_t>(value.As<Napi::Number>().Int64Value()) : 0;
}

// load(options) -> handle. Throws an error whose `code` is object, no_btf, permission, scope or kernel.
Napi::Value Load(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Napi::Object input = info[0].As<Napi::Object>();
  std::string object = input.Get("objectPath").As<Napi::String>();
  std::string cgroup = input.Get("cgroupPath").IsString() ? input.Get("cgroupPath").As<Napi::String>() : std::string();
  std::vector<std::string> names;
  std::vector<sn_watch> watches;
  std::vector<sn_exe> noise;
  Napi::Array watch_list = input.Get("watches").As<Napi::Array>();
  for (uint32_t i = 0; i < watch_list.Length(); i++)
    names.push_back(watch_list.Get(i).As<Napi::Object>().Get("name").As<Napi::String>());
  for (uint32_t i = 0; i < watch_list.Length(); i++)
    watches.push_back({names[i].c_str(), static_cast<uint32_t>(Number(watch_list.Get(i).As<Napi::Object>(), "bits"))});
  Napi::Array noise_list = input.Get("noise").As<Napi::Array>();
  for (uint32_t i = 0; i < noise_list.Length(); i++) {
    Napi::Object item = noise_list.Get(i).As<Napi::Object>();
    noise.push_back({Number(item, "dev"), Number(item, "inode")});
  }
  sn_loader_options options{};
  options.object_path = object.c_str();
  options.cgroup_path = cgroup.empty() ? nullptr : cgroup.c_str();
  std::string tag = input.Get("keeperTag").IsString() ? input.Get("keeperTag").As<Napi::String>() : std::string();
  options.keeper_tag = tag.c_str();
  options.scope_pid = static_cast<uint32_t>(Number(input, "scopePid"));
  options.config.scope_kind = static_cast<uint32_t>(Number(input, "scopeKind"));
  options.config.read_opens = static_cast<uint32_t>(Number(input, "readOpens"));
  options.config.rate_limit = static_cast<uint32_t>(Number(input, "rateLimit"));
  options.watches = watches.data();
  options.watch_count = watches.size();
  options.noise = noise.data();
  options.noise_count = noise.size();

  auto sensor = std::make_unique<Reader>();
  sn_failure failure = sn_loader_load(&sensor->loader, &options);
  if (failure == SN_OK) failure = sn_loader_attach(&sensor->loader);
  // The kernel's BTF was parsed for this, some 10 MB that nobody needs any more.
  malloc_trim(0);
  if (failure != SN_OK) return Throw(env, failure, sensor->loader.error);
  return Napi::External<Reader>::New(env, sensor.release(), [](Napi::Env, Reader *it) { delete it; });
}

// snapshot(handle) -> Buffer of snapshot records, or throws.
Napi::Value Snapshot(const Napi::CallbackInfo &info) {
  uint8_t *bytes = nullptr;
  long length = sn_loader_snapshot(&Unwrap(info)->loader, &bytes);
  if (length < 0)
    return Throw(info.Env(), SN_FAIL_KERNEL, std::string("the task iterator failed: ") + strerror(-length));
  Napi::Value copy = Napi::Buffer<uint8_t>::Copy(info.Env(), bytes, length);
  free(bytes);
  return copy;
}

// start(handle, deliver, appender?) starts the reader; see BpfAddon in index.ts for what deliver gets.
Napi::Value Start(const Napi::CallbackInfo &info) {
  Reader *sensor = Unwrap(info);
  if (info.Length() > 2 && info[2].IsExternal()) {
    swal_appender *appender = info[2].As<Napi::External<swal_appender>>().Data();
    if (appender->abi != SWAL_APPENDER_ABI)
      return Throw(info.Env(), SN_FAIL_KERNEL, "the log's native interface is of another version; rebuild");
    sensor->appender = appender;
  }
  sensor->Start(info.Env(), info[1].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Value Stop(const Napi::CallbackInfo &info) {
  Unwrap(info)->Stop();
  return info.Env().Undefined();
}

// status(handle) -> hooks, rings and counters.
Napi::Value Status(const Napi::CallbackInfo &info) {
  static const char *const kStates[] = {"missing", "active", "replaced"};
  Napi::Env env = info.Env();
  Reader *sensor = Unwrap(info);
  sn_loader *loader = &sensor->loader;
  uint64_t lost_by_ring[2] = {0, 0}, next[2] = {0, 0};
  Napi::Array hooks = Napi::Array::New(env, loader->hook_count);
  for (uint32_t i = 0; i < loader->hook_count; i++) {
    const sn_hook_info &hook = loader->hooks[i];
    uint64_t events = 0, lost = 0;
    for (size_t cpu = 0; cpu < loader->cpu_count; cpu++) {
      const sn_hook_counter &c = loader->cpus[cpu].hook[hook.id];
      events += c.emitted[0] + c.emitted[1];
      lost += c.lost_full[0] + c.lost_full[1] + c.lost_rate + c.lost_blind;
      lost_by_ring[0] += c.lost_full[0] + c.lost_blind;
      lost_by_ring[1] += c.lost_full[1] + c.lost_rate;
    }
    Napi::Object item = Napi::Object::New(env);
    item.Set("name", hook.name);
    item.Set("attach", hook.attach);
    item.Set("state", kStates[hook.state]);
    if (hook.detail[0]) item.Set("detail", static_cast<const char *>(hook.detail));
    item.Set("events", static_cast<double>(events));
    item.Set("lost", static_cast<double>(lost));
    hooks.Set(i, item);
  }
  Napi::Array rings = Napi::Array::New(env, 2);
  for (uint32_t ring = 0; ring < 2; ring++) {
    for (size_t cpu = 0; cpu < loader->cpu_count; cpu++) next[ring] += loader->cpus[cpu].next[ring];
    Napi::Object item = Napi::Object::New(env);
    item.Set("name", ring == 0 ? "rb_sec" : "rb_obs");
    item.Set("usedBytes", static_cast<double>(sn_ring_used(&loader->rings[ring])));
    item.Set("sizeBytes", static_cast<double>(loader->rings[ring].size));
    item.Set("lost", static_cast<double>(lost_by_ring[ring]));
    item.Set("tried", static_cast<double>(next[ring]));
    rings.Set(ring, item);
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("hooks", hooks);
  result.Set("rings", rings);
  result.Set("lsm", loader->lsm_active > 0);
  result.Set("batches", static_cast<double>(sensor->batches));
  result.Set("records", static_cast<double>(sensor->records));
  result.Set("wakeups", static_cast<double>(sensor->wakeups));
  result.Set("heldBack", static_cast<double>(sensor->held_back));
  result.Set("appendFailures", static_cast<double>(sensor->append_failures));
  result.Set("clockSteps", static_cast<double>(sensor->clock_steps));
  result.Set("wallOffsetNs", Napi::BigInt::New(env, sensor->wall_offset()));
  return result;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("abi", Napi::Number::New(env, 1));
  exports.Set("load", Napi::Function::New(env, Load));
  exports.Set("snapshot", Napi::Function::New(env, Snapshot));
  exports.Set("start", Napi::Function::New(env, Start));
  exports.Set("stop", Napi::Function::New(env, Stop));
  exports.Set("status", Napi::Function::New(env, Status));
  sentinel::RegisterPolicy(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(sentinel_bpf, Init)
