/**
 * The built program over files made to harm it (test/dlp/hostile_files.py) and over what is no plain file: it lives, every
 * one ends in a verdict that says why, and process and children together keep below the budget.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileVerdict } from '../../agent/dlp/types.ts';
import { watchMemory } from '../dlp/peak-memory.ts';

const root = join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'sentinel-hostile-'));
const rules = join(folder, 'rules.yml');
const BUDGET_KIB = 256 * 1024;

beforeAll(() => writeFileSync(rules, 'rules: [{id: cards, kind: pattern, pattern: card}]\n'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Told extends FileVerdict {
  ownKiB: number;
  childKiB: number;
  togetherKiB: number;
}

/** Scans as a user would; ends `program` early when `until` says so. */
async function scan(
  paths: readonly string[],
  options: { args?: readonly string[]; onVerdict?: (verdict: FileVerdict) => void } = {},
): Promise<{ told: Told[]; code: number | null; signal: NodeJS.Signals | null; said: string }> {
  const argv = [
    'dlp',
    'scan',
    '--rules',
    rules,
    '--data',
    join(folder, 'data'),
    '--json',
    ...(options.args ?? []),
  ];
  const child = spawn(process.execPath, [join(root, 'out/agent/sentinel.mjs'), ...argv, ...paths], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('close', (code, signal) => resolve([code, signal]));
  });
  const watch = watchMemory(child.pid ?? 0, /dlp-extract/);
  const told: Told[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const verdict = JSON.parse(line) as FileVerdict;
    options.onVerdict?.(verdict);
    const { own, child: inChild, together } = watch.take();
    told.push({ ...verdict, ownKiB: own, childKiB: inChild, togetherKiB: together });
  }
  watch.stop();
  const [code, signal] = await ended;
  return { told, code, signal, said };
}

describe('the built program', () => {
  it(
    'ends every hostile file in a verdict, in less than 256 MiB with its children',
    { timeout: 1_500_000 },
    async () => {
      const suite = join(folder, 'suite');
      mkdirSync(suite);
      const made = spawnSync('python3', [join(root, 'test/dlp/hostile_files.py'), suite], {
        encoding: 'utf8',
      });
      expect(made.stderr).toBe('');
      const manifest = JSON.parse(readFileSync(join(suite, 'manifest.json'), 'utf8')) as Record<
        string,
        { kind: string; codes: string[] }
      >;
      const names = Object.keys(manifest);
      expect(names.length).toBeGreaterThan(220);
      const { told, code, signal, said } = await scan(names.map((name) => join(suite, name)));
      expect({ code, signal }).toEqual({ code: 1, signal: null });
      expect(said).toMatch(/^sentinel: \d+ of \d+ unscannable\n$/);
      expect(told.map(({ path }) => path)).toEqual(names.map((name) => join(suite, name)));
      const kinds = new Map<string, { files: number; own: number; child: number; together: number }>();
      for (const [index, verdict] of told.entries()) {
        const { kind, codes } = manifest[names[index] ?? ''] ?? { kind: '', codes: [] };
        const { reasonCode, reason, ownKiB, childKiB, togetherKiB } = verdict;
        // Time is what a loaded machine has least of.
        if (reasonCode !== 'time')
          expect.soft(codes, `${names[index]}: ${reason}`).toContain(reasonCode ?? 'ok');
        if (reasonCode) expect.soft(reason, names[index]).toMatch(/./);
        expect.soft(togetherKiB, `${names[index]}: ${ownKiB} and ${childKiB} KiB`).toBeLessThan(BUDGET_KIB);
        const sum = kinds.get(kind) ?? { files: 0, own: 0, child: 0, together: 0 };
        kinds.set(kind, {
          files: sum.files + 1,
          own: Math.max(sum.own, ownKiB),
          child: Math.max(sum.child, childKiB),
          together: Math.max(sum.together, togetherKiB),
        });
      }
      const mib = (kib: number): string => (kib / 1024).toFixed(0);
      for (const [kind, { files, own, child, together }] of kinds)
        console.log(
          `${kind}: ${files} files, peak ${mib(own)} MiB, child ${mib(child)}, together ${mib(together)}`,
        );
      expect(Math.max(...told.map(({ childKiB }) => childKiB))).toBeGreaterThan(30_000);
    },
  );

  it('tells what is no plain file, and goes through no circle', { timeout: 120_000 }, async () => {
    const odd = join(folder, 'odd');
    mkdirSync(join(odd, 'inner'), { recursive: true });
    symlinkSync('..', join(odd, 'inner', 'up'));
    symlinkSync('itself', join(odd, 'itself'));
    spawnSync('mkfifo', [join(odd, 'fifo')]);
    const device =
      process.getuid?.() === 0 && spawnSync('mknod', [join(odd, 'zero'), 'c', '1', '5']).status === 0;
    const server = createServer().listen(join(odd, 'socket'));
    writeFileSync(join(odd, 'inner', 'plain.txt'), '4111 1111 1111 1111');
    const files = ['/proc/self/environ', '/proc/self/mem', '/proc/version', '/dev/null'];
    const { told, signal } = await scan([odd, ...files]);
    server.close();
    const of = (path: string): string => {
      const found = told.filter((one) => one.path === path);
      return found.map(({ verdict, reasonCode }) => `${verdict} ${reasonCode ?? ''}`.trim()).join(', ');
    };
    expect(signal).toBeNull();
    for (const name of ['fifo', 'socket', ...(device ? ['zero'] : [])])
      expect.soft(of(join(odd, name)), name).toBe('unscannable special_file');
    expect.soft(of('/dev/null')).toBe('unscannable special_file');
    expect.soft(of('/proc/self/mem')).toBe('unscannable unreadable');
    expect.soft(of('/proc/version')).toBe('clean');
    expect.soft(of(join(odd, 'inner', 'plain.txt'))).toBe('match');
    expect.soft(told.length).toBeLessThan(12);
  });

  it('gives up a file without an end when its time is over', { timeout: 300_000 }, async () => {
    const sparse = join(folder, 'sparse.bin');
    const fd = openSync(sparse, 'w');
    ftruncateSync(fd, 2 ** 40);
    closeSync(fd);
    const { told, signal } = await scan([sparse, rules], { args: ['--timeout', '2'] });
    expect(signal).toBeNull();
    expect(told).toMatchObject([{ verdict: 'unscannable', reasonCode: 'time' }, { verdict: 'clean' }]);
    for (const { togetherKiB } of told) expect(togetherKiB).toBeLessThan(BUDGET_KIB);
  });

  it(
    'says of files that others write to, cut or replace meanwhile what became of them',
    { timeout: 300_000 },
    async () => {
      const moving = join(folder, 'moving');
      mkdirSync(moving);
      const names = Array.from({ length: 24 }, (_, index) => join(moving, `${index}.zip`));
      const zip = spawnSync(
        'python3',
        [
          '-c',
          'import sys,zipfile,os\nwith zipfile.ZipFile(sys.stdout.buffer, "w") as z:\n for i in range(40): z.writestr(f"{i}.txt", os.urandom(50000))',
        ],
        { maxBuffer: 64 << 20 },
      ).stdout;
      for (const name of names) writeFileSync(name, zip);
      let turn = 0;
      // Whatever is being read is changed under the reader, in one of three ways.
      const timer = setInterval(() => {
        turn += 1;
        for (const [index, name] of names.entries()) {
          if (index % 3 === 0) truncateSync(name, turn % 2 ? 1000 : zip.length);
          else if (index % 3 === 1) {
            const fd = openSync(name, 'r+');
            writeSync(fd, Buffer.alloc(5000, turn), 0, 5000, (turn * 7919) % zip.length);
            closeSync(fd);
          } else if (turn % 2) rmSync(name, { force: true });
          else writeFileSync(name, zip.subarray(0, (turn * 7919) % zip.length));
        }
      }, 20);
      const { told, signal } = await scan(names);
      clearInterval(timer);
      expect(signal).toBeNull();
      expect(told.map(({ path }) => path)).toEqual(names);
      // A changed archive may look like anything; it is said what, and only a whole one is clean.
      const codes = new Set(told.map(({ verdict, reasonCode }) => reasonCode ?? verdict));
      expect(codes.size).toBeGreaterThan(1);
    },
  );
});
