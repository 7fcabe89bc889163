/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Every hook, once: X(id, name, kind, target, program, type, dfd, path, dfd2, path2, extra, extra argument).
 * The last seven say where a system call keeps its arguments (sensor-abi.h) and are unused elsewhere. `id` numbers are
 * indexes of the counters. The eBPF side takes the ids, the loader the rest. */
#ifndef SENTINEL_HOOKS_H
#define SENTINEL_HOOKS_H

#define SN_NO SN_NO_ARG
#define SN_PLAIN_ARGS 0, SN_NO, SN_NO, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO

/* clang-format off */
#define SN_HOOKS(X) \
  X(1,  "sched_process_fork", TP_BTF, "sched_process_fork", "on_fork", SN_PLAIN_ARGS) \
  X(2,  "sched_process_exec", TP_BTF, "sched_process_exec", "on_exec", SN_PLAIN_ARGS) \
  X(3,  "sched_process_exit", TP_BTF, "sched_process_exit", "on_exit", SN_PLAIN_ARGS) \
  X(4,  "iter/task", ITER, "task", "snapshot_tasks", SN_PLAIN_ARGS) \
  X(5,  "signal_generate", TP_BTF, "signal_generate", "on_signal", SN_PLAIN_ARGS) \
  X(6,  "inet_sock_set_state", TP_BTF, "inet_sock_set_state", "on_sock_state", SN_PLAIN_ARGS) \
  X(7,  "io_uring_submit_req", TP_BTF, "io_uring_submit_req", "on_uring_req", SN_PLAIN_ARGS) \
  X(8,  "io_uring_submit_sqe", TP_BTF, "io_uring_submit_sqe", "on_uring_sqe", SN_PLAIN_ARGS) \
  X(9,  "connect4", CGROUP, "BPF_CGROUP_INET4_CONNECT", "on_connect4", SN_PLAIN_ARGS) \
  X(10, "connect6", CGROUP, "BPF_CGROUP_INET6_CONNECT", "on_connect6", SN_PLAIN_ARGS) \
  X(11, "sendmsg4", CGROUP, "BPF_CGROUP_UDP4_SENDMSG", "on_sendmsg4", SN_PLAIN_ARGS) \
  X(12, "sendmsg6", CGROUP, "BPF_CGROUP_UDP6_SENDMSG", "on_sendmsg6", SN_PLAIN_ARGS) \
  X(13, "egress_dns", CGROUP, "BPF_CGROUP_INET_EGRESS", "on_egress", SN_PLAIN_ARGS) \
  X(14, "lsm/bprm_check_security", LSM, "bprm_check_security", "lsm_bprm_check", SN_PLAIN_ARGS) \
  X(15, "lsm/file_open", LSM, "file_open", "lsm_file_open", SN_PLAIN_ARGS) \
  X(16, "fentry/__fput", FENTRY, "__fput", "on_fput", SN_PLAIN_ARGS) \
  X(17, "sched_process_free", TP_BTF, "sched_process_free", "on_free", SN_PLAIN_ARGS) \
  X(18, "sys_exit", TP_BTF, "sys_exit", "on_sys_exit", SN_PLAIN_ARGS) \
  X(20, "open", SYS_EXIT, "open", "on_open", SN_FILE_OPEN, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(21, "openat", SYS_EXIT, "openat", "on_open", SN_FILE_OPEN, 0, 1, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(22, "openat2", SYS_EXIT, "openat2", "on_open", SN_FILE_OPEN, 0, 1, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(23, "creat", SYS_EXIT, "creat", "on_open", SN_FILE_OPEN, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(24, "open_by_handle_at", SYS_EXIT, "open_by_handle_at", "on_open", SN_FILE_OPEN, SN_NO, SN_NO, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(25, "close", SYS_ENTER, "close", "on_close", SN_PLAIN_ARGS) \
  X(26, "dup2", SYS_ENTER, "dup2", "on_dup", SN_PLAIN_ARGS) \
  X(27, "dup3", SYS_ENTER, "dup3", "on_dup", SN_PLAIN_ARGS) \
  X(28, "close_range", SYS_ENTER, "close_range", "on_close_range", SN_PLAIN_ARGS) \
  X(30, "rename", SYS_EXIT, "rename", "on_path", SN_RENAME, SN_NO, 1, SN_NO, 0, SN_EXTRA_NONE, SN_NO) \
  X(31, "renameat", SYS_EXIT, "renameat", "on_path", SN_RENAME, 2, 3, 0, 1, SN_EXTRA_NONE, SN_NO) \
  X(32, "renameat2", SYS_EXIT, "renameat2", "on_path", SN_RENAME, 2, 3, 0, 1, SN_EXTRA_NONE, SN_NO) \
  X(33, "unlink", SYS_EXIT, "unlink", "on_path", SN_UNLINK, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(34, "unlinkat", SYS_EXIT, "unlinkat", "on_path", SN_UNLINK, 0, 1, SN_NO, SN_NO, SN_EXTRA_REMOVEDIR, 2) \
  X(35, "rmdir", SYS_EXIT, "rmdir", "on_path", SN_RMDIR, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(36, "link", SYS_EXIT, "link", "on_path", SN_LINK, SN_NO, 1, SN_NO, 0, SN_EXTRA_NONE, SN_NO) \
  X(37, "linkat", SYS_EXIT, "linkat", "on_path", SN_LINK, 2, 3, 0, 1, SN_EXTRA_NONE, SN_NO) \
  X(38, "symlink", SYS_EXIT, "symlink", "on_path", SN_SYMLINK, SN_NO, 1, SN_NO, 0, SN_EXTRA_NONE, SN_NO) \
  X(39, "symlinkat", SYS_EXIT, "symlinkat", "on_path", SN_SYMLINK, 1, 2, SN_NO, 0, SN_EXTRA_NONE, SN_NO) \
  X(40, "mkdir", SYS_EXIT, "mkdir", "on_path", SN_MKDIR, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_MODE, 1) \
  X(41, "mkdirat", SYS_EXIT, "mkdirat", "on_path", SN_MKDIR, 0, 1, SN_NO, SN_NO, SN_EXTRA_MODE, 2) \
  X(42, "mknod", SYS_EXIT, "mknod", "on_path", SN_MKNOD, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_MODE, 1) \
  X(43, "mknodat", SYS_EXIT, "mknodat", "on_path", SN_MKNOD, 0, 1, SN_NO, SN_NO, SN_EXTRA_MODE, 2) \
  X(44, "chmod", SYS_EXIT, "chmod", "on_path", SN_CHMOD, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_MODE, 1) \
  X(45, "fchmod", SYS_EXIT, "fchmod", "on_path", SN_CHMOD, 0, SN_NO, SN_NO, SN_NO, SN_EXTRA_MODE, 1) \
  X(46, "fchmodat", SYS_EXIT, "fchmodat", "on_path", SN_CHMOD, 0, 1, SN_NO, SN_NO, SN_EXTRA_MODE, 2) \
  X(47, "fchmodat2", SYS_EXIT, "fchmodat2", "on_path", SN_CHMOD, 0, 1, SN_NO, SN_NO, SN_EXTRA_MODE, 2) \
  X(48, "chown", SYS_EXIT, "chown", "on_path", SN_CHOWN, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_OWNER, 1) \
  X(49, "lchown", SYS_EXIT, "lchown", "on_path", SN_CHOWN, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_OWNER, 1) \
  X(50, "fchown", SYS_EXIT, "fchown", "on_path", SN_CHOWN, 0, SN_NO, SN_NO, SN_NO, SN_EXTRA_OWNER, 1) \
  X(51, "fchownat", SYS_EXIT, "fchownat", "on_path", SN_CHOWN, 0, 1, SN_NO, SN_NO, SN_EXTRA_OWNER, 2) \
  X(52, "truncate", SYS_EXIT, "truncate", "on_path", SN_TRUNCATE, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_LENGTH, 1) \
  X(53, "ftruncate", SYS_EXIT, "ftruncate", "on_path", SN_TRUNCATE, 0, SN_NO, SN_NO, SN_NO, SN_EXTRA_LENGTH, 1) \
  X(54, "utime", SYS_EXIT, "utime", "on_path", SN_UTIME, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_UTIMBUF, 1) \
  X(55, "utimes", SYS_EXIT, "utimes", "on_path", SN_UTIME, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_TIMEVAL, 1) \
  X(56, "futimesat", SYS_EXIT, "futimesat", "on_path", SN_UTIME, 0, 1, SN_NO, SN_NO, SN_EXTRA_TIMEVAL, 2) \
  X(57, "utimensat", SYS_EXIT, "utimensat", "on_path", SN_UTIME, 0, 1, SN_NO, SN_NO, SN_EXTRA_TIMESPEC, 2) \
  X(58, "setxattr", SYS_EXIT, "setxattr", "on_path", SN_SETXATTR, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_ATTRIBUTE, 1) \
  X(59, "lsetxattr", SYS_EXIT, "lsetxattr", "on_path", SN_SETXATTR, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_ATTRIBUTE, 1) \
  X(60, "fsetxattr", SYS_EXIT, "fsetxattr", "on_path", SN_SETXATTR, 0, SN_NO, SN_NO, SN_NO, SN_EXTRA_ATTRIBUTE, 1) \
  X(61, "setxattrat", SYS_EXIT, "setxattrat", "on_path", SN_SETXATTR, 0, 1, SN_NO, SN_NO, SN_EXTRA_ATTRIBUTE, 3) \
  X(65, "accept", SYS_EXIT, "accept", "on_accept", SN_PLAIN_ARGS) \
  X(66, "accept4", SYS_EXIT, "accept4", "on_accept", SN_PLAIN_ARGS) \
  X(70, "ptrace", SYS_EXIT, "ptrace", "on_ptrace", SN_PLAIN_ARGS) \
  X(71, "process_vm_writev", SYS_EXIT, "process_vm_writev", "on_vm_write", SN_PLAIN_ARGS) \
  X(72, "memfd_create", SYS_EXIT, "memfd_create", "on_memfd", SN_PLAIN_ARGS) \
  X(73, "mmap", SYS_EXIT, "mmap", "on_mmap", SN_PLAIN_ARGS) \
  X(74, "mprotect", SYS_EXIT, "mprotect", "on_mprotect", SN_PLAIN_ARGS) \
  X(75, "pkey_mprotect", SYS_EXIT, "pkey_mprotect", "on_mprotect", SN_PLAIN_ARGS) \
  X(76, "bpf", SYS_EXIT, "bpf", "on_bpf", SN_PLAIN_ARGS) \
  X(77, "init_module", SYS_EXIT, "init_module", "on_init_module", SN_PLAIN_ARGS) \
  X(78, "finit_module", SYS_EXIT, "finit_module", "on_finit_module", SN_PLAIN_ARGS) \
  X(79, "delete_module", SYS_EXIT, "delete_module", "on_delete_module", SN_PLAIN_ARGS) \
  X(80, "kexec_load", SYS_EXIT, "kexec_load", "on_kexec", SN_PLAIN_ARGS) \
  X(81, "kexec_file_load", SYS_EXIT, "kexec_file_load", "on_kexec", SN_PLAIN_ARGS) \
  X(82, "mount", SYS_EXIT, "mount", "on_mount", SN_PLAIN_ARGS) \
  X(83, "move_mount", SYS_EXIT, "move_mount", "on_move_mount", SN_PLAIN_ARGS) \
  X(84, "umount", SYS_EXIT, "umount", "on_umount", SN_PLAIN_ARGS) \
  X(85, "unshare", SYS_EXIT, "unshare", "on_unshare", SN_PLAIN_ARGS) \
  X(86, "setns", SYS_EXIT, "setns", "on_setns", SN_PLAIN_ARGS) \
  X(87, "chroot", SYS_EXIT, "chroot", "on_chroot", SN_PLAIN_ARGS) \
  X(88, "pivot_root", SYS_EXIT, "pivot_root", "on_chroot", SN_PLAIN_ARGS) \
  X(90, "setuid", SYS_EXIT, "setuid", "on_setid", SN_SETUID, SN_NO, SN_NO, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(91, "setreuid", SYS_EXIT, "setreuid", "on_setid", SN_SETUID, SN_NO, SN_NO, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(92, "setresuid", SYS_EXIT, "setresuid", "on_setid", SN_SETUID, SN_NO, SN_NO, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(93, "setgid", SYS_EXIT, "setgid", "on_setid", SN_SETGID, SN_NO, SN_NO, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(94, "setregid", SYS_EXIT, "setregid", "on_setid", SN_SETGID, SN_NO, SN_NO, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(95, "setresgid", SYS_EXIT, "setresgid", "on_setid", SN_SETGID, SN_NO, SN_NO, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(96, "capset", SYS_EXIT, "capset", "on_setid", SN_CAPSET, SN_NO, SN_NO, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO) \
  X(100, "setuid (enter)", SYS_ENTER, "setuid", "on_setid_enter", SN_PLAIN_ARGS) \
  X(101, "setreuid (enter)", SYS_ENTER, "setreuid", "on_setid_enter", SN_PLAIN_ARGS) \
  X(102, "setresuid (enter)", SYS_ENTER, "setresuid", "on_setid_enter", SN_PLAIN_ARGS) \
  X(103, "setgid (enter)", SYS_ENTER, "setgid", "on_setid_enter", SN_PLAIN_ARGS) \
  X(104, "setregid (enter)", SYS_ENTER, "setregid", "on_setid_enter", SN_PLAIN_ARGS) \
  X(105, "setresgid (enter)", SYS_ENTER, "setresgid", "on_setid_enter", SN_PLAIN_ARGS) \
  X(106, "capset (enter)", SYS_ENTER, "capset", "on_setid_enter", SN_PLAIN_ARGS) \
  X(110, "fentry/security_path_unlink", FENTRY, "security_path_unlink", "note_unlink", SN_PLAIN_ARGS) \
  X(111, "fentry/security_path_rmdir", FENTRY, "security_path_rmdir", "note_rmdir", SN_PLAIN_ARGS) \
  X(112, "fentry/security_path_mkdir", FENTRY, "security_path_mkdir", "note_mkdir", SN_PLAIN_ARGS) \
  X(113, "fentry/security_path_mknod", FENTRY, "security_path_mknod", "note_mknod", SN_PLAIN_ARGS) \
  X(114, "fentry/security_path_symlink", FENTRY, "security_path_symlink", "note_symlink", SN_PLAIN_ARGS) \
  X(115, "fentry/security_path_link", FENTRY, "security_path_link", "note_link", SN_PLAIN_ARGS) \
  X(116, "fentry/security_path_rename", FENTRY, "security_path_rename", "note_rename", SN_PLAIN_ARGS) \
  X(117, "fentry/security_path_chmod", FENTRY, "security_path_chmod", "note_chmod", SN_PLAIN_ARGS) \
  X(118, "fentry/security_path_chown", FENTRY, "security_path_chown", "note_chown", SN_PLAIN_ARGS) \
  X(119, "fentry/security_path_truncate", FENTRY, "security_path_truncate", "note_truncate", SN_PLAIN_ARGS) \
  X(120, "fentry/vfs_utimes", FENTRY, "vfs_utimes", "note_utime", SN_PLAIN_ARGS)
/* clang-format on */

#endif
