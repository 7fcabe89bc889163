/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The eBPF sensor: one object, a header per hook family. CO-RE, so the same object runs on every kernel with BTF; the
 * loader leaves out what a kernel does not have. */
#include "code.bpf.h"
#include "file.bpf.h"
#include "identity.bpf.h"
#include "lsm.bpf.h"
#include "names.bpf.h"
#include "process.bpf.h"
#include "rare.bpf.h"
#include "snapshot.bpf.h"
#include "sockets.bpf.h"
#include "syscalls.bpf.h"
#include "tcp.bpf.h"
#include "udp.bpf.h"
#include "uring.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
