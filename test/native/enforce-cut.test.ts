/**
 * Who is cut off from the network, at the limits: when the kernel's table is full, and when the agent is killed. Real
 * shells in a group of their own, a real server, the kernel's answers.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdersOf } from '../../agent/enforce/former-hooks.ts';
import { entering, makeCgroup, type TestCgroup } from '../e2e/cgroup.ts';
import { compile } from './compile.ts';
import { settle, skipNote, whyNot } from './recorder.ts';

const reason = whyNot() || (spawnSync('bash', ['--version']).status === 0 ? '' : 'needs bash');
if (reason) console.warn(`test/native/enforce-cut: skipped: ${reason}`);

const POLL_MS = 200;
/** Much longer than the agent may be silent. */
const SILENT_POLLS = 200;
const TIMEOUT_MS = 120_000;

/** A program that answers a line with a line. */
class Talker {
  readonly child: ChildProcess;
  readonly #said: AsyncIterator<string>;

  constructor(program: string, args: readonly string[]) {
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#said = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  async next(): Promise<string> {
    return String((await this.#said.next()).value);
  }

  ask(line: string): Promise<string> {
    this.child.stdin?.write(`${line}\n`);
    return this.next();
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await gone;
  }
}

describe.skipIf(reason)(`who is cut off from the network${skipNote(reason)}`, () => {
  let directory: string;
  let cgroup: TestCgroup;
  let open: string;
  let closed: string;
  let server: Server;
  let port: number;
  const talkers: Talker[] = [];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sentinel-cut-'));
    cgroup = makeCgroup() as TestCgroup;
    // Apart from each other and from all else: a guarded file's folder is watched.
    for (const name of ['open', 'closed', 'data']) mkdirSync(join(directory, name));
    open = join(directory, 'open', 'file');
    closed = join(directory, 'closed', 'file');
    for (const file of [open, closed]) writeFileSync(file, 'a line\n');
    server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterEach(async () => {
    for (const talker of talkers.splice(0)) await talker.kill();
    for (let wait = 0; wait < 100 && holdersOf(join(directory, 'data')).length > 0; wait++) {
      for (const pid of holdersOf(join(directory, 'data'))) process.kill(pid, 'SIGKILL');
      await settle(50);
    }
    await new Promise((resolve) => server.close(resolve));
    await cgroup.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  const talk = (program: string, ...args: string[]): Talker => {
    const made = new Talker(program, args);
    talkers.push(made);
    return made;
  };
  const start = async (): Promise<Talker> => {
    const script = join(import.meta.dirname, 'cutting-process.ts');
    const agent = talk(process.execPath, script, cgroup.path, join(directory, 'data'), open, closed);
    expect(JSON.parse(await agent.next())).toEqual({ ready: true });
    return agent;
  };
  const shell = (): Talker => talk('/bin/sh', '-c', entering(cgroup, 'exec bash 2>/dev/null'));
  const reads = (file: string): string => `read -r line < ${file} && echo read || echo refused`;
  const connect = (): string => `true 3<>/dev/tcp/127.0.0.1/${port} && echo ok || echo refused`;
  const childConnects = (): string =>
    `bash -c 'true 3<>/dev/tcp/127.0.0.1/${port}' && echo ok || echo refused`;
  const both = async (who: Talker): Promise<[string, string]> => [
    await who.ask(connect()),
    await who.ask(childConnects()),
  ];
  /** Works on the table of an agent, by what its descriptors say. */
  const table = (agent: Talker, what: 'fill' | 'one' | 'clear'): number => {
    const folder = `/proc/${agent.child.pid}/fdinfo`;
    const ids = readdirSync(folder).flatMap((fd) => {
      try {
        return /^map_id:\s+(\d+)$/m.exec(readFileSync(join(folder, fd), 'utf8'))?.[1] ?? [];
      } catch {
        return [];
      }
    });
    const { stdout, stderr } = spawnSync(compile(['test/native/fill-cuts.c']), [what, ...ids], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    if (!/^\d+\n$/.test(stdout)) throw new Error(`${what}: ${stdout}${stderr}`);
    return Number(stdout);
  };
  const limit = (name: string): number => Number(readFileSync(`/proc/sys/kernel/${name}`, 'utf8'));

  it(
    'cannot fill the table; where it is full a reader is refused or told, and a child counted',
    async () => {
      const agent = await start();
      expect(JSON.parse(await agent.ask('dead'))).toMatchObject({ state: 'failed', error: 'it had ended' });
      // As many as there can be processes; none of them is who had ended.
      const most = Math.min(limit('threads-max'), limit('pid_max'));
      expect(table(agent, 'fill')).toBe(Math.max(16_384, Math.min(262_144, most)));
      const reader = shell();
      expect(await reader.ask(reads(open))).toBe('read');
      const full = 'too many processes are cut off already';
      expect(JSON.parse(await agent.next())).toEqual({
        pid: reader.child.pid,
        outcome: 'not_cut',
        error: full,
      });
      expect(await both(reader)).toEqual(['ok', 'ok']);
      expect(await reader.ask(reads(closed))).toBe('refused');
      expect(JSON.parse(await agent.next())).toMatchObject({ outcome: 'not_cut', error: full });

      expect(table(agent, 'one')).toBe(1);
      const other = shell();
      expect(await other.ask(reads(open))).toBe('read');
      expect(JSON.parse(await agent.next())).toMatchObject({ pid: other.child.pid, outcome: 'cut' });
      expect(await both(other)).toEqual(['refused', 'ok']);
      expect((JSON.parse(await agent.ask('lost')) as { lost: number }).lost).toBeGreaterThan(0);
      table(agent, 'clear');
      expect(await both(other)).toEqual(['refused', 'refused']);
    },
    TIMEOUT_MS,
  );

  it(
    'stays so when the agent is killed where the policy fails closed, with children; a successor lets go',
    async () => {
      const agent = await start();
      const [first, second] = [shell(), shell()];
      expect([await first.ask(reads(open)), await second.ask(reads(closed))]).toEqual(['read', 'read']);
      expect([await both(first), await both(second)].flat()).toEqual(Array(4).fill('refused'));
      await agent.kill();
      expect(await both(second)).toEqual(['refused', 'refused']);
      // Until the kernel takes the agent for dead.
      for (let wait = 0; wait < SILENT_POLLS && (await first.ask(connect())) !== 'ok'; wait++)
        await settle(POLL_MS);
      expect(await both(first)).toEqual(['ok', 'ok']);
      expect(await both(second)).toEqual(['refused', 'refused']);
      // Nobody answers for files any more, so that reading no longer cuts off.
      const late = shell();
      expect(await late.ask(reads(closed))).toBe('read');
      expect(await both(late)).toEqual(['ok', 'ok']);
      await start();
      for (let wait = 0; wait < SILENT_POLLS && (await second.ask(connect())) !== 'ok'; wait++)
        await settle(POLL_MS);
      expect(await both(second)).toEqual(['ok', 'ok']);
      const again = shell();
      expect(await again.ask(reads(closed))).toBe('read');
      expect(await both(again)).toEqual(['refused', 'refused']);
    },
    TIMEOUT_MS,
  );
});
