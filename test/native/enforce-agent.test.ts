/** The enforcer on this machine: what it promises, whom it spares, and what it notices of an intruder's hand. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GuardianEnforcer } from '../../agent/enforce/enforcer.ts';
import { createEnforcer } from '../../agent/enforcement.ts';
import { OpenGuard } from '../../agent/enforce/open-guard.ts';
import type { FileIdentity, SentinelEvent } from '../../agent/event.ts';
import { type Decision, NO_KERNEL_SETS } from '../../agent/policy/types.ts';
import { loadCore } from '../../native-addon/index.ts';
import { compile } from './compile.ts';
import { of, type Recorder, settle, skipNote, startRecorder, whyNot } from './recorder.ts';

const loaded = loadCore();
const reason = whyNot() ?? (loaded.ok ? undefined : loaded.reason);
if (reason) console.warn(`test/native/enforce-agent: skipped: ${reason}`);

const POLICY = { policyId: 'p', policyVersion: 1, policyHash: '', failMode: 'open' as const };

function startOf(pid: number): bigint {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return BigInt(fields[19] ?? 0) * 10_000_000n;
}

/** A decision and event of process `pid`, as far as the enforcer looks at them. */
function about(pid: number, startNs: bigint, rest: Partial<Decision> = {}): [Decision, SentinelEvent] {
  const decision = { action: 'kill', wouldBe: false, ...rest } as Decision;
  return [
    decision,
    { action: 'exec', type: 'process', process: { pid, startNs } } as unknown as SentinelEvent,
  ];
}

function programsIn(cgroup: string): string[] {
  return readFileSync(join(cgroup, 'cgroup.procs'), 'utf8')
    .split('\n')
    .filter((pid) => pid !== '' && existsSync(`/proc/${pid}/exe`))
    .map((pid) => readlinkSync(`/proc/${pid}/exe`));
}

const ended = (child: ChildProcess): Promise<NodeJS.Signals | null> =>
  new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));

describe.skipIf(reason)(`the enforcer${skipNote(reason)}`, () => {
  let recorder: Recorder;
  let enforcer: GuardianEnforcer;
  let directory: string;
  let attempt: string;
  const acts: SentinelEvent[] = [];

  beforeAll(async () => {
    recorder = await startRecorder();
    directory = mkdtempSync(join(tmpdir(), 'sentinel-enforce-'));
    attempt = compile(['test/native/attempt.c']);
    enforcer = createEnforcer({
      core: loaded.ok ? loaded.addon : undefined,
      sensor: recorder.sensor,
      scope: { kind: 'cgroup', path: recorder.path },
      dataDir: directory,
      nowNs: () => BigInt(Date.now()) * 1_000_000n,
      onAct: (event) => acts.push(event),
    });
  });
  afterAll(async () => {
    enforcer.close();
    await recorder.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** The kernel's view of a program, from a run of it. */
  const identityOf = async (path: string): Promise<FileIdentity> => {
    const { events } = await recorder.program(path, 'open', '/dev/null');
    return of(events, 'exec').find((event) => event.process?.executable === path)?.process
      ?.exeIdentity as FileIdentity;
  };

  it('promises what its own trial showed, and leaves nothing of the trial behind', async () => {
    const exec = enforcer.reach('deny_exec', 'kernel');
    expect(['prevented', 'killed before its first instruction']).toContain(exec.guarantee);
    if (exec.guarantee !== 'prevented') expect(exec.reason).not.toBe('');
    expect(enforcer.reach('deny_connect', 'kernel')).toMatchObject({
      mechanism: 'cgroup_deny',
      guarantee: 'prevented',
    });
    expect(enforcer.reach('kill', 'agent').guarantee).toBe('killed after start');
    expect(enforcer.reach('alert', 'agent').guarantee).toBe('alert only');
    const { kernel } = recorder.sensor;
    const maps = kernel?.addon.policyCheck(kernel.handle).maps.filter(({ map }) => map.startsWith('pol_'));
    expect(maps?.map(({ entries }) => entries)).toEqual([0, 0, 0, 0]);
    expect(enforcer.status()).toMatchObject({ policies: 0, kernelActs: 0 });
    expect((await recorder.program(attempt, 'connect', 'udp', '127.0.0.1', '9')).stdout.trim()).toBe('ok');
  });

  it('kills the process an event was about, once, and never one that came after it', async () => {
    const child = spawn(attempt, ['wait']);
    const pid = child.pid ?? 0;
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    const gone = ended(child);
    const start = startOf(pid);
    expect(enforcer.act(...about(pid, start - 20_000_000n))).toMatchObject({
      state: 'failed',
      error: "it had ended, and its number is another process's",
    });
    expect(enforcer.act(...about(pid, start, { wouldBe: true }))).toMatchObject({ state: 'none' });
    expect(child.exitCode).toBeNull();
    const done = enforcer.act(...about(pid, start + 7n));
    expect(done).toEqual({ state: 'applied', mechanism: 'pidfd_sigkill', guarantee: 'killed after start' });
    expect(await gone).toBe('SIGKILL');
    expect(enforcer.act(...about(pid, start + 7n))).toBe(done);
    expect(enforcer.act(...about(pid, start + 1n))).toMatchObject({ state: 'failed' });
  });

  it('spares init, kernel threads, itself and what it was started from, whatever a policy says', () => {
    const parent = Number(readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ')[1]);
    const spared: [number, RegExp][] = [
      [1, /^protected: init$/],
      [process.pid, /^protected: the agent itself$/],
      [parent, /^protected: the agent was started from it$/],
    ];
    if (readFileSync('/proc/2/stat', 'utf8').includes('kthreadd'))
      spared.push([2, /^protected: a kernel thread$/]);
    for (const [pid, words] of spared) {
      const effect = enforcer.act(...about(pid, startOf(pid)));
      expect([pid, effect.state]).toEqual([pid, 'none']);
      expect(effect.error).toMatch(words);
    }
  });

  it('spares a process by its own word of who belongs to the agent', () => {
    const child = spawn(attempt, ['wait']);
    const pid = child.pid ?? 0;
    if (loaded.ok) loaded.addon.protectProcess(pid, 'it shows the console');
    expect(enforcer.act(...about(pid, startOf(pid))).error).toBe('protected: it shows the console');
    child.kill('SIGKILL');
  });

  it('denies content: a copy that nobody read yet is ended once it is, and never runs again', async () => {
    const copy = join(directory, 'copy-of-denied');
    copyFileSync(attempt, copy);
    const { inode, size, ctimeNs, mtimeNs, dev } = await identityOf(copy);
    const hashes = { sha256: 'aa'.repeat(32), blake3: 'bb'.repeat(32) };
    const executables = [{ policy: { ...POLICY, handle: 50 }, by: 'sha256' as const, value: hashes.sha256 }];
    enforcer.apply({ ...NO_KERNEL_SETS, generation: 1, executables });
    acts.length = 0;
    const outside = spawn(copy, ['wait']);
    const running = recorder.program(copy, 'wait');
    await expect.poll(() => programsIn(recorder.path)).toContain(copy);
    // And until the agent was told.
    await settle(300);
    enforcer.learned({ dev, inode, size, ctimeNs, mtimeNs }, hashes);
    await running;
    expect(acts).toHaveLength(1);
    expect(enforcer.kernelAct(acts[0] as SentinelEvent)).toMatchObject({
      handle: 50,
      attempted: { action: 'exec', process: { hashes } },
      effect: { state: 'applied', mechanism: 'pidfd_sigkill', guarantee: 'killed after start' },
    });
    expect(outside.exitCode ?? outside.signalCode).toBeNull();
    outside.kill('SIGKILL');
    const { events } = await recorder.program(copy, 'open', '/dev/null');
    expect(of(events, 'deny_exec')[0]?.details).toMatchObject({ policyHandle: '50', outcome: 'applied' });
    enforcer.apply(NO_KERNEL_SETS);
  });

  describe('guarded files', () => {
    const opens = async (path: string, program = attempt): Promise<string> =>
      (await recorder.program(program, 'open', path)).stdout.trim();
    const guard = (by: 'path' | 'directory', value: string, exceptExecutables: string[] = []): void => {
      acts.length = 0;
      const policy = { ...POLICY, handle: 40 };
      const set = { policy, by, value, exceptExecutables };
      expect(enforcer.apply({ ...NO_KERNEL_SETS, generation: 1, opens: [set] }).refused).toEqual([]);
    };
    const EPERM = '1';

    it('are not opened, with the refusal told, and others beside them are', async () => {
      const secret = join(directory, 'secret');
      const twin = join(directory, 'twin');
      writeFileSync(secret, 's');
      writeFileSync(twin, 't');
      guard('path', secret);
      expect(await opens(secret)).toBe(EPERM);
      expect(await opens(twin)).toBe('ok');
      expect(acts).toHaveLength(1);
      expect(acts[0]).toMatchObject({
        type: 'file',
        action: 'deny_open',
        lane: 'security',
        file: { path: secret },
        details: { policyHandle: '40', mechanism: 'fanotify_deny', outcome: 'applied' },
      });
      // The agent's own opens, and those outside the scope.
      expect(readFileSync(secret, 'utf8')).toBe('s');
      expect(spawnSync(attempt, ['open', secret], { encoding: 'utf8' }).stdout.trim()).toBe('ok');
      // Another file at the guarded path is guarded, the old one elsewhere is not.
      renameSync(secret, join(directory, 'moved'));
      writeFileSync(twin, 't2');
      renameSync(twin, secret);
      expect(await opens(secret)).toBe(EPERM);
      expect(await opens(join(directory, 'moved'))).toBe('ok');
      enforcer.apply(NO_KERNEL_SETS);
      expect(await opens(secret)).toBe('ok');
    });

    it('below a directory, also in those that came later, but for the executables that may', async () => {
      const place = join(directory, 'place');
      mkdirSync(join(place, 'deep', 'er'), { recursive: true });
      writeFileSync(join(place, 'deep', 'er', 'file'), '');
      const allowed = join(directory, 'allowed');
      copyFileSync(attempt, allowed);
      guard('directory', `${place}/`, [allowed]);
      expect(await opens(join(place, 'deep', 'er', 'file'))).toBe(EPERM);
      expect(await opens(join(place, 'deep', 'er', 'file'), allowed)).toBe('ok');
      mkdirSync(join(place, 'new'));
      writeFileSync(join(place, 'new', 'file'), '');
      for (let tick = 0; tick < 5; tick++) enforcer.tick();
      expect(await opens(join(place, 'new', 'file'))).toBe(EPERM);
      enforcer.apply(NO_KERNEL_SETS);
    });

    it('are answered at the deadline as their policy fails, when nobody judged in time', async () => {
      if (!loaded.ok) throw new Error(loaded.reason);
      const told: SentinelEvent[] = [];
      const impatient = new OpenGuard(
        loaded.addon,
        '',
        () => 0n,
        (event) => told.push(event),
        0,
      );
      const place = join(directory, 'impatient');
      mkdirSync(place);
      for (const name of ['open', 'closed', 'beside']) writeFileSync(join(place, name), '');
      const guarded = (['open', 'closed'] as const).map((failMode, index) => ({
        policy: { ...POLICY, failMode, handle: 60 + index },
        by: 'path' as const,
        value: join(place, failMode),
        exceptExecutables: [],
      }));
      expect(impatient.apply(guarded)).toEqual([]);
      expect(await opens(join(place, 'open'))).toBe('ok');
      expect(await opens(join(place, 'closed'))).toBe(EPERM);
      expect(await opens(join(place, 'beside'))).toBe('ok');
      await expect.poll(() => told.length).toBe(2);
      impatient.close();
      expect(impatient.late).toBe(2);
      expect(told.map((event) => enforcer.kernelAct(event)?.effect)).toMatchObject([
        { state: 'none', error: 'not judged in time, and the policy fails open' },
        { state: 'applied', error: 'not judged in time, and the policy fails closed' },
      ]);
      expect(await opens(join(place, 'closed'))).toBe('ok');
    });

    it('refuses to guard what every program opens', () => {
      const set = {
        policy: { ...POLICY, handle: 41 },
        by: 'directory' as const,
        value: '/proc/',
        exceptExecutables: [],
      };
      expect(enforcer.apply({ ...NO_KERNEL_SETS, generation: 2, opens: [set] }).refused[0]?.handle).toBe(41);
      enforcer.apply(NO_KERNEL_SETS);
    });
  });

  describe('an intruder with root', () => {
    const tamper = (...args: (string | number)[]): number | null =>
      spawnSync(compile(['test/native/bpf-tamper.c'], ['-lbpf', '-lelf', '-lz']), args.map(String)).status;
    const check = () => {
      const kernel = recorder.sensor.kernel;
      if (kernel === undefined) throw new Error('no kernel side');
      return kernel.addon.policyCheck(kernel.handle);
    };

    it('who changes a map is noticed, and the map repaired', async () => {
      const executables = [{ policy: { ...POLICY, handle: 5 }, by: 'path' as const, value: attempt }];
      expect(enforcer.apply({ ...NO_KERNEL_SETS, generation: 1, executables }).refused).toEqual([]);
      expect(enforcer.tick()).toEqual([]);
      const map = check().maps.find((each) => each.map === 'pol_path')?.id ?? 0;
      for (const what of ['clear', 'poke']) {
        expect(tamper(what, map)).toBe(0);
        const [trouble] = enforcer.tick();
        expect(trouble).toMatchObject({ kind: 'map_changed' });
        expect(trouble?.detail).toContain(what === 'clear' ? '1 entries were removed' : '1 changed');
        const { events } = await recorder.program(attempt, 'open', '/dev/null');
        expect(of(events, 'deny_exec')[0]?.details).toMatchObject({ policyHandle: '5', outcome: 'applied' });
      }
      enforcer.apply(NO_KERNEL_SETS);
      expect(enforcer.status().troubles.map(({ kind }) => kind)).toEqual(['map_changed', 'map_changed']);
    });

    it('who has the hooks look away is noticed by their silence, and they go on', async () => {
      const executables = [{ policy: { ...POLICY, handle: 8 }, by: 'path' as const, value: attempt }];
      enforcer.apply({ ...NO_KERNEL_SETS, generation: 3, executables });
      expect(enforcer.tick()).toEqual([]);
      const map = check().maps.find((each) => each.map === 'control')?.id ?? 0;
      expect(tamper('mute', map)).toBe(0);
      expect(enforcer.tick().map(({ kind }) => kind)).toEqual(['hook_silent', 'map_changed']);
      const { events } = await recorder.program(attempt, 'open', '/dev/null');
      expect(of(events, 'deny_exec')[0]?.details).toMatchObject({ policyHandle: '8', outcome: 'applied' });
      expect(enforcer.tick()).toEqual([]);
      enforcer.apply(NO_KERNEL_SETS);
    });

    it('who takes a hook out is noticed, and said for as long as it is out', () => {
      const link = check().links.find(({ hook }) => hook === 'connect4')?.linkId ?? 0;
      expect(tamper('detach', link)).toBe(0);
      const executables = [
        { policy: { ...POLICY, handle: 6 }, by: 'path' as const, value: '/nowhere/at/all' },
      ];
      enforcer.apply({ ...NO_KERNEL_SETS, generation: 2, executables });
      expect(enforcer.tick()).toEqual([
        { kind: 'hook_detached', detail: 'connect4 was taken out of the kernel; policies act through it' },
      ]);
      expect(enforcer.tick()).toEqual([]);
      expect(enforcer.status().troubles.some(({ kind }) => kind === 'hook_detached')).toBe(true);
      enforcer.apply(NO_KERNEL_SETS);
    });
  });
});
