/** One object, several kernels: what is recorded of a fixed workload must not depend on the kernel. */
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type GuestReport, missingForQemu, runHere, runInGuest } from './guest.ts';
import { guestKernel } from './kernels.ts';
import { counts, of, skipNote, whyNot } from './recorder.ts';

const SERIES = ['6.1', '6.12'];
const here = whyNot();
const noQemu = missingForQemu();
if (here) console.warn(`test/native/kernels: skipped on the running kernel: ${here}`);
if (noQemu) console.warn(`test/native/kernels: no guest is booted: ${noQemu}`);

/** What the workload of guest.c does, counted by hand from its source. */
const EXPECTED = {
  snapshot: 1,
  fork: 289,
  exec: 94,
  exit: 289, // the one that starts all others goes on
  create: 98,
  write: 99,
  rename: 26,
  link: 22,
  symlink: 24,
  unlink: 145,
  mkdir: 206,
  rmdir: 205,
  mknod: 2,
  chmod: 24,
  chown: 22,
  truncate: 22,
  utime: 3,
  open: 2,
  connect: 42,
  accept: 40,
  listen: 3,
  close: 80,
  send: 4,
  query: 2,
  memfd_create: 2,
  mmap_wx: 1,
  mprotect_wx: 1,
  mprotect_exec: 4,
  mmap_exec: 1,
  ptrace: 3,
  vm_write: 1,
  setuid: 1,
  setgid: 1,
  unshare: 1,
  mount: 2,
  umount: 1,
  kill: 3,
  io_uring: 1,
  unix_connect: 3,
  vsock_connect: 1,
  socket: 3,
  syscall32: 2,
  chroot: 2,
  bpf: 1,
  init_module: 1,
  finit_module: 2,
  delete_module: 1,
};

function expectTheWorkload(report: GuestReport, guest: boolean): void {
  const active = (name: string): boolean =>
    report.hooks.some((hook) => hook.name === name && hook.state === 'active');
  const expected: Record<string, number> = { ...EXPECTED };
  // What only some kernels have or show.
  if (active('lsm/file_open')) expected['create'] = EXPECTED.create + 1; // the file made through io_uring
  const seen = counts(report.events);
  delete seen['setxattr']; // tmpfs has user attributes from 6.6 on only
  expect(seen).toEqual(expected);
  expect(report.rings.map(({ lost }) => lost)).toEqual([0, 0]);
  expect(report.rings.reduce((sum, ring) => sum + ring.tried, 0) + 1).toBe(report.events.length);
  for (const hook of report.hooks) {
    const unwanted =
      hook.detail.startsWith('this kernel has no') || (!guest && /^(?:lsm|fentry)$/.test(hook.attach));
    if (hook.state === 'missing' && !unwanted) expect(hook).toMatchObject({ state: 'active' });
  }
  const huge = of(report.events, 'exec').find((event) => event.process?.argv?.[0] === 'huge');
  expect(huge?.truncated).toEqual([{ field: 'process.argv', originalLength: 1_000_005 }]);
  const memfd = of(report.events, 'exec').find((event) => event.process?.flags?.includes('memfd'));
  expect(memfd?.process).toMatchObject({ executable: '/memfd:payload', argv: ['hidden', 'sleep', '1'] });
  expect(memfd?.process?.exeIdentity?.ctimeNs).toBeGreaterThan(1_600_000_000_000_000_000n);
}

/** Changes through a linked directory, and of a name that a thread keeps changing, are those that happened. */
function expectRealPaths(report: GuestReport): void {
  const linked = report.events.filter((event) => /\/(?:home|alias)\/[a-f]$/.test(event.file?.path ?? ''));
  expect(linked.map((event) => [event.action, basename(event.file?.path ?? '')])).toEqual([
    ['create', 'a'],
    ['write', 'a'],
    ['rename', 'b'],
    ['link', 'c'],
    ['symlink', 'd'],
    ['chmod', 'b'],
    ['chown', 'b'],
    ['truncate', 'b'],
    ['utime', 'b'],
    ['mkdir', 'e'],
    ['mknod', 'f'],
    ['rmdir', 'e'],
    ['unlink', 'b'],
    ['unlink', 'c'],
    ['unlink', 'd'],
    ['unlink', 'f'],
  ]);
  const named = linked.flatMap(({ file }) => [file?.path ?? '', file?.oldPath ?? '']);
  expect(named.filter((path) => path.includes('/alias/'))).toEqual([]);
  const [, , renamed, , , chmodded] = linked;
  expect(renamed?.file?.oldPath).toMatch(/\/home\/a$/);
  expect(renamed?.file?.inode).toBe(linked[0]?.file?.inode);
  expect(chmodded?.file?.inode).toBe(linked[0]?.file?.inode);
  const told: string[] = [];
  const happened: string[] = [];
  for (const { action, file } of report.events) {
    if (action === 'unlink' && /\/[ab]$/.test(file?.path ?? '') && !file?.path.includes('/home/'))
      told.push(basename(file?.path ?? ''));
    const was = action === 'mkdir' ? /\/was-([ab])$/.exec(file?.path ?? '')?.[1] : undefined;
    if (was !== undefined) happened.push(was);
  }
  expect(told).toEqual(happened);
}

/** A policy by path: refused by an LSM program where the kernel runs those, else killed before its first instruction. */
function expectThePolicy({ attempts, acts, hooks }: GuestReport): void {
  const lsm = hooks.find(({ name }) => name === 'lsm/bprm_check_security')?.state === 'active';
  const stopped = lsm ? 'refused' : 'killed';
  expect(attempts).toEqual({
    'free denied': 'ran',
    'free closed': 'ran',
    'free script': 'ran',
    'free twin': 'ran',
    'denied denied': stopped,
    'denied closed': stopped,
    // By its own path a script can only be refused: what is killed has become its interpreter.
    'denied script': lsm ? 'refused' : 'ran',
    'denied twin': 'ran',
    'silent denied': 'ran',
    'silent closed': stopped,
    'silent script': 'ran',
    'silent twin': 'ran',
  });
  const told = of(acts, 'deny_exec').map(({ details, file }) => [
    file?.path.split('/').at(-1),
    details?.['policyHandle'],
    details?.['mechanism'],
    details?.['outcome'],
  ]);
  const mechanism = lsm ? 'lsm_deny' : 'exec_sigkill';
  const applied = [
    ['denied', '7', mechanism, 'applied'],
    ['closed', '8', mechanism, 'applied'],
  ];
  expect(told).toEqual([
    ...applied,
    ...(lsm ? [['script', '9', 'lsm_deny', 'applied']] : []),
    // What was not done is told where the program starts.
    ['denied', '7', 'exec_sigkill', 'agent_silent'],
    ['closed', '8', mechanism, 'applied'],
  ]);
}

describe('one object on several kernels', () => {
  it.skipIf(here)(`counts on the running kernel${skipNote(here)}`, () => {
    const report = runHere();
    expect(report.snapshotBytes).toBeGreaterThan(0);
    expectTheWorkload(report, false);
    expectThePolicy(report);
  });

  for (const series of SERIES) {
    const kernel = noQemu ?? guestKernel(series);
    const reason = typeof kernel === 'string' ? kernel : undefined;
    if (reason) console.warn(`test/native/kernels: Debian ${series} is not booted: ${reason}`);
    it.skipIf(reason)(
      `counts alike on Debian ${series}, LSM and fentry programs included, and refuses what a policy denies${skipNote(reason)}`,
      () => {
        if (typeof kernel === 'string') return;
        const report = runInGuest(kernel);
        expectTheWorkload(report, true);
        expectRealPaths(report);
        expectThePolicy(report);
        const active = report.hooks.filter((hook) => hook.state === 'active').map((hook) => hook.name);
        expect(active).toEqual(
          expect.arrayContaining(['lsm/bprm_check_security', 'lsm/file_open', 'fentry/__fput']),
        );
        // Attempts to execute: all of them succeed here.
        expect(report.hooks.find((hook) => hook.name === 'lsm/bprm_check_security')?.events).toBe(
          EXPECTED.exec,
        );
        expect(report.hooks.find((hook) => hook.name === 'openat')).toMatchObject({ state: 'replaced' });
      },
    );
  }
});
