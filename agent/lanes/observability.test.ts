import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { RecordFlag } from '../wal/types.ts';
import { ObservabilityLane } from './observability.ts';
import { drive, type Limits, ManualClock, MemoryLog, type Step } from './observability.harness.ts';
import type { ShedReport } from './shed-ledger.ts';

const LIMITS: Limits = {
  maxBufferBytes: 6000,
  maxBatchRecords: 8,
  maxBatchBytes: 900,
  maxBatchMs: 200,
  reorderMs: 50,
  reportMs: 300,
};

/** The log takes less than the lane may hold, as the real one does by default. */
const FULL_LOG: Limits = { ...LIMITS, maxBufferBytes: 2800, maxLogBytes: 1200 };

const level = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.constant(1) },
  { weight: 1, arbitrary: fc.constant(2) },
  { weight: 1, arbitrary: fc.constant(3) },
);
const ageMs = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 60 }) },
  { weight: 2, arbitrary: fc.integer({ min: 60, max: 5000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -400, max: 0 }) },
);
const size = fc.oneof(fc.integer({ min: 20, max: 40 }), fc.integer({ min: 20, max: 300 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('offer' as const),
      stream: fc.integer({ min: 0, max: 2 }),
      level,
      ageMs,
      size,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      stream: fc.integer({ min: 0, max: 2 }),
      level,
      records: fc.array(fc.record({ ageMs, size, level }), { minLength: 1, maxLength: 24, size: 'max' }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 120 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), records: fc.integer({ min: 1, max: 60 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('clockBack' as const), ms: fc.integer({ min: 1, max: 2000 }) }),
  },
);
const steps = fc.array(step, { minLength: 1, maxLength: 50, size: 'max' });

/** Of the traffic that mutants see: whether one is noticed must not depend on luck. */
const SEED = Number(process.env['SENTINEL_TEST_SEED'] ?? 1);

/** Each one breaks one promise by changing one place in the source; the properties must notice all of them. */
const MUTANTS: readonly { name: string; file: string; from: string; to: string; fullLog?: boolean }[] = [
  {
    name: 'drops what a full log does not take',
    file: 'batch-writer.ts',
    from: 'if (error instanceof WalFullError) return false;',
    to: '',
    fullLog: true,
  },
  {
    name: 'forgets which records it had to keep',
    file: 'batch-writer.ts',
    from: 'held.removeFirst(start, order);',
    to: 'held.removeFirst(ripe, order);',
    fullLog: true,
  },
  {
    name: 'takes records for late that it failed to write',
    file: 'batch-writer.ts',
    from: 'this.lastRel.set(this.lastRelBefore);',
    to: '',
    fullLog: true,
  },
  {
    name: 'refuses warn while info is held',
    file: 'observability.ts',
    from: 'for (const level of [DEBUG, INFO]) {',
    to: 'for (const level of [DEBUG]) {',
    fullLog: true,
  },
  {
    name: 'never asks a full log again',
    file: 'batch-writer.ts',
    from: 'this.blocked = false;',
    to: 'if (this.blocked) return;',
    fullLog: true,
  },
  {
    name: 'makes no room beyond its limit',
    file: 'observability.ts',
    from: 'return held.bytes + cost <= overload.maxBytes;',
    to: 'return true;',
    fullLog: true,
  },
  {
    name: 'sheds warn records under pressure',
    file: 'observability.ts',
    from: 'if (level >= WARN) {',
    to: 'if (level > WARN) {',
  },
  {
    name: 'drops info while debug is held',
    file: 'observability.ts',
    from: 'if (state > SHED_DEBUG && held.debugCount > 0) {',
    to: 'if (state > 99) {',
  },
  {
    name: 'forgets to count an evicted record',
    file: 'observability.ts',
    from: "this.drop('shed', level, held.stream[index] ?? 0, held.rel[index] ?? 0)",
    to: '(0)',
  },
  {
    name: 'never refuses info',
    file: 'observability.ts',
    from: 'if (state <= SHED_DEBUG) return true;\n    }',
    to: 'return true;\n    }',
  },
  {
    name: 'buffers in PASSTHROUGH',
    file: 'observability.ts',
    from: 'if (this.overload.state === PASSTHROUGH) this.passThrough();',
    to: 'if (false) this.flush();',
  },
  {
    name: 'does not mark late records',
    file: 'batch-writer.ts',
    from: 'held.mark(index, RecordFlag.late);',
    to: '',
  },
  {
    name: 'marks every record late',
    file: 'batch-writer.ts',
    from: 'if (rel >= (this.lastRel[stream] ?? 0)) {',
    to: 'if (rel > Number.MAX_VALUE) {',
  },
  {
    name: 'writes in order of arrival and calls it ordered',
    file: 'held-records.ts',
    from: 'if (this.ordered) return undefined;',
    to: 'if (this.count >= 0) return undefined;',
  },
  {
    name: 'has no reorder window',
    file: 'observability.ts',
    from: 'let cutoff = this.nowRel() - this.reorderNs;',
    to: 'let cutoff = Number.POSITIVE_INFINITY;',
  },
  {
    name: 'lets a clock that was set back hold records for ever',
    file: 'observability.ts',
    from: 'if ((held.rel[i] ?? 0) > cutoff) cutoff = Number.POSITIVE_INFINITY;',
    to: '',
  },
  {
    name: 'waits for a full batch however long it takes',
    file: 'observability.ts',
    from: 'nowMs + this.tickMs - oldest >= this.maxBatchMs',
    to: 'false',
  },
  {
    name: 'ignores the record limit of a batch',
    file: 'batch-writer.ts',
    from: 'end - start < limits.maxBatchRecords',
    to: 'end >= start',
  },
  {
    name: 'ignores the byte limit of a batch',
    file: 'batch-writer.ts',
    from: 'if (end > start && bytes + size > limits.maxBatchBytes) break;',
    to: '',
  },
  {
    name: 'loses the tail of a partly released buffer',
    file: 'held-records.ts',
    from: 'this.arena.copyWithin(0, shift, this.used);',
    to: '',
  },
  {
    name: 'reports only the first loss',
    file: 'shed-ledger.ts',
    from: 'const count = tally.count;',
    to: 'const count = Math.min(1, tally.count);',
  },
  {
    name: 'reports without regard to the interval',
    file: 'observability.ts',
    from: 'nowMs - this.lastReportMs >= this.reportMs',
    to: 'nowMs > 0',
  },
  {
    name: 'loses the carry of a batch time',
    file: 'observability.ts',
    from: '(sum > 0xffffffff ? 1 : 0)',
    to: '0',
  },
];

describe('observability lane, properties', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-lane-mutants-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const broken = (
    Lane: typeof ObservabilityLane,
    runs: number,
    limits = LIMITS,
    seed?: number,
  ): string | null => {
    const result = fc.check(
      fc.property(steps, (list) => void drive(Lane, limits, list)),
      {
        numRuns: runs,
        endOnFailure: true,
        ...(seed === undefined ? {} : { seed }),
      },
    );
    return result.failed ? String(result.errorInstance) + fc.stringify(result.counterexample) : null;
  };

  it('keeps every promise over random traffic', () => {
    expect(broken(ObservabilityLane, 5000)).toBeNull();
  });

  it('keeps them over a log that at times takes nothing more, but for those a full log makes impossible', () => {
    expect(broken(ObservabilityLane, 3000, FULL_LOG)).toBeNull();
  });

  it('is driven into every state by that traffic', () => {
    const reached = { NORMAL: 0, SHED_DEBUG: 0, SHED_INFO: 0, PASSTHROUGH: 0, late: 0, clockAhead: 0 };
    for (const list of fc.sample(steps, 300)) {
      const stats = drive(ObservabilityLane, LIMITS, list);
      for (const [state, count] of Object.entries(stats.entered)) {
        if (count > 0) reached[state as keyof typeof stats.entered] += 1;
      }
      if (stats.late > 0) reached.late += 1;
      if (stats.clockAhead > 0) reached.clockAhead += 1;
    }
    for (const count of Object.values(reached)) expect(count).toBeGreaterThan(20);
  });

  it.each(MUTANTS)('notices a lane that $name', async ({ name, file, from, to, fullLog }) => {
    const source = readFileSync(join(import.meta.dirname, file), 'utf8');
    expect(source.split(from).length, `"${from}" occurs once in ${file}`).toBe(2);
    const copy = join(folder, name.replaceAll(' ', '-'), 'agent', 'lanes');
    mkdirSync(copy, { recursive: true });
    const wal = pathToFileURL(join(import.meta.dirname, '..', 'wal')).href;
    for (const part of readdirSync(import.meta.dirname)) {
      if (!part.endsWith('.ts') || part.includes('.test.') || part.includes('.harness.')) continue;
      const text = readFileSync(join(import.meta.dirname, part), 'utf8');
      const mutated = part === file ? text.replace(from, () => to) : text;
      writeFileSync(join(copy, part), mutated.replaceAll("'../wal/", `'${wal}/`));
    }
    const mutant = (await import(/* @vite-ignore */ pathToFileURL(join(copy, 'observability.ts')).href)) as {
      ObservabilityLane: typeof ObservabilityLane;
    };
    expect(broken(mutant.ObservabilityLane, 4000, fullLog === true ? FULL_LOG : LIMITS, SEED)).toMatch(
      /broken/,
    );
  });
});

describe('observability lane', () => {
  const make = (options: Partial<Limits> & { maxRecordBytes?: number } = {}) => {
    const clock = new ManualClock();
    const log = new MemoryLog(clock);
    const reports: ShedReport[] = [];
    const lane = new ObservabilityLane(log, {
      ...LIMITS,
      maxBufferBytes: 1_000_000,
      ...options,
      clock,
      onShed: (report) => reports.push(report),
    });
    let id = 0;
    const offer = (
      stream: string,
      atMs: number,
      record: { level?: 'debug' | 'info' | 'warn'; size?: number } = {},
    ) => {
      const bytes = Buffer.alloc(record.size ?? 20);
      bytes.writeUInt32LE(id++, 0);
      return lane.offer({
        stream,
        level: record.level ?? 'info',
        tsNs: BigInt(Math.round(atMs * 1e6)),
        bytes,
        type: 2,
        schema: 2,
        cpu: 0xffff,
      });
    };
    return { clock, log, lane, reports, offer };
  };

  it('reports what a failed log refused, warn included, and goes on', () => {
    const { clock, log, lane, reports, offer } = make();
    log.failed = true;
    offer('a', clock.wallMs(), { level: 'warn' });
    clock.advance(2000);
    expect(reports).toMatchObject([{ cause: 'wal_failed', level: 'warn', stream: 'a', count: 1 }]);
    log.failed = false;
    offer('a', clock.wallMs());
    lane.close();
    expect(log.written).toHaveLength(1);
  });

  it('drops and reports a record larger than a record may be', () => {
    const { clock, lane, reports, offer } = make({ maxRecordBytes: 100 });
    expect(offer('a', clock.wallMs(), { size: 101 })).toBe(false);
    lane.close();
    expect(reports).toMatchObject([{ cause: 'oversize', count: 1 }]);
  });

  it('fills a short hole of a stream that asked for it, marked, and leaves a long one', () => {
    const { clock, log, lane, offer } = make();
    const asked: number[] = [];
    lane.allowImputation('metrics', {
      intervalMs: 10_000,
      maxPerGap: 6,
      interpolate: (before, after, fraction) => {
        asked.push(fraction);
        return Buffer.concat([Buffer.alloc(4, 0xff), before.subarray(0, 4), after.subarray(0, 4)]);
      },
    });
    const start = clock.wallMs();
    for (const at of [0, 10_000, 40_000, 140_000, 150_000]) {
      clock.advance(start + at - clock.wallMs());
      offer('metrics', start + at);
      offer('other', start + at);
    }
    lane.close();
    expect(asked).toEqual([1 / 3, 2 / 3]);
    const synthetic = log.written.filter((record) => (record.flags & RecordFlag.synthetic) !== 0);
    expect(synthetic.map((record) => Number(record.tsNs / 1_000_000n) - start)).toEqual([20_000, 30_000]);
    const times = log.written.map((record) => record.tsNs);
    expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
    expect(log.written.every((record) => (record.flags & RecordFlag.late) === 0)).toBe(true);
    expect(lane.stats()).toMatchObject({ synthetic: 2, imputationRefused: 1, written: 12 });
  });

  it('adapts the batch to the forecast of the arrival rate', () => {
    const { clock, log, lane, offer } = make({ maxBatchRecords: 500, maxBatchBytes: 1_000_000 });
    for (let i = 0; i < 20; i += 1) {
      clock.advance(100);
      offer('a', clock.wallMs());
    }
    expect(lane.stats().batchSize).toBe(1);
    for (let i = 0; i < 2000; i += 1) {
      clock.advance(1);
      offer('a', clock.wallMs());
      offer('a', clock.wallMs());
    }
    log.settle(Number.MAX_SAFE_INTEGER);
    expect(lane.stats().forecastPerSecond).toBeGreaterThan(1500);
    expect(lane.stats().forecastPerSecond).toBeLessThan(2500);
    expect(lane.stats().batchSize).toBeGreaterThan(150);
    expect(lane.stats().batchSize).toBeLessThanOrEqual(500);
  });

  it('hands an ordered batch to the log without sorting or gathering', () => {
    const { clock, log, lane } = make({ maxBatchRecords: 4096, maxBatchBytes: 1_000_000 });
    const count = 1000;
    const bytes = Buffer.alloc(count * 64);
    const offsets = new Uint32Array(count + 1);
    const start = BigInt(clock.wallMs() - 60) * 1_000_000n;
    for (let i = 0; i < count; i += 1) {
      bytes.writeUInt32LE(i, i * 64);
      bytes.writeBigUInt64LE(start + BigInt(i) - 5n, i * 64 + 8);
      offsets[i + 1] = (i + 1) * 64;
    }
    const kept = lane.offerBatch({
      stream: 'files',
      type: 1,
      schema: 1,
      bytes,
      offsets,
      count,
      level: 'info',
      tsAt: 8,
      wallOffsetNs: 5n,
      cpuAt: -1,
    });
    expect(kept).toBe(count);
    clock.advance(200);
    expect(log.batches).toMatchObject([{ count, urgent: false }]);
    expect(log.written.map((record) => record.id)).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(log.written[999]?.tsNs).toBe(start + 999n);
  });

  it('shares one name among streams beyond the limit and counts them all', () => {
    const { clock, log, lane, offer } = make();
    for (let i = 0; i < 100; i += 1) offer(`s${i}`, clock.wallMs());
    lane.close();
    expect(log.written).toHaveLength(100);
  });
});
