/**
 * Real input: programs run in a cgroup that the agent watches, and each thing they did is in `sentinel events --json`
 * with the right fields. Nothing is recorded, mocked or replayed; what is right is read from the files and /proc.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TestContext, afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventJson } from '../../agent/api/contract.ts';
import { type AgentProcess, startAgentProcess } from './packaged-agent.ts';
import { type TestCgroup, makeCgroup } from './cgroup.ts';
import { type WorkloadResult, programPath, runWorkload } from './workload.ts';

let cgroup: TestCgroup | undefined;
let agent: AgentProcess;
let work: WorkloadResult;
let events: EventJson[] = [];
let beganNs = 0n;
let endedNs = 0n;

async function allEvents(): Promise<EventJson[]> {
  const { code, stdout, stderr } = await agent.cli('events', '--json', '--limit', '50000');
  if (code !== 0) throw new Error(`sentinel events: exit ${code}: ${stderr}`);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as EventJson);
}

beforeAll(async () => {
  cgroup = makeCgroup();
  const scope = cgroup ? ['--scope', `cgroup:${cgroup.path}`] : ['--scope', `pid:${process.pid}`];
  agent = await startAgentProcess({ args: [...scope, '--console', 'off'] });
  if (!kernelSensor()) {
    console.warn(`SKIPPED: this machine only allows the ${agent.sensorTier} sensor (needs root and BPF)`);
    return;
  }
  beganNs = BigInt(Date.now()) * 1_000_000n;
  work = await runWorkload(cgroup?.path);
  endedNs = BigInt(Date.now() + 1) * 1_000_000n;
  for (let attempt = 0; attempt < 120; attempt++) {
    events = await allEvents();
    if (events.some(shellEnded) && events.some(helloHashed)) break;
    await sleep(500);
  }
}, 180_000);

afterAll(async () => {
  await agent?.stop();
  agent?.remove();
  work?.remove();
  await cgroup?.remove();
});

const shellEnded = ({ action, process: by }: EventJson): boolean =>
  action === 'exit' && by?.pid === work.shellPid;
/** Hashes are made beside the path of events: that of a new file may be filled in after the last of them. */
const helloHashed = ({ action, process: by }: EventJson): boolean =>
  action === 'exec' && by?.pid === work.pid('hello') && by.hashes !== undefined;

/** The kernel sensor sees everything; the others say themselves that they do not. */
const kernelSensor = (): boolean => agent.sensorTier === 'lsm' || agent.sensorTier === 'tracepoint';

function needsKernelSensor(context: TestContext): void {
  if (!kernelSensor()) context.skip('SKIPPED: needs root and BPF');
}

function find(what: string, matches: (event: EventJson) => boolean): EventJson {
  const found = events.filter(matches);
  if (found.length === 0) {
    const pids = new Set(events.map((event) => event.process?.pid));
    throw new Error(`no event: ${what} (of ${events.length} events of ${pids.size} processes)`);
  }
  return found.at(-1)!;
}

const execOf = (pid: number): EventJson =>
  find(`exec of ${pid}`, (event) => event.action === 'exec' && event.process?.pid === pid);
const fileEvent = (action: string, name: string): EventJson =>
  find(
    `${action} of ${name}`,
    (event) => event.action === action && event.file?.path === join(work.dir, name),
  );
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('real input, in `sentinel events --json`', () => {
  it('has curl: command line, folder, user, parent, executable and hash', (context) => {
    needsKernelSensor(context);
    const event = execOf(work.pid('curl'));
    const url = `http://127.0.0.1:${work.port}/${work.token}`;
    expect(event).toMatchObject({
      type: 'process',
      action: 'exec',
      lane: 'security',
      process: {
        pid: work.pid('curl'),
        name: 'curl',
        executable: programPath('curl'),
        argv: ['curl', '-s', '-o', 'page.html', url],
        cwd: work.dir,
        uid: process.getuid!(),
        euid: process.getuid!(),
        ppid: work.shellPid,
      },
      parent: { pid: work.shellPid, name: 'bash', executable: programPath('bash') },
    });
    if (cgroup) expect(event.process!.cgroupId).toBe(cgroup.id);
    expect(event.process!.hashes?.sha256).toBe(sha256(programPath('curl')));
    expect(event.truncated).toBeUndefined();
    const ts = BigInt(event.tsNs);
    expect(ts >= beganNs && ts <= endedNs).toBe(true);
    const parent = `${work.shellPid}-${event.parent!.startNs}`;
    expect(event.ancestry?.[0]).toBe(parent);
  });

  it('has the connection that curl made', (context) => {
    needsKernelSensor(context);
    const event = find(
      'connect by curl',
      ({ action, process: by }) => action === 'connect' && by?.pid === work.pid('curl'),
    );
    expect(event).toMatchObject({
      type: 'network',
      process: { name: 'curl', executable: programPath('curl') },
      network: { protocol: 'tcp', dstIp: '127.0.0.1', dstPort: work.port, direction: 'outbound' },
    });
  });

  it('has the file that curl wrote, with its size and inode', (context) => {
    needsKernelSensor(context);
    const stat = statSync(join(work.dir, 'page.html'), { bigint: true });
    const created = fileEvent('create', 'page.html');
    expect(created).toMatchObject({ type: 'file', process: { pid: work.pid('curl'), name: 'curl' } });
    const written = fileEvent('write', 'page.html');
    expect(written).toMatchObject({
      process: { pid: work.pid('curl') },
      file: { bytes: String(stat.size), inode: String(stat.ino) },
    });
  });

  it('has every program of the pipeline, under the same shell', (context) => {
    needsKernelSensor(context);
    const sort = execOf(work.pid('sort'));
    const head = execOf(work.pid('head'));
    expect(sort.process).toMatchObject({ name: 'sort', argv: ['sort'] });
    expect(head.process).toMatchObject({ name: 'head', argv: ['head', '-n', '1'] });
    for (const event of [sort, head]) expect(event.ancestry).toEqual(execOf(work.pid('curl')).ancestry);
  });

  it('has the compiler with its passes as descendants, and the program it made', (context) => {
    needsKernelSensor(context);
    const gcc = execOf(work.pid('gcc'));
    expect(gcc.process).toMatchObject({
      executable: programPath('gcc'),
      argv: ['gcc', '-o', 'hello', 'hello.c'],
    });
    const gccId = `${gcc.process!.pid}-${gcc.process!.startNs}`;
    const passes = events.filter((event) => event.action === 'exec' && event.ancestry?.includes(gccId));
    const names = passes.map((event) => event.process!.name);
    for (const pass of ['cc1', 'as', 'collect2', 'ld']) expect(names.join(' ')).toContain(pass);
    const path = join(work.dir, 'hello');
    expect(execOf(work.pid('hello')).process).toMatchObject({
      executable: path,
      argv: ['./hello'],
      hashes: { sha256: sha256(path) },
    });
  });

  it('has the program that ran from memory, and says so', (context) => {
    needsKernelSensor(context);
    const pid = work.pid('memfd');
    const created = find(
      'memfd_create',
      (event) => event.action === 'memfd_create' && event.process?.pid === pid,
    );
    expect(created.details).toMatchObject({ name: 'payload' });
    const ran = find(
      'exec from memory',
      (event) => event.action === 'exec' && event.process?.argv?.[0] === 'innocent',
    );
    expect(ran.process).toMatchObject({ pid, argv: ['innocent', '--flag'] });
    expect(ran.process!.flags).toContain('memfd');
    expect(ran.process!.executable).toContain('memfd:payload');
    // A rule says what that is called, and shows which clause matched which value.
    const matched = ran.detections?.find(({ attack }) => attack.includes('T1620'));
    expect(matched?.clauses[0]).toMatchObject({ field: expect.any(String), value: expect.any(String) });
    // The first image of the same process is a record of its own.
    const first = find(
      'exec of the loader',
      ({ process: by }) => by?.pid === pid && by.argv?.[0] === './memfd',
    );
    expect(first.process!.startNs).toBe(ran.process!.startNs);
    expect(first.process!.flags ?? []).not.toContain('memfd');
  });

  it('has the debugger and its target', (context) => {
    needsKernelSensor(context);
    const attach = find(
      'ptrace attach',
      ({ action, details }) => action === 'ptrace' && /attach/i.test(details?.['request'] ?? ''),
    );
    expect(attach).toMatchObject({
      process: { pid: work.pid('tracer'), name: 'tracer' },
      target: { pid: work.pid('tracee'), name: 'tracer' },
    });
  });

  it('has files written, renamed and removed', (context) => {
    needsKernelSensor(context);
    const stat = statSync(join(work.dir, 'renamed.txt'), { bigint: true });
    expect(fileEvent('create', 'notes.txt').process).toMatchObject({ pid: work.shellPid, name: 'bash' });
    expect(fileEvent('write', 'notes.txt').file).toMatchObject({ bytes: '11', inode: String(stat.ino) });
    const renamed = fileEvent('rename', 'renamed.txt');
    expect(renamed.file).toMatchObject({ oldPath: join(work.dir, 'notes.txt') });
    expect(renamed.process).toMatchObject({ name: 'mv', ppid: work.shellPid });
    expect(fileEvent('unlink', 'pipeline.txt').process).toMatchObject({ name: 'rm' });
  });

  it('has the exit of each, with its code', (context) => {
    needsKernelSensor(context);
    for (const step of ['curl', 'gcc', 'hello', 'memfd', 'tracer'] as const) {
      const exit = find(
        `exit of ${step}`,
        (event) => event.action === 'exit' && event.process?.pid === work.pid(step),
      );
      expect(exit.process).toMatchObject({ exitCode: 0 });
    }
    const killed = find(
      'exit of the tracee',
      ({ action, process: by }) => action === 'exit' && by?.pid === work.pid('tracee'),
    );
    expect(killed.process).toMatchObject({ exitSignal: 9 });
  });

  it('cuts a command line of a megabyte and says how long it was', (context) => {
    needsKernelSensor(context);
    const event = execOf(work.pid('long'));
    const cut = event.truncated?.find(({ field }) => field === 'process.argv');
    const whole = programPath('true').length + 1 + 10 * (102_400 + 1);
    expect(cut).toEqual({ field: 'process.argv', originalLength: String(whole) });
    expect(event.process!.argv![0]).toBe(programPath('true'));
    expect(event.process!.argv![1]).toMatch(/^x+$/);
  });

  it('keeps newlines, bad UTF-8 and four-byte characters apart and whole', (context) => {
    needsKernelSensor(context);
    const odd = execOf(work.pid('odd'));
    expect(odd.process!.argv).toEqual([programPath('true'), 'two\nlines', '', 'not\ufffdutf8', '😀']);
    expect(odd.truncated?.map(({ field }) => field)).toEqual(['process.argv']);
    for (const name of ['line\nbreak', 'emoji😀']) {
      expect(fileEvent('create', name).truncated).toBeUndefined();
    }
    expect(fileEvent('create', 'bad\ufffd\ufffdname').truncated?.map(({ field }) => field)).toEqual([
      'file.path',
    ]);
  });

  it('lost nothing and recorded nothing but this workload', (context) => {
    needsKernelSensor(context);
    expect(events.filter((event) => event.type === 'integrity_gap')).toEqual([]);
    if (!cgroup) return;
    const others = events.filter(
      (event) => event.process?.cgroupId !== undefined && event.process.cgroupId !== cgroup!.id,
    );
    expect(others.filter((event) => event.action !== 'snapshot').map((event) => event.process!.name)).toEqual(
      [],
    );
  });
});
