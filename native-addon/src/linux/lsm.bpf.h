/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Better where the kernel allows it: LSM hooks see what no tracepoint does (io_uring, 32-bit system calls, handles). */
#ifndef SENTINEL_LSM_BPF_H
#define SENTINEL_LSM_BPF_H
#include "policy.bpf.h"

/* Replaces the open tracepoints. The file is about to be opened; nothing but lack of memory can stop it any more. */
SEC("lsm/file_open")
int BPF_PROG(lsm_file_open, struct file *file)
{
  if (current_in_scope())
    record_open(file, 15, -1);
  return 0;
}

/* Counts attempts to execute, also those that fail later and never become an exec record, and refuses what a policy
 * forbids. For a script it runs twice, for the script and for its interpreter: either may be denied. */
SEC("lsm/bprm_check_security")
int BPF_PROG(lsm_bprm_check, struct linux_binprm *bprm)
{
  struct sn_cpu *cpu = this_cpu();
  struct sn_verdict verdict = {};
  struct task_struct *task;
  u32 outcome = SN_APPLIED;
  struct file *file;
  struct scratch *s;
  struct sn_str path;

  if (!cpu || !current_in_scope())
    return 0;
  __sync_fetch_and_add(&cpu->hook[14].emitted[SN_RING_SECURITY], 1);
  if (!policies_about(SN_POLICIES_EXEC))
    return 0;
  s = claim(14);
  if (!s)
    return 0;
  file = bprm->file;
  s->off = 0;
  read_identity(s, BPF_CORE_READ(file, f_inode));
  append_file_path(s, &path, file);
  if (judge_executable(s)) {
    task = bpf_get_current_task_btf();
    verdict = s->verdict;
    outcome = judge_caller(s, task);
  }
  release(s);
  if (!verdict.handle || outcome != SN_APPLIED)
    return 0; /* The exec tracepoint says what was not done. */
  record_policy_exec(14, verdict.handle, SN_BY_LSM, outcome, file);
  return -SN_EPERM;
}

#endif
