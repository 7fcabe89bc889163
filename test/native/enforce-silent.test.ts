/** What becomes of policies when their agent is killed: fail open lets pass, fail closed goes on, a successor takes over. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdersOf } from '../../agent/enforce/former-hooks.ts';
import { compile } from './compile.ts';
import { cgroup2, settle, skipNote, whyNot } from './recorder.ts';

const reason = whyNot();
if (reason) console.warn(`test/native/enforce-silent: skipped: ${reason}`);

/** Longer than the agent may be silent. */
const SILENT_MS = 12_000;

describe.skipIf(reason)(`policies of an agent that was killed${skipNote(reason)}`, () => {
  let directory: string;
  let cgroup: string;
  let open: string;
  let closed: string;
  let guarded: string;
  const agents: ChildProcess[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sentinel-silent-'));
    cgroup = join(cgroup2() ?? '', `sentinel-silent-${process.pid}`);
    mkdirSync(cgroup);
    open = join(directory, 'open');
    closed = join(directory, 'closed');
    guarded = join(directory, 'guarded');
    writeFileSync(guarded, '');
    for (const path of [open, closed]) copyFileSync(compile(['test/native/attempt.c']), path);
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.kill('SIGKILL');
    // Holders without an agent were started by ours.
    for (let wait = 0; wait < 100 && holdersOf(directory).length > 0; wait++) {
      for (const pid of holdersOf(directory)) process.kill(pid, 'SIGKILL');
      await settle(50);
    }
    for (let wait = 0; wait < 50; wait++) {
      try {
        rmdirSync(cgroup);
        break;
      } catch {
        await settle(20);
      }
    }
    rmSync(directory, { recursive: true, force: true });
  });

  const start = async (): Promise<ChildProcess> => {
    const script = join(import.meta.dirname, 'enforcing-process.ts');
    const agent = spawn(process.execPath, [script, cgroup, directory, open, closed, guarded], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    agents.push(agent);
    const words = await new Promise<string>((resolve) =>
      agent.stdout?.once('data', (data) => resolve(String(data))),
    );
    expect(words).toBe('ready\n');
    return agent;
  };
  const runs = (program: string): boolean =>
    spawnSync('/bin/sh', ['-c', 'echo $$ > "$0/cgroup.procs" && exec "$1" open /dev/null', cgroup, program], {
      encoding: 'utf8',
    }).stdout.trim() === 'ok';

  /** An attempt to open the guarded file: it says `ok`, or the number of the error. */
  const opener = (): { pid: number; said: Promise<string> } => {
    const script = 'echo $$ > "$0/cgroup.procs" && exec "$1" open "$2"';
    // From elsewhere: the executables themselves lie in the guarded directory.
    const program = compile(['test/native/attempt.c']);
    const child = spawn('/bin/sh', ['-c', script, cgroup, program, guarded], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let words = '';
    child.stdout?.on('data', (chunk: Buffer) => (words += chunk.toString()));
    const said = new Promise<string>((resolve) => child.once('close', () => resolve(words.trim())));
    return { pid: child.pid ?? 0, said };
  };
  /** Whether a process hangs in openat or open. */
  const opens = (pid: number): boolean => {
    try {
      const number = readFileSync(`/proc/${pid}/syscall`, 'utf8').split(' ')[0];
      return number === '257' || number === '2';
    } catch {
      return false;
    }
  };

  it('keep files closed only while it lives: who waits for its answer when it is killed is let pass', async () => {
    const agent = await start();
    expect(await opener().said).toBe('1');
    agent.kill('SIGSTOP');
    const waiting = opener();
    for (let wait = 0; wait < 600 && !opens(waiting.pid); wait++) await settle(20);
    for (let look = 0; look < 5; look++) {
      await settle(20);
      expect(opens(waiting.pid)).toBe(true);
    }
    agent.kill('SIGKILL');
    expect(await waiting.said).toBe('ok');
    expect(await opener().said).toBe('ok');
  });

  it('hold on where they fail closed, let pass where they fail open, until a successor takes over', async () => {
    const agent = await start();
    expect([runs(open), runs(closed)]).toEqual([false, false]);
    agent.kill('SIGKILL');
    await settle(200);
    expect(runs(closed)).toBe(false);
    await settle(SILENT_MS);
    expect([runs(open), runs(closed)]).toEqual([true, false]);
    const [former] = holdersOf(directory);
    expect(former).toBeGreaterThan(0);

    const successor = await start();
    expect([runs(open), runs(closed)]).toEqual([false, false]);
    for (let wait = 0; wait < 100 && holdersOf(directory).includes(former as number); wait++)
      await settle(100);
    expect(holdersOf(directory)).not.toContain(former);
    expect(holdersOf(directory)).toHaveLength(1);
    expect([runs(open), runs(closed)]).toEqual([false, false]);
    successor.kill('SIGKILL');
  });
});
