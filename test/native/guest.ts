/** Boots a kernel with the sensor's object and the workload, or runs the same program on this kernel. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SentinelEvent } from '../../agent/event.ts';
import { decodeRecord } from '../../agent/sensors/decode.ts';
import { nativeDir } from '../../native-addon/index.ts';
import { compile, workloadBinary } from './compile.ts';
import type { GuestKernel } from './kernels.ts';

// Emulation of an idle machine takes 7 s, of a busy one several times that.
const BOOT_TIMEOUT_MS = 240_000;

export interface GuestHook {
  name: string;
  attach: string;
  state: string;
  events: number;
  detail: string;
}

export interface GuestReport {
  events: SentinelEvent[];
  hooks: GuestHook[];
  /** Records tried and lost by ring. */
  rings: { name: string; tried: number; lost: number }[];
  snapshotBytes: number;
  /** What became of programs that a policy denies, by `WHEN NAME`: ran, refused or killed. */
  attempts: Record<string, string>;
  /** What the policy left on record. */
  acts: SentinelEvent[];
}

function guestBinary(): string {
  const parts = ['bpf-attach.c', 'bpf-hooks.c', 'bpf-loader.c'].map(
    (name) => `native-addon/src/linux/${name}`,
  );
  return compile(['test/native/guest.c', ...parts], ['-lbpf', '-lelf', '-lz']);
}

function parse(output: string, context: string): GuestReport {
  const report: GuestReport = { events: [], hooks: [], rings: [], snapshotBytes: 0, attempts: {}, acts: [] };
  const lines = output.split(/\r?\n/);
  for (const line of lines) {
    const space = line.indexOf(' ');
    const word = line.slice(0, space);
    const rest = line.slice(space + 1);
    if (word === 'record' || word === 'act') {
      const event = decodeRecord(Buffer.from(rest, 'base64'), 0, 0n);
      if (event === undefined) throw new Error(`a record did not decode: ${rest}`);
      (word === 'act' ? report.acts : report.events).push(event);
    } else if (word === 'hook') {
      const [name = '', attach = '', state = '', events = '0', detail = ''] = rest.split('\t');
      report.hooks.push({ name, attach, state, events: Number(events), detail });
    } else if (word === 'ring') {
      const [name = '', tried, lost] = rest.split(' ');
      report.rings.push({ name, tried: Number(tried), lost: Number(lost) });
    } else if (word === 'attempt') {
      const [when = '', name = '', outcome = ''] = rest.split(' ');
      report.attempts[`${when} ${name}`] = outcome;
    } else if (word === 'snapshot') report.snapshotBytes = Number(rest);
    else if (word === 'error') throw new Error(`${context}: ${rest}`);
  }
  if (!lines.includes('done')) throw new Error(`${context}: no report; ${output.slice(-500)}`);
  return report;
}

/** The program on the running kernel. */
export function runHere(): GuestReport {
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-guest-'));
  try {
    const result = spawnSync(
      guestBinary(),
      [join(nativeDir(), 'sensor.bpf.o'), workloadBinary(), directory],
      { encoding: 'utf8', maxBuffer: 64 << 20, timeout: 60_000 },
    );
    return parse(result.stdout, `running kernel: ${result.stderr}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// Without cx16: QEMU 7.2 now and then emulates cmpxchg16b wrong, and the kernel's allocator dies of it.
const QEMU_ARGS: readonly string[] =
  '-accel tcg,thread=single -cpu max,-cx16 -smp 2 -m 1024 -display none -no-reboot -monitor none -nodefaults'
    .split(' ')
    .concat(
      '-append',
      // A starved emulator does not deliver the ticks that the kernel waits for when it tries its timer: no such trial.
      'console=ttyS0 panic=-1 quiet no_timer_check lsm=landlock,lockdown,yama,integrity,apparmor,bpf',
    );

/** What QEMU needs and this machine lacks; undefined when nothing. */
export function missingForQemu(): string | undefined {
  for (const [command, pack] of [
    ['qemu-system-x86_64', 'qemu-system-x86'],
    ['cpio', 'cpio'],
  ] as const) {
    if (spawnSync(command, ['--version']).status !== 0) return `needs ${command} (apt install ${pack})`;
  }
  return undefined;
}

/** The program as process 1 of a guest with `kernel`. */
export function runInGuest(kernel: GuestKernel): GuestReport {
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-guest-'));
  try {
    const root = join(directory, 'root');
    mkdirSync(join(root, 'tmp'), { recursive: true });
    copyFileSync(guestBinary(), join(root, 'init'));
    copyFileSync(workloadBinary(), join(root, 'workload'));
    copyFileSync(join(nativeDir(), 'sensor.bpf.o'), join(root, 'sensor.bpf.o'));
    symlinkSync('/init', join(root, 'linuxrc'));
    execFileSync('sh', ['-c', 'find . | cpio -o -H newc --quiet > ../initrd'], { cwd: root });
    const report = join(directory, 'report');
    const files = ['-kernel', kernel.path, '-initrd', join(directory, 'initrd')];
    const qemu = spawnSync(
      'qemu-system-x86_64',
      [...QEMU_ARGS, ...files, '-serial', 'stdio', '-serial', `file:${report}`],
      { encoding: 'utf8', timeout: BOOT_TIMEOUT_MS, maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const console = `${qemu.stdout}${qemu.stderr}`;
    return parse(readFileSync(report, 'utf8'), `${kernel.name}: ${console.slice(-1500)}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
