/**
 * The write-ahead log against the disk itself and against what else could keep records durably: raw C write + fdatasync
 * (F), better-sqlite3 with synchronous=FULL, classic-level with sync. Everything writes to the same real disk in turn.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { openWal } from '../../agent/wal/open.ts';
import { packRecord, packedSize } from '../../agent/wal/packed.ts';
import type { WalRecordInput, WalWriter } from '../../agent/wal/types.ts';
import type { BenchOptions, Figure } from './figure.ts';

const root = join(import.meta.dirname, '..', '..');
const PAYLOAD = Buffer.alloc(300, 'sentinel wal bench ');

const RAW_C = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int main(int argc, char **argv) {
  const int n = atoi(argv[2]);
  char *page = aligned_alloc(4096, 4096);
  int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
  for (int i = 0; i < 4096; i++) page[i] = 0;
  for (int i = 0; i <= n; i++) if (pwrite(fd, page, 4096, (off_t)i * 4096) != 4096) return 1;
  if (fsync(fd)) return 1;
  for (int i = 0; i < 4096; i++) page[i] = (char)i;
  for (int i = 0; i < n; i++) {
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    if (pwrite(fd, page, 4096, (off_t)i * 4096) != 4096 || fdatasync(fd)) return 1;
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.1f\\n", (b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) / 1e3);
  }
  return 0;
}`;

interface Latency {
  p50: number;
  p99: number;
}

function percentiles(samples: number[]): Latency {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

function record(): WalRecordInput {
  return { type: 2, schema: 2, wallNs: 1_700_000_000_000_000_000n, payload: PAYLOAD };
}

async function openLane(dir: string, prefer?: 'js', window = 5): Promise<WalWriter> {
  mkdirSync(dir, { recursive: true });
  const options = { dir, lane: 'security', deviceId: 'bench', epoch: 1, commitWindowMs: window } as const;
  return (await openWal(prefer ? { ...options, prefer } : options)).writer;
}

/** F: raw C write + fdatasync of 4 KiB into a preallocated file, microseconds. */
function rawC(dir: string, count: number): Latency | undefined {
  const binary = join(dir, 'raw');
  writeFileSync(`${binary}.c`, RAW_C);
  if (spawnSync('gcc', ['-O2', '-o', binary, `${binary}.c`]).status !== 0) return undefined;
  const run = spawnSync(binary, [join(dir, 'raw.dat'), String(count)], { encoding: 'utf8', timeout: 60_000 });
  if (run.status !== 0) return undefined;
  return percentiles(run.stdout.trim().split('\n').map(Number));
}

/** One producer that waits for each record before the next. */
async function closedLoop(writer: WalWriter, forMs: number): Promise<Latency> {
  const samples: number[] = [];
  const end = performance.now() + forMs;
  while (performance.now() < end) {
    const started = performance.now();
    await writer.whenDurable(writer.append([record()], true));
    samples.push((performance.now() - started) * 1000);
  }
  return percentiles(samples);
}

/** Urgent records at a fixed rate; each one's time from append to durable. */
async function atRate(writer: WalWriter, perSecond: number, forMs: number): Promise<Latency> {
  const samples: number[] = [];
  const started = performance.now();
  let sent = 0;
  while (performance.now() - started < forMs) {
    const due = Math.floor(((performance.now() - started) / 1000) * perSecond);
    for (; sent < due; sent++) {
      const at = performance.now();
      void writer.whenDurable(writer.append([record()], true)).then(() => {
        samples.push((performance.now() - at) * 1000);
      });
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (samples.length < sent) await new Promise((resolve) => setImmediate(resolve));
  return percentiles(samples);
}

/** Records per second made durable when there is always more to write, in packed batches as the lanes send them. */
async function saturate(writer: WalWriter, forMs: number): Promise<number> {
  const batch = Array.from({ length: 256 }, record);
  const packed = Buffer.alloc(packedSize(batch, 1 << 20));
  let at = 0;
  for (const one of batch) at = packRecord(packed, at, one);
  const first = writer.durableSeq;
  const started = performance.now();
  while (performance.now() - started < forMs) {
    let last = 0;
    for (let i = 0; i < 32; i++) {
      try {
        last = (writer.appendPacked?.(packed, batch.length, false) ?? 0) + batch.length - 1;
      } catch {
        break;
      }
    }
    // Half of the pending bound stays in flight while the next batches are made.
    if (last > 0) await writer.whenDurable(Math.max(first, last - 16 * batch.length));
    else await new Promise((resolve) => setImmediate(resolve));
  }
  return ((writer.durableSeq - first) / (performance.now() - started)) * 1000;
}

/** Share of one core the process takes beyond doing nothing, with `perSecond` records arriving in 10 ms ticks. */
async function cpuAt(writer: WalWriter, perSecond: number, forMs: number): Promise<number> {
  const tickMs = 10;
  const run = async (active: boolean): Promise<number> => {
    const before = process.cpuUsage();
    const started = performance.now();
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (active) writer.append(Array.from({ length: (perSecond * tickMs) / 1000 }, record), false);
        if (performance.now() - started < forMs) return;
        clearInterval(timer);
        resolve();
      }, tickMs);
    });
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000 / (performance.now() - started);
  };
  const idle = await run(false);
  return Math.max(0, (await run(true)) - idle) * 100;
}

const PEERS = ['better-sqlite3', 'classic-level'];

type Peer = { closedLoopUs: Latency; perSecond: number } | undefined;

/** Installs the peers (both carry their binaries) into out/peers; false if that is not possible here. */
function installPeer(name: string): boolean {
  const prefix = join(root, 'out', 'peers');
  const there = (): boolean => existsSync(join(prefix, 'node_modules', name, 'package.json'));
  if (there()) return true;
  mkdirSync(prefix, { recursive: true });
  // All at once: npm removes what it was not told of.
  const args = ['install', '--prefix', prefix, '--no-audit', '--no-fund', '--no-save', '--ignore-scripts'];
  spawnSync('npm', [...args, ...PEERS], { stdio: 'ignore', timeout: 120_000 });
  return there();
}

interface SqliteDb {
  pragma(text: string): unknown;
  exec(text: string): unknown;
  prepare(text: string): { run(...values: unknown[]): unknown };
  close(): void;
}

function betterSqlite(dir: string, forMs: number): Peer {
  if (!installPeer('better-sqlite3')) return undefined;
  try {
    const Database = createRequire(join(root, 'out', 'peers', 'x.js'))('better-sqlite3') as new (
      path: string,
    ) => SqliteDb;
    const db = new Database(join(dir, 'peer.db'));
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.exec('CREATE TABLE r (seq INTEGER PRIMARY KEY, body BLOB)');
    const insert = db.prepare('INSERT INTO r (body) VALUES (?)');
    const samples: number[] = [];
    for (const end = performance.now() + forMs; performance.now() < end;) {
      const started = performance.now();
      insert.run(PAYLOAD);
      samples.push((performance.now() - started) * 1000);
    }
    let rows = 0;
    const started = performance.now();
    while (performance.now() - started < forMs) {
      db.exec('BEGIN');
      for (let i = 0; i < 1000; i++) insert.run(PAYLOAD);
      db.exec('COMMIT');
      rows += 1000;
    }
    const perSecond = (rows / (performance.now() - started)) * 1000;
    db.close();
    return { closedLoopUs: percentiles(samples), perSecond };
  } catch {
    return undefined;
  }
}

interface LevelDb {
  open(): Promise<void>;
  put(key: string, value: Buffer, options: object): Promise<void>;
  batch(operations: object[], options: object): Promise<void>;
  close(): Promise<void>;
}

async function classicLevel(dir: string, forMs: number): Promise<Peer> {
  if (!installPeer('classic-level')) return undefined;
  try {
    const { ClassicLevel } = createRequire(join(root, 'out', 'peers', 'x.js'))('classic-level') as {
      ClassicLevel: new (path: string, options: object) => LevelDb;
    };
    const db = new ClassicLevel(join(dir, 'peer-level'), { valueEncoding: 'buffer' });
    await db.open();
    let key = 0;
    const samples: number[] = [];
    for (const end = performance.now() + forMs; performance.now() < end;) {
      const started = performance.now();
      await db.put(String(key++).padStart(12, '0'), PAYLOAD, { sync: true });
      samples.push((performance.now() - started) * 1000);
    }
    let rows = 0;
    const started = performance.now();
    while (performance.now() - started < forMs) {
      const batch = Array.from({ length: 1000 }, () => ({
        type: 'put',
        key: String(key++).padStart(12, '0'),
        value: PAYLOAD,
      }));
      await db.batch(batch, { sync: true });
      rows += 1000;
    }
    const perSecond = (rows / (performance.now() - started)) * 1000;
    await db.close();
    return { closedLoopUs: percentiles(samples), perSecond };
  } catch {
    return undefined;
  }
}

const round = (value: number, digits = 1): number => Number(value.toFixed(digits));

export async function run({ quick }: BenchOptions): Promise<Figure[]> {
  const forMs = quick ? 1500 : 6000;
  mkdirSync(join(root, 'out'), { recursive: true });
  const dir = mkdtempSync(join(root, 'out', 'bench-wal-'));
  const figures: Figure[] = [];
  const add = (
    metric: string,
    value: number,
    unit: string,
    ok: boolean,
    more: Partial<Figure> = {},
  ): void => {
    figures.push({ bench: 'wal', metric, value: round(value, unit === '%' ? 2 : 1), unit, ok, ...more });
  };
  try {
    // Before and after, because the disk is shared: the mean of both is F.
    const before = rawC(dir, quick ? 2000 : 8000);
    const writer = await openLane(join(dir, 'native'));
    const { writer: kind } = writer.stats();
    const loop = await closedLoop(writer, forMs);
    const loaded = await atRate(writer, 10_000, forMs);
    const after = rawC(dir, quick ? 2000 : 8000);
    const f = before && after ? (before.p50 + after.p50) / 2 : undefined;
    const peer = 'raw C write + fdatasync';
    if (before === undefined || f === undefined)
      add('raw C', 0, 'us', true, { note: 'no gcc: F is not measured, ratios are missing' });
    else
      add('F p50 (raw C write + fdatasync, 4 KiB)', f, 'us', true, { note: `p99 ${round(before.p99)} us` });
    const ratio = (value: number): Partial<Figure> =>
      f === undefined ? {} : { peer, ratio: round(value / f, 2) };
    add('closed loop p50', loop.p50, 'us', f === undefined || loop.p50 <= 1.2 * f, {
      ...ratio(loop.p50),
      budget: 'p50 <= 1.2 F idle',
      note: `${kind} writer, p99 ${round(loop.p99)} us`,
    });
    add('10k events/s p50', loaded.p50, 'us', f === undefined || loaded.p50 <= 2 * f + 500, {
      ...ratio(loaded.p50),
      budget: 'p50 <= 2 F + 0.5 ms',
      note: `p99 ${round(loaded.p99)} us`,
    });
    const cpu = await cpuAt(writer, 1000, forMs);
    add('CPU at 1k events/s, 5 ms window', cpu, '%', cpu < 1, {
      budget: '< 1 % of a core',
      note: 'of one core, beyond an idle timer',
    });
    const saturated = await saturate(writer, forMs);
    add('saturated', saturated, 'records/s', saturated >= 500_000, { budget: '>= 500k records/s' });
    add('median flush the writer itself reports', writer.stats().flushP50Us, 'us', true);
    await writer.close();

    const js = await openLane(join(dir, 'js'), 'js');
    const jsLoop = await closedLoop(js, forMs / 2);
    add('JS writer: closed loop p50', jsLoop.p50, 'us', true, {
      ...ratio(jsLoop.p50),
      note: `p99 ${round(jsLoop.p99)} us`,
    });
    add('JS writer: saturated', await saturate(js, forMs / 2), 'records/s', true);
    await js.close();

    for (const [name, result] of [
      ['better-sqlite3 synchronous=FULL', betterSqlite(dir, forMs / 2)],
      ['classic-level sync', await classicLevel(dir, forMs / 2)],
    ] as const) {
      if (result === undefined) {
        add(`against ${name}`, 0, 'x', true, {
          peer: name,
          note: 'peer missing: it could not be installed or loaded here',
        });
        continue;
      }
      add(`closed loop p50 against ${name}`, loop.p50, 'us', true, {
        peer: name,
        ratio: round(loop.p50 / result.closedLoopUs.p50, 2),
        note: `peer p50 ${round(result.closedLoopUs.p50)} us, p99 ${round(result.closedLoopUs.p99)} us`,
      });
      add(`saturated against ${name}`, saturated, 'records/s', true, {
        peer: name,
        ratio: round(saturated / result.perSecond, 2),
        note: `peer ${Math.round(result.perSecond)} records/s in batches of 1,000`,
      });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return figures;
}
