/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Better where the kernel allows it: LSM hooks see what no tracepoint does (io_uring, 32-bit system calls, handles). */
#ifndef SENTINEL_LSM_BPF_H
#define SENTINEL_LSM_BPF_H
#include "file.bpf.h"

/* Replaces the open tracepoints. The file is about to be opened; nothing but lack of memory can stop it any more. */
SEC("lsm/file_open")
int BPF_PROG(lsm_file_open, struct file *file)
{
  if (current_in_scope())
    record_open(file, 15, -1);
  return 0;
}

/* Counts attempts to execute, also those that fail later and never become an exec record. */
SEC("lsm/bprm_check_security")
int BPF_PROG(lsm_bprm_check, struct linux_binprm *bprm)
{
  struct sn_cpu *cpu = this_cpu();

  if (cpu && current_in_scope())
    __sync_fetch_and_add(&cpu->hook[14].emitted[SN_RING_SECURITY], 1);
  return 0;
}

#endif
