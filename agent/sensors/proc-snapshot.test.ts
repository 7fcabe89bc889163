import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bootNowNs, wallOffsetNs } from './boot-clock.ts';
import { decodeBatch } from './decode.ts';
import { parseStat, ProcReader } from './proc-reader.ts';
import { listPids, snapshotRecords } from './proc-snapshot.ts';
import { ProcessTree } from './process-tree.ts';

const linux = process.platform === 'linux';
if (!linux) console.warn('proc-snapshot.test: no /proc here, skipped');

const children: ChildProcess[] = [];
const directory = mkdtempSync(join(tmpdir(), 'proc-snapshot-'));
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

function started(command: string, args: string[], options = {}): Promise<number> {
  const child = spawn(command, args, { stdio: 'ignore', ...options });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid as number));
    child.once('error', reject);
  });
}

describe.skipIf(!linux)('snapshot of /proc', () => {
  it('tells of a process what the kernel knows, through the codec', async () => {
    const pid = await started('/bin/sleep', ['300'], { cwd: directory, argv0: 'odd name' });
    const { bytes, count } = snapshotRecords();
    const tree = new ProcessTree();
    const { decoded, rejected } = decodeBatch(bytes, wallOffsetNs(), (event) => tree.apply(event));
    expect({ decoded, rejected }).toEqual({ decoded: count, rejected: 0 });
    const info = tree.get(pid);
    const sleep = statSync('/bin/sleep', { bigint: true });
    expect(info).toMatchObject({
      name: 'sleep',
      argv: ['odd name', '300'],
      cwd: directory,
      ppid: process.pid,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
    });
    expect(info?.parentStartNs).toBe(tree.get(process.pid)?.startNs);
    expect(statSync(info?.executable ?? '', { bigint: true }).ino).toBe(sleep.ino);
    const started_ = Number(bootNowNs() - (info?.startNs ?? 0n)) / 1e9;
    expect(started_).toBeGreaterThan(-0.1);
    const elapsed = Number(execFileSync('ps', ['-o', 'etimes=', '-p', String(pid)], { encoding: 'utf8' }));
    expect(Math.abs(started_ - elapsed)).toBeLessThan(3);
  });

  it('marks a program that was deleted, one in a directory anyone can write, and one with setuid', async () => {
    const open = join(directory, 'open');
    mkdirSync(open);
    execFileSync('chmod', ['0777', open]);
    const path = join(open, 'my sleep');
    copyFileSync('/bin/sleep', path);
    execFileSync('chmod', ['4755', path]);
    const pid = await started(path, ['300']);
    const reader = new ProcReader();
    expect(reader.event(pid, 'exec')?.process?.flags).toEqual(['setuid', 'writable_dir']);
    unlinkSync(path);
    expect(reader.event(pid, 'exec')?.process).toMatchObject({
      name: 'my sleep',
      executable: path,
      flags: ['deleted', 'setuid', 'writable_dir'],
    });
  });

  it('keeps 4,096 bytes of a long command line and tells how long it was', async () => {
    const long = 'x'.repeat(100_000);
    const pid = await started('/bin/sh', ['-c', 'sleep 300; :', long, 'last']);
    const event = new ProcReader().event(pid, 'exec');
    const expected = ['/bin/sh', '-c', 'sleep 300; :', long, 'last'].join('\0').length + 1;
    expect(event?.truncated).toEqual([{ field: 'process.argv', originalLength: expected }]);
    expect(event?.process?.argv?.join('\0')).toHaveLength(4096);
  });

  it('answers nothing for a process that is not there', () => {
    expect(new ProcReader().event(4_194_304, 'exec')).toBeUndefined();
  });

  it('reads a stat line whose name is hostile, and refuses texts that are none', () => {
    const tail = `S 1 2 3 34816 -1 4194304 ${'0 '.repeat(12)}777 ${'0 '.repeat(25)}100 350 0 0`;
    expect(parseStat(`42 (a) S 99 (\n) ${tail}`)).toMatchObject({
      pid: 42,
      comm: 'a) S 99 (\n',
      ppid: 1,
      sid: 3,
      ttyNr: 34816,
      startTicks: 777,
    });
    for (const text of ['', '42', '42 (x', '42 (x) S', ') (', `x (a) ${tail}`])
      expect(parseStat(text)).toBeUndefined();
  });

  it('leaves out what vanished between listing and reading', () => {
    const root = join(directory, 'proc');
    mkdirSync(join(root, '5'), { recursive: true });
    mkdirSync(join(root, '6'));
    mkdirSync(join(root, 'self'));
    writeFileSync(join(root, '6', 'stat'), `6 (b) S 1 6 6 0 -1 0 ${'0 '.repeat(12)}900 0 0`);
    expect(listPids(root)).toEqual([5, 6]);
    const { count } = snapshotRecords(new ProcReader({ root }));
    expect(count).toBe(1);
  });
});
