/** Opening refused by what is in the file: real programs, real answers of the kernel, a look that the test decides. */
import { spawn, spawnSync } from 'node:child_process';
import { fstatSync, mkdirSync, mkdtempSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ContentLook, OpenGuard } from '../../agent/enforce/open-guard.ts';
import type { SentinelEvent } from '../../agent/event.ts';
import type { KernelOpen } from '../../agent/policy/types.ts';
import { loadCore } from '../../native-addon/index.ts';
import { makeCgroup, type TestCgroup } from '../e2e/cgroup.ts';

const core = loadCore();
const cgroup: TestCgroup | undefined = process.getuid?.() === 0 ? makeCgroup() : undefined;
const folder = mkdtempSync(join(tmpdir(), 'sentinel-dlp-open-'));
const acts: SentinelEvent[] = [];
let guard: OpenGuard | undefined;
let looks: string[] = [];

/** What the test's look finds: `secret` is protected, `locked` cannot be looked at. */
const look: ContentLook = async (fd, path) => {
  looks.push(path);
  const buffer = Buffer.alloc(fstatSync(fd).size);
  const text = buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0));
  if (text === 'locked') return Promise.resolve(undefined);
  return text.includes('secret') ? [{ index: 'customers', rule: 'iban', count: 3, confidence: 0.95 }] : [];
};

/** As /proc/PID/cgroup names it. */
function nameOf(path: string): string {
  const mount = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find((fields) => fields[2] === 'cgroup2')?.[1];
  return path.slice(mount?.length ?? 0);
}

function newGuard(deadlineMs: number): OpenGuard {
  if (!core.ok || !cgroup) throw new Error('no addon or group');
  const open = (event: SentinelEvent): number => acts.push(event);
  return new OpenGuard(core.addon, nameOf(cgroup.path), () => 1n, open, deadlineMs);
}

function rule(value: string): KernelOpen {
  const policy = { handle: 7, policyId: 'p', policyVersion: 1, policyHash: '', failMode: 'open' as const };
  const content = { indexes: ['customers'], rules: [], confidence: 90, count: 2 };
  return { policy, by: 'directory', value, exceptExecutables: [], content };
}

if (cgroup !== undefined && core.ok) {
  try {
    // Far beyond what a loaded machine takes: these tests are about content, not about time.
    guard = newGuard(60_000);
  } catch (error) {
    console.warn(`SKIPPED: opens by content: ${(error as Error).message}`);
  }
} else console.warn('SKIPPED: opens by content: needs root and cgroup v2');

const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

/** What `cat` says in the watched group: the content, or undefined when it was refused. Does not block the test's loop. */
function cat(path: string): Promise<string | undefined> {
  const script = `echo $$ > ${cgroup!.path}/cgroup.procs; exec cat ${path}`;
  const child = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return new Promise((resolve) =>
    child.on('close', (code) => resolve(code === 0 || !said.includes('not permitted') ? out : undefined)),
  );
}

describe.skipIf(guard === undefined)('opening refused by content (needs root, fanotify)', () => {
  beforeAll(() => {
    guard!.useLook(look);
    guard!.apply([rule(`${folder}/`)]);
  });
  afterAll(async () => {
    guard?.close();
    await cgroup?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('lets pass what holds nothing, refuses what does, and looks once at the same content', async () => {
    const plain = file('plain', 'nothing');
    const secret = file('customers', 'a secret');
    looks = [];
    expect(await cat(plain)).toBe('nothing');
    expect(await cat(secret)).toBeUndefined();
    expect(await cat(secret)).toBeUndefined();
    expect(await cat(plain)).toBe('nothing');
    expect(looks).toEqual([plain, secret]);
    await expect.poll(() => acts.length).toBe(2);
    expect(acts[0]).toMatchObject({
      action: 'deny_open',
      file: { path: secret },
      process: { name: 'cat' },
      details: { policyHandle: '7', outcome: 'applied' },
    });
  });

  it('looks again when the content changed or other things are looked for', async () => {
    const path = file('changing', 'a secret');
    expect(await cat(path)).toBeUndefined();
    file('changing', 'now harmless');
    expect(await cat(path)).toBe('now harmless');
    looks = [];
    guard!.forget();
    expect(await cat(path)).toBe('now harmless');
    expect(looks).toEqual([path]);
  });

  it('lets pass what could not be looked at, without remembering it, and what is outside the group', async () => {
    const path = file('locked', 'locked');
    looks = [];
    expect(await cat(path)).toBe('locked');
    expect(await cat(path)).toBe('locked');
    expect(looks).toEqual([path, path]);
    const secret = file('other', 'a secret');
    expect(spawnSync('cat', [secret]).stdout.toString()).toBe('a secret');
  });

  it('answers at the deadline when the look takes too long, and knows it the next time', async () => {
    const hasty = newGuard(1000);
    const place = join(folder, 'hasty');
    mkdirSync(place);
    const path = file('hasty/slow', 'a secret');
    let done = (): void => {};
    let isSlow = true;
    hasty.useLook(async (fd, name) => {
      if (isSlow) await new Promise<void>((resolve) => (done = resolve));
      return look(fd, name);
    });
    guard!.apply([]);
    expect(hasty.apply([rule(`${place}/`)])).toEqual([]);
    expect(await cat(path)).toBe('a secret');
    await expect.poll(() => hasty.late).toBe(1);
    isSlow = false;
    done();
    await expect.poll(() => cat(path), { timeout: 30_000 }).toBeUndefined();
    hasty.close();
  });
});
