/**
 * The write-ahead log against the disk itself and against what else could keep records durably: raw C write + fdatasync
 * (F), better-sqlite3 with synchronous=FULL, classic-level with sync. Everything writes to the same real disk in turn.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openWal } from '../../agent/wal/open.ts';
import { packRecord, packedSize } from '../../agent/wal/packed.ts';
import type { WalRecordInput, WalWriter } from '../../agent/wal/types.ts';
import type { BenchOptions, Figure } from './figure.ts';
import { type Floor, type Latency, buildFloor, medianOf, percentiles } from './wal-floor.ts';
import { betterSqlite, classicLevel } from './wal-peers.ts';

const root = join(import.meta.dirname, '..', '..');
const PAYLOAD = Buffer.alloc(300, 'sentinel wal bench ');

function record(): WalRecordInput {
  return { type: 2, schema: 2, wallNs: 1_700_000_000_000_000_000n, payload: PAYLOAD };
}

async function openLane(dir: string, prefer?: 'js', window = 5): Promise<WalWriter> {
  mkdirSync(dir, { recursive: true });
  const options = { dir, lane: 'security', deviceId: 'bench', epoch: 1, commitWindowMs: window } as const;
  return (await openWal(prefer ? { ...options, prefer } : options)).writer;
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

/**
 * Urgent records at a fixed rate; each one's time from append to durable. The producer sleeps between arrivals, as a
 * sensor does: a thread that spins would take half of a machine with two cores from the writer.
 */
async function atRate(writer: WalWriter, perSecond: number, forMs: number): Promise<Latency> {
  const samples: number[] = [];
  const sleep = new Int32Array(new SharedArrayBuffer(4));
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
    Atomics.wait(sleep, 0, 0, 0.05);
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

/** Share of one core the process takes while `perSecond` records arrive in 10 ms ticks, and commits per second. */
async function cpuAt(
  writer: WalWriter,
  perSecond: number,
  forMs: number,
): Promise<{ cpu: number; commits: number }> {
  const tickMs = 10;
  const { commits: commitsBefore } = writer.stats();
  const before = process.cpuUsage();
  const started = performance.now();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (perSecond > 0) writer.append(Array.from({ length: (perSecond * tickMs) / 1000 }, record), false);
      if (performance.now() - started < forMs) return;
      clearInterval(timer);
      resolve();
    }, tickMs);
  });
  const { user, system } = process.cpuUsage(before);
  const ms = performance.now() - started;
  return {
    cpu: ((user + system) / 1000 / ms) * 100,
    commits: ((writer.stats().commits - commitsBefore) / ms) * 1000,
  };
}

interface Loaded {
  ours: Latency;
  floor: Latency | undefined;
  f: Latency | undefined;
}

/** The log, raw C at the same rate and F in turns, because the machine is shared and its load changes: medians. */
async function loadedInTurns(
  writer: WalWriter,
  floor: Floor | undefined,
  forMs: number,
  turns: number,
): Promise<Loaded> {
  const ours: Latency[] = [];
  const raw: (Latency | undefined)[] = [];
  const f: (Latency | undefined)[] = [];
  for (let turn = 0; turn < turns; turn++) {
    ours.push(await atRate(writer, 10_000, forMs / turns));
    raw.push(await floor?.load(10_000, forMs / turns));
    f.push(await floor?.sync(500));
  }
  return { ours: medianOf(ours) as Latency, floor: medianOf(raw), f: medianOf(f) };
}

/** CPU of the log beyond an idle timer, and of raw C that syncs as often, in turns. */
async function cpuInTurns(
  writer: WalWriter,
  floor: Floor | undefined,
  forMs: number,
  turns: number,
): Promise<{ cpu: number; commits: number; floor: number | undefined }> {
  await cpuAt(writer, 1000, 500);
  let [cpu, commits, raw] = [0, 0, 0];
  for (let turn = 0; turn < turns; turn++) {
    const idle = await cpuAt(writer, 0, forMs / turns);
    const active = await cpuAt(writer, 1000, forMs / turns);
    cpu += Math.max(0, active.cpu - idle.cpu) / turns;
    commits += active.commits / turns;
    raw += ((await floor?.cpu(active.commits, forMs / turns)) ?? 0) / turns;
  }
  return { cpu, commits, floor: floor && raw > 0 ? raw : undefined };
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
    const floor = await buildFloor(dir);
    const turns = quick ? 3 : 6;
    const writer = await openLane(join(dir, 'native'));
    const { writer: kind } = writer.stats();
    // Before and after, because the disk is shared: the mean of both is F.
    const before = await floor?.sync(quick ? 1000 : 4000);
    const loop = await closedLoop(writer, forMs);
    const after = await floor?.sync(quick ? 1000 : 4000);
    const loaded = await loadedInTurns(writer, floor, forMs, turns);
    const f = before && after ? (before.p50 + after.p50) / 2 : undefined;
    const peer = 'raw C write + fdatasync';
    if (before === undefined || f === undefined)
      add('raw C', 0, 'us', true, { note: 'no gcc: F is not measured, ratios are missing' });
    else
      add('F p50 (raw C write + fdatasync, 4 KiB)', f, 'us', true, { note: `p99 ${round(before.p99)} us` });
    const ratio = (value: number, to: number | undefined): Partial<Figure> =>
      to === undefined ? {} : { peer, ratio: round(value / to, 2) };
    add('closed loop p50', loop.p50, 'us', f === undefined || loop.p50 <= 1.2 * f, {
      ...ratio(loop.p50, f),
      budget: 'p50 <= 1.2 F idle',
      note: `${kind} writer, p99 ${round(loop.p99)} us`,
    });
    const loadBudget = loaded.f === undefined ? Infinity : 2 * loaded.f.p50 + 500;
    add('10k events/s p50', loaded.ours.p50, 'us', loaded.ours.p50 <= loadBudget, {
      peer: 'raw C, one thread that syncs what has arrived, 10k/s',
      ...(loaded.floor ? { ratio: round(loaded.ours.p50 / loaded.floor.p50, 2) } : {}),
      budget: 'p50 <= 2 F + 0.5 ms',
      note:
        `p99 ${round(loaded.ours.p99)} us; raw C p50 ${round(loaded.floor?.p50 ?? 0)} us, ` +
        `p99 ${round(loaded.floor?.p99 ?? 0)} us; F beside it ${round(loaded.f?.p50 ?? 0)} us; ` +
        'medians of turns',
    });
    const cpu = await cpuInTurns(writer, floor, forMs, turns);
    add('CPU at 1k events/s, 5 ms window', cpu.cpu, '%', cpu.cpu < 1, {
      peer: 'raw C that syncs 4 KiB as often',
      ...(cpu.floor === undefined ? {} : { ratio: round(cpu.cpu / cpu.floor, 2) }),
      budget: '< 1 % of a core',
      note: `of one core, beyond an idle timer; ${round(cpu.commits)} commits/s; raw C ${round(cpu.floor ?? 0, 2)} %`,
    });
    const saturated = await saturate(writer, forMs);
    add('saturated', saturated, 'records/s', saturated >= 500_000, { budget: '>= 500k records/s' });
    add('median flush the writer itself reports', writer.stats().flushP50Us, 'us', true);
    await writer.close();

    const js = await openLane(join(dir, 'js'), 'js');
    const jsLoop = await closedLoop(js, forMs / 2);
    add('JS writer: closed loop p50', jsLoop.p50, 'us', true, {
      ...ratio(jsLoop.p50, f),
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
