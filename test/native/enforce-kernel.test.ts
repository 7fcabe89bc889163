/** The kernel guardian with real processes and sockets, all inside a cgroup of the test's own. */
import { execFileSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KernelGuardian } from '../../agent/enforce/kernel-guardian.ts';
import type { FileIdentity } from '../../agent/event.ts';
import {
  type FailMode,
  type KernelDestination,
  type KernelExecutable,
  type KernelPolicyRef,
  NO_KERNEL_SETS,
} from '../../agent/policy/types.ts';
import { loadCore } from '../../native-addon/index.ts';
import { compile } from './compile.ts';
import { of, type Recorder, settle, skipNote, startRecorder, whyNot } from './recorder.ts';

const reason = whyNot();
if (reason) console.warn(`test/native/enforce-kernel: skipped: ${reason}`);

const EPERM = '1';
const RUNS = 2000;

function policy(handle: number, failMode: FailMode = 'open'): KernelPolicyRef {
  return { handle, policyId: `policy-${handle}`, policyVersion: 1, policyHash: 'ab'.repeat(32), failMode };
}

describe.skipIf(reason)(`the kernel guardian${skipNote(reason)}`, () => {
  let recorder: Recorder;
  let guardian: KernelGuardian;
  let marker: string;
  let attempt: string;
  let place: string;
  let files: string;
  let generation = 0;

  beforeAll(async () => {
    recorder = await startRecorder();
    const kernel = recorder.sensor.kernel;
    const core = loadCore();
    if (kernel === undefined || !core.ok) throw new Error('the sensor has no kernel side');
    guardian = new KernelGuardian(kernel.addon, kernel.handle, core.addon.protectedExecutables());
    attempt = compile(['test/native/attempt.c']);
    const binary = compile(['test/native/first-instruction.c'], ['-nostdlib', '-nostartfiles']);
    place = join(recorder.directory, 'place');
    mkdirSync(place);
    marker = join(place, 'marker');
    copyFileSync(binary, marker);
    files = join(recorder.directory, 'ran');
    mkdirSync(files);
  });
  afterEach(() => {
    deny({});
    rmSync(files, { recursive: true, force: true });
    mkdirSync(files);
  });
  afterAll(() => recorder.stop());

  const deny = (sets: { executables?: KernelExecutable[]; destinations?: KernelDestination[] }): void => {
    generation += 1;
    const result = guardian.apply({ ...NO_KERNEL_SETS, ...sets, generation }, false);
    expect(result.refused).toEqual([]);
  };
  const ran = (): number => readdirSync(files).length;
  /** [killed, refused, normal] of so many runs. */
  const runs = async (program: string, count = 1): Promise<number[]> => {
    const { stdout } = await recorder.program(attempt, 'exec', String(count), program, join(files, 'f'));
    return stdout.trim().split(' ').map(Number);
  };
  const stopped = async (program: string): Promise<boolean> => {
    const before = ran();
    const [killed = 0, refused = 0] = await runs(program);
    const after = ran();
    expect(after - before).toBe(1 - killed - refused);
    rmSync(files, { recursive: true });
    mkdirSync(files);
    return killed + refused === 1;
  };

  it('does nothing without a policy', async () => {
    expect(guardian.armed).toBe(false);
    expect(await runs(marker, 20)).toEqual([0, 0, 20]);
    expect(ran()).toBe(20);
    expect(guardian.check()).toEqual([]);
    expect(guardian.acts).toBe(0);
  });

  it(`lets a denied executable never run its first instruction, ${RUNS} times, and its twin run`, async () => {
    const twin = join(place, 'twin');
    copyFileSync(marker, twin);
    deny({ executables: [{ policy: policy(7), by: 'path', value: marker }] });
    const { stdout, events } = await recorder.program(
      attempt,
      'exec',
      String(RUNS),
      marker,
      join(files, 'f'),
    );
    const [killed = 0, refused = 0, normal] = stdout.trim().split(' ').map(Number);
    expect([killed + refused, normal, ran()]).toEqual([RUNS, 0, 0]);
    const acts = of(events, 'deny_exec');
    expect(acts).toHaveLength(RUNS);
    expect(acts[0]).toMatchObject({
      lane: 'security',
      type: 'process',
      file: { path: marker },
      details: { policyHandle: '7', mechanism: killed > 0 ? 'exec_sigkill' : 'lsm_deny', outcome: 'applied' },
    });
    if (killed > 0) {
      const endings = of(events, 'exit').filter((event) => event.process?.exitSignal === 9);
      expect(endings).toHaveLength(RUNS);
    }
    expect(await stopped(twin)).toBe(false);
  });

  it('by path: what lies there is denied, whatever it is; elsewhere nothing is', async () => {
    const copy = join(place, 'copy');
    const link = join(place, 'hard-link');
    copyFileSync(marker, copy);
    linkSync(marker, link);
    deny({ executables: [{ policy: policy(8), by: 'path', value: marker }] });
    expect(await stopped(marker)).toBe(true);
    expect(await stopped(copy)).toBe(false);
    expect(await stopped(link)).toBe(false);
    const moved = join(place, 'moved');
    renameSync(marker, moved);
    expect(await stopped(moved)).toBe(false);
    renameSync(copy, marker); // another inode at the denied path
    expect(await stopped(marker)).toBe(true);
    const memfd = await recorder.program(attempt, 'memfd', marker, join(files, 'm'));
    expect([memfd.stdout.trim(), ran()]).toEqual(['0 0 1', 1]);
  });

  it('by directory: everything below it, however deep', async () => {
    const deep = join(place, ...Array.from({ length: 20 }, (_, index) => `level-${index}`));
    mkdirSync(deep, { recursive: true });
    copyFileSync(marker, join(deep, 'marker'));
    const outside = join(recorder.directory, 'place-2');
    mkdirSync(outside);
    copyFileSync(marker, join(outside, 'marker'));
    deny({ executables: [{ policy: policy(9), by: 'directory', value: `${place}/` }] });
    expect(await stopped(join(deep, 'marker'))).toBe(true);
    expect(await stopped(marker)).toBe(true);
    expect(await stopped(join(outside, 'marker'))).toBe(false);
  });

  it('by content: every version of the file that was seen, until it is edited', async () => {
    const copy = join(place, 'same-content');
    const link = join(place, 'same-inode');
    copyFileSync(marker, copy);
    linkSync(marker, link);
    const hash = { sha256: 'c0'.repeat(32), blake3: 'c1'.repeat(32) };
    deny({ executables: [{ policy: policy(10), by: 'sha256', value: hash.sha256 }] });
    expect(await stopped(marker)).toBe(false);
    // What the hasher says once it read the file; the identity is the kernel's, from the record of a run.
    const { events } = await recorder.program(attempt, 'exec', '1', marker, join(files, 'f'));
    const identity = of(events, 'exec').find((event) => event.process?.executable === marker)?.process
      ?.exeIdentity as FileIdentity;
    rmSync(join(files, 'f0'));
    expect(guardian.learned(identity, { ...hash, sha256: 'ff'.repeat(32) })).toBeUndefined();
    expect(guardian.learned(identity, hash)?.handle).toBe(10);
    expect(await stopped(marker)).toBe(true);
    expect(await stopped(link)).toBe(true);
    const moved = join(place, 'renamed');
    renameSync(link, moved); // changes ctime: a version nobody read yet
    expect(await stopped(moved)).toBe(false);
    expect(await stopped(copy)).toBe(false); // likewise, until it was hashed
  });

  it('denies a script whose interpreter is denied', async () => {
    const script = join(place, 'script');
    writeFileSync(script, `#!${marker}\n`);
    chmodSync(script, 0o755);
    deny({ executables: [{ policy: policy(11), by: 'path', value: marker }] });
    const [killed = 0, refused = 0, normal] = await runs(script);
    expect([killed + refused, normal]).toEqual([1, 0]);
  });

  it('leaves protected executables alone, and says so', async () => {
    const [systemd] = loadCore().ok
      ? (loadCore() as { addon: { protectedExecutables(): string[] } }).addon.protectedExecutables()
      : [];
    if (systemd === undefined) return console.warn('no protected executable exists here');
    const refused = guardian.apply(
      {
        ...NO_KERNEL_SETS,
        generation: ++generation,
        executables: [{ policy: policy(12), by: 'path', value: systemd }],
      },
      false,
    ).refused;
    expect(refused[0]?.reason).toMatch(/^protected: /);
    const directory = `${systemd.slice(0, systemd.lastIndexOf('/'))}/`;
    deny({ executables: [{ policy: policy(13), by: 'directory', value: directory }] });
    const { events } = await recorder.program(systemd, '--version');
    expect(of(events, 'deny_exec')[0]?.details).toMatchObject({
      policyHandle: '13',
      outcome: 'protected_executable',
    });
  });

  describe('destinations', () => {
    let server: Server;
    let server6: Server;
    let datagrams: Socket;
    let accepts = 0;
    let received = 0;
    const ports = { tcp: 0, tcp6: 0, udp: 0 };

    beforeAll(async () => {
      server = createServer((socket) => {
        accepts += 1;
        socket.on('error', () => {});
        socket.destroy();
      });
      server6 = createServer((socket) => {
        accepts += 1;
        socket.on('error', () => {});
        socket.destroy();
      });
      datagrams = createSocket('udp4', () => (received += 1));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      await new Promise<void>((resolve) => server6.listen(0, '::1', resolve));
      await new Promise<void>((resolve) => datagrams.bind(0, '127.0.0.1', resolve));
      ports.tcp = (server.address() as AddressInfo).port;
      ports.tcp6 = (server6.address() as AddressInfo).port;
      ports.udp = datagrams.address().port;
    });
    afterAll(() => {
      server.close();
      server6.close();
      datagrams.close();
    });

    const tries = async (...args: (string | number)[]): Promise<string> =>
      (await recorder.program(attempt, ...args.map(String))).stdout.trim();
    const to = (handle: number, cidr: string, rest: Partial<KernelDestination> = {}): KernelDestination => ({
      policy: policy(handle),
      cidr,
      ports: [],
      protocol: 'any',
      ...rest,
    });

    it('refuses a TCP connection with EPERM, and the listener hears nothing', async () => {
      deny({ destinations: [to(20, '127.0.0.1/32', { ports: [{ from: ports.tcp, to: ports.tcp }] })] });
      accepts = 0;
      const { events, stdout } = await recorder.program(
        attempt,
        'connect',
        'tcp',
        '127.0.0.1',
        String(ports.tcp),
      );
      expect(stdout.trim()).toBe(EPERM);
      await settle(50);
      expect(accepts).toBe(0);
      const act = of(events, 'deny_connect')[0];
      expect(act).toMatchObject({
        lane: 'security',
        network: {
          protocol: 'tcp',
          dstIp: '127.0.0.1',
          dstPort: ports.tcp,
          verdict: 'denied',
          direction: 'outbound',
        },
        details: { policyHandle: '20', mechanism: 'cgroup_deny', outcome: 'applied', error: 'EPERM' },
      });
      expect(of(events, 'connect')).toEqual([]);
      // The twin: another port of the same address.
      deny({ destinations: [to(20, '127.0.0.1/32', { ports: [{ from: 1, to: 1 }] })] });
      expect(await tries('connect', 'tcp', '127.0.0.1', ports.tcp)).toBe('ok');
      await settle(50);
      expect(accepts).toBe(1);
    });

    it('refuses IPv4 through an IPv6 socket too, and IPv6 by its own networks', async () => {
      deny({ destinations: [to(21, '127.0.0.0/8')] });
      expect(await tries('connect', 'tcp', '::ffff:127.0.0.1', ports.tcp)).toBe(EPERM);
      expect(await tries('connect', 'tcp', '::1', ports.tcp6)).toBe('ok');
      deny({ destinations: [to(22, '::1/128')] });
      expect(await tries('connect', 'tcp', '::1', ports.tcp6)).toBe(EPERM);
      expect(await tries('connect', 'tcp', '127.0.0.1', ports.tcp)).toBe('ok');
      deny({ destinations: [to(23, '::/0')] });
      expect(await tries('connect', 'tcp', '::1', ports.tcp6)).toBe(EPERM);
      expect(await tries('connect', 'tcp', '127.0.0.1', ports.tcp)).toBe('ok');
    });

    it('refuses datagrams, connected and not, and tells protocols apart', async () => {
      received = 0;
      deny({ destinations: [to(24, '127.0.0.1', { protocol: 'udp' })] });
      expect(await tries('send', '127.0.0.1', ports.udp)).toBe(EPERM);
      expect(await tries('connect', 'udp', '127.0.0.1', ports.udp)).toBe(EPERM);
      expect(await tries('connect', 'tcp', '127.0.0.1', ports.tcp)).toBe('ok');
      await settle(50);
      expect(received).toBe(0);
      deny({ destinations: [to(24, '127.0.0.1', { protocol: 'tcp' })] });
      expect(await tries('send', '127.0.0.1', ports.udp)).toBe('ok');
      await settle(50);
      expect(received).toBe(1);
    });

    it('lets a narrow rule and the wide one around it both count', async () => {
      deny({
        destinations: [
          to(25, '127.0.0.0/8', { ports: [{ from: ports.tcp, to: ports.tcp }] }),
          to(26, '127.0.0.1/32', { ports: [{ from: 9, to: 9 }] }),
        ],
      });
      expect(await tries('connect', 'tcp', '127.0.0.1', ports.tcp)).toBe(EPERM);
      expect(await tries('connect', 'tcp', '127.0.0.1', 9)).toBe(EPERM);
      expect(await tries('connect', 'tcp', '127.0.0.2', 9)).toBe('111');
    });
  });

  it('acts on nothing outside its scope', () => {
    deny({ executables: [{ policy: policy(30), by: 'path', value: marker }] });
    execFileSync(marker, [join(files, 'outside')]);
    expect(ran()).toBe(1);
  });

  it('lost nothing', () => {
    expect(recorder.losses).toEqual([]);
  });
});
