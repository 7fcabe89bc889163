/** What the eBPF sensor cannot see, given the hooks that are active: said to people, with the remedy. */
import type { BlindSpot, HookStatus } from './types.ts';

const LSM_REMEDY = 'boot a kernel that allows LSM programs (CONFIG_BPF_LSM=y and lsm=…,bpf)';

/** Blind spots in order of weight. */
export function ebpfBlindSpots(hooks: readonly HookStatus[], readOpens: boolean): BlindSpot[] {
  const active = (name: string): boolean =>
    hooks.some((hook) => hook.name === name && hook.state === 'active');
  const spots: BlindSpot[] = [];
  if (!active('lsm/file_open')) {
    spots.push(
      {
        what: 'arguments of 32-bit system calls that do not name files',
        why: 'mount, ptrace, setuid, module loading and the like through int 0x80 are recorded with their numbers only',
      },
      {
        what: 'outcome of io_uring file operations',
        why: 'they are recorded when submitted, with their path, and not when they succeed',
        remedy: LSM_REMEDY,
      },
    );
  }
  if (!active('fentry/__fput')) {
    spots.push({
      what: 'some last closes of written files',
      why: 'a file closed by exec, by io_uring, by the end of a process that shared its descriptors, or while another thread uses it has no write record',
      remedy: 'boot a kernel that allows fentry programs',
    });
  }
  const realPaths = active('fentry/security_path_rename');
  spots.push({
    what: realPaths
      ? 'symbolic links in the paths of setxattr'
      : 'symbolic links in the paths of rename, unlink, link, chmod and the like',
    why: 'these paths are shown as the caller gave them, and a racing thread can change them during the call; opens show the real file',
    remedy: realPaths ? undefined : 'boot a kernel that allows fentry programs',
  });
  if (!readOpens) {
    spots.push({
      what: 'read-only opens of ordinary files',
      why: 'only files that hold credentials are recorded when read',
      remedy: 'set readOpens to record them all',
    });
  }
  spots.push(
    {
      what: 'most of the times that a process makes written memory executable',
      why: 'compilers at run time do it all the time: the first, the 16th, the 256th and so on are recorded, with the count',
    },
    {
      what: 'datagrams over unix sockets, and unix connections through io_uring',
      why: 'only connect is recorded',
    },
    {
      what: 'names that are resolved over TLS, HTTPS or D-Bus',
      why: 'DNS questions are read from packets to port 53',
    },
    {
      what: 'connections that were open before the sensor started',
      why: 'their process is not known to the socket hooks',
    },
  );
  for (const hook of hooks) {
    // A call that this kernel does not have cannot be made either.
    if (hook.state !== 'missing' || hook.detail?.startsWith('this kernel has no') === true) continue;
    if (/^(?:lsm|fentry)$/.test(hook.attach)) continue;
    spots.push({ what: `events of ${hook.name}`, why: hook.detail ?? 'the hook is not attached' });
  }
  return spots;
}
