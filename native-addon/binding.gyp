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
      "sources": [
        "src/binding.cc",
        "src/host/act.cc",
        "src/host/confine.cc",
        "src/host/attributes.cc",
        "src/host/peercred.cc",
        "src/host/protected.cc",
        "src/hash/sha256.cc",
        "src/hash/file_hash.cc",
        "src/linux/file_guard.cc",
        "src/linux/proc_reader.cc",
        "src/linux/proc_connector.cc",
        "src/linux/proc_socket.cc",
        "src/linux/proc_tracker.cc",
        "src/wal/crc32c.cc",
        "src/wal/format.cc",
        "src/wal/segment_file.cc",
        "src/wal/writer.cc",
        "src/wal/writer_append.cc",
        "src/wal/writer_segments.cc",
        "src/wal/wal_binding.cc",
        "src/blake3/blake3.c",
        "src/blake3/blake3_dispatch.c",
        "src/blake3/blake3_portable.c"
      ],
      "conditions": [
        ["target_arch=='x64'", {
          "sources": [
            "src/blake3/blake3_sse2_x86-64_unix.S",
            "src/blake3/blake3_sse41_x86-64_unix.S",
            "src/blake3/blake3_avx2_x86-64_unix.S",
            "src/blake3/blake3_avx512_x86-64_unix.S"
          ]
        }],
        ["target_arch=='arm64'", {"sources": ["src/blake3/blake3_neon.c"]}]
      ]
    },
    {
      "target_name": "sentinel_dlp",
      "cflags!": ["-O2"],
      "cflags": ["-O3"],
      "sources": [
        "src/dlp/binding.cc",
        "src/dlp/csv.cc",
        "src/dlp/document_binding.cc",
        "src/dlp/document_build.cc",
        "src/dlp/document_detector.cc",
        "src/dlp/document_index.cc",
        "src/dlp/document_shared.cc",
        "src/dlp/edm_binding.cc",
        "src/dlp/edm_build.cc",
        "src/dlp/edm_bytes.cc",
        "src/dlp/edm_candidates.cc",
        "src/dlp/edm_dates.cc",
        "src/dlp/edm_entries.cc",
        "src/dlp/edm_escapes.cc",
        "src/dlp/edm_detector.cc",
        "src/dlp/edm_foreign.cc",
        "src/dlp/edm_hash.cc",
        "src/dlp/edm_index.cc",
        "src/dlp/edm_spill.cc",
        "src/dlp/edm_value.cc",
        "src/dlp/edm_window.cc",
        "src/dlp/edm_write.cc",
        "src/dlp/escape_forms.cc",
        "src/dlp/escapes.cc",
        "src/dlp/fold.cc",
        "src/dlp/hit_list.cc",
        "src/dlp/scanner.cc",
        "src/dlp/text.cc",
        "src/dlp/text_judge.cc",
        "src/dlp/automaton.cc",
        "src/dlp/patterns.cc",
        "src/dlp/patterns_binding.cc",
        "src/dlp/patterns_context.cc",
        "src/dlp/patterns_filter.cc",
        "src/dlp/patterns_numbers.cc",
        "src/dlp/patterns_secrets.cc",
        "src/dlp/validators.cc",
        "src/dlp/validators_national.cc",
        "src/dlp/winnow.cc",
        "src/dlp/winnow_kernels.cc",
        "src/blake3/blake3.c",
        "src/blake3/blake3_dispatch.c",
        "src/blake3/blake3_portable.c"
      ],
      "conditions": [
        ["target_arch=='x64'", {
          "sources": [
            "src/blake3/blake3_sse2_x86-64_unix.S",
            "src/blake3/blake3_sse41_x86-64_unix.S",
            "src/blake3/blake3_avx2_x86-64_unix.S",
            "src/blake3/blake3_avx512_x86-64_unix.S"
          ]
        }],
        ["target_arch=='arm64'", {"sources": ["src/blake3/blake3_neon.c"]}]
      ]
    },
    {
      "target_name": "sentinel_bpf",
      "sources": ["src/linux/bpf_binding.cc", "src/linux/policy_binding.cc", "src/host/protected.cc", "src/linux/bpf-attach.c", "src/linux/bpf-hooks.c", "src/linux/bpf-loader.c"],
      "libraries": ["-lbpf", "-lelf", "-lz"]
    }
  ]
}
