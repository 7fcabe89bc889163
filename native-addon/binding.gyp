{
  "target_defaults": {
    "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")", "src"],
    "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_DEPRECATED", "NAPI_CPP_EXCEPTIONS"],
    "cflags": ["-O2", "-g", "-Wall", "-Wextra", "-Wno-unused-parameter", "-fvisibility=hidden"],
    "cflags_cc": ["-std=c++17", "-fexceptions"],
    "cflags!": ["-fno-exceptions"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++20", "-std=gnu++17"]
  },
  "targets": [
    {
      "target_name": "sentinel_core",
      "sources": ["src/binding.cc", "src/host/peercred.cc"]
    },
    {
      "target_name": "sentinel_bpf",
      "sources": ["src/linux/bpf_binding.cc", "src/linux/bpf-loader.c"],
      "libraries": ["-lbpf", "-lelf", "-lz"]
    }
  ]
}
