/**
 * Offsets and numbers of the sensor record, the TypeScript twin of native-addon/src/linux/events.h (which explains
 * them); layout.test.ts compares the two through the C compiler.
 */

export const SN_VERSION = 1;
export const RECORD_MAX = 20480;
export const PATH_MAX = 4096;
export const ARGV_MAX = 4096;
export const QUERY_MAX = 1024;
export const CGROUP_PATH_MAX = 512;
export const COMM_LEN = 16;
export const UNKNOWN_ID = 0xffffffff;

export const Type = {
  FORK: 1,
  EXEC: 2,
  EXIT: 3,
  SNAPSHOT: 4,
  FILE_OPEN: 10,
  FILE_CLOSE_WRITE: 11,
  RENAME: 12,
  UNLINK: 13,
  LINK: 14,
  SYMLINK: 15,
  MKDIR: 16,
  RMDIR: 17,
  CHMOD: 18,
  CHOWN: 19,
  TRUNCATE: 20,
  UTIME: 21,
  SETXATTR: 22,
  MKNOD: 23,
  CONNECT: 40,
  ACCEPT: 41,
  LISTEN: 42,
  NET_CLOSE: 43,
  UDP_SEND: 44,
  DNS_QUERY: 45,
  UNIX_CONNECT: 46,
  SOCKET: 47,
  VSOCK_CONNECT: 48,
  POLICY_CONNECT: 49,
  PTRACE: 60,
  VM_WRITE: 61,
  MEMFD_CREATE: 62,
  MMAP_WX: 63,
  MPROTECT_WX: 64,
  BPF: 65,
  INIT_MODULE: 66,
  FINIT_MODULE: 67,
  DELETE_MODULE: 68,
  SETUID: 69,
  SETGID: 70,
  CAPSET: 71,
  MOUNT: 72,
  UMOUNT: 73,
  UNSHARE: 74,
  SETNS: 75,
  IO_URING: 76,
  KILL: 77,
  CHROOT: 78,
  PIVOT_ROOT: 79,
  KEXEC: 80,
  MPROTECT_X: 81,
  MMAP_X: 82,
  SYSCALL32: 83,
  POLICY_EXEC: 84,
  POLICY_OPEN: 85,
} as const;

export const Flag = {
  OBSERVABILITY: 0x8000,
  EXE_DELETED: 0x0001,
  EXE_MEMFD: 0x0002,
  EXE_SETUID: 0x0004,
  EXE_SETGID: 0x0008,
  SCRIPT: 0x0010,
  KTHREAD: 0x0020,
  EXE_WRITABLE_DIR: 0x0040,
  CREATED: 0x0001,
  FD_ARG: 0x0002,
  DELETED: 0x0004,
  MEMFD: 0x0008,
  WATCHED: 0x0010,
  NONBLOCK: 0x0001,
} as const;

export const StrKind = { NONE: 0, PLAIN: 1, COMPONENTS: 2, ARGV: 3, DNS: 4 } as const;
export const StrFlag = { CUT: 1, REPLACED: 2, DEEP: 4, FAULT: 8 } as const;
/** Bytes of a string descriptor: len u16, kind u8, flags u8, orig u32. */
export const STR_SIZE = 8;

export const Header = {
  len: 0,
  type: 4,
  ver: 5,
  flags: 6,
  ts: 8,
  seq: 16,
  start: 24,
  tgid: 32,
  tid: 36,
  uid: 40,
  euid: 44,
  cgroup: 48,
  size: 56,
} as const;

export const Fork = {
  parent_start: 56,
  creator_start: 64,
  ppid: 72,
  creator_pid: 76,
  comm: 80,
  size: 96,
} as const;

export const Exit = { status: 56, ppid: 60, comm: 64, size: 80 } as const;

export const Proc = {
  parent_start: 56,
  exe_ino: 64,
  exe_dev: 72,
  exe_size: 80,
  exe_mtime: 88,
  exe_ctime: 96,
  cap_effective: 104,
  ppid: 112,
  gid: 116,
  egid: 120,
  loginuid: 124,
  session: 128,
  exe_mode: 132,
  exe_uid: 136,
  tty: 140,
  ns_pid: 144,
  ns_mnt: 148,
  ns_net: 152,
  ns_user: 156,
  ns_tgid: 160,
  sid: 164,
  comm: 168,
  filename: 184,
  exe: 192,
  cwd: 200,
  argv: 208,
  cgroup_path: 216,
  size: 224,
} as const;

export const File = {
  ino: 56,
  dev: 64,
  size_: 72,
  mtime: 80,
  ctime: 88,
  arg: 96,
  mode: 104,
  oflags: 108,
  fd: 112,
  aux: 116,
  comm: 120,
  path: 136,
  base: 144,
  path2: 152,
  base2: 160,
  size: 168,
} as const;

export const Net = {
  bytes_sent: 56,
  bytes_received: 64,
  duration_ns: 72,
  saddr: 80,
  daddr: 96,
  sport: 112,
  dport: 114,
  family: 116,
  protocol: 117,
  direction: 118,
  verdict: 119,
  netns: 120,
  error: 124,
  qtype: 128,
  outcome: 130,
  policy: 132,
  comm: 136,
  query: 152,
  size: 160,
} as const;

export const Rare = {
  target_start: 56,
  target_pid: 64,
  target_uid: 68,
  a: 72,
  ret: 120,
  comm: 128,
  target_comm: 144,
  s1: 160,
  s2: 168,
  s3: 176,
  size: 184,
} as const;
