import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import { bootNowNs } from './boot-clock.ts';
import { decodeBatch, decodeRecord, recordLane } from './decode.ts';
import { readReplayFile, ReplayFileError, splitRecords, writeReplayFile } from './replay-file.ts';
import { ReplaySensor, replaySensorOf } from './replay.ts';
import type { SensorBatch } from './types.ts';
import { generateEvents, generateWorkload } from './workload.ts';

const directory = mkdtempSync(join(tmpdir(), 'replay-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const file = (name: string): string => join(directory, name);

async function replayed(sensor: ReplaySensor): Promise<SensorBatch[]> {
  const batches: SensorBatch[] = [];
  await sensor.start({ onBatch: (batch) => batches.push(batch), onLoss: () => undefined });
  await sensor.finished;
  await sensor.stop();
  return batches;
}

function decoded(batches: readonly SensorBatch[], lane: string): SentinelEvent[] {
  const events: SentinelEvent[] = [];
  for (const batch of batches) {
    if (batch.lane !== lane) continue;
    const { rejected } = decodeBatch(batch.bytes, batch.wallOffsetNs, (event) => events.push(event));
    expect(rejected).toBe(0);
  }
  return events;
}

describe('replay file', () => {
  it('gives back exactly the records that were written, by lane and in order', async () => {
    const records = [...generateWorkload({ seed: 7, count: 3000 })];
    const written = writeReplayFile(file('a'), records, 1_000n);
    expect(written.records).toBe(3000);
    const batches = await replayed(
      new ReplaySensor({
        records: readReplayFile(file('a')),
        name: 'a',
        rate: 'fast',
        rebase: false,
        maxBatch: 100,
      }),
    );
    for (const lane of ['security', 'observability'] as const) {
      const want = Buffer.concat(records.filter((record) => recordLane(record, 0) === lane));
      const got = Buffer.concat(batches.filter((batch) => batch.lane === lane).map((batch) => batch.bytes));
      expect(got.equals(want)).toBe(true);
    }
    expect(batches.reduce((sum, batch) => sum + batch.count, 0)).toBe(3000);
    expect(batches[0]?.wallOffsetNs).toBe(1_000n);
    expect(Math.max(...batches.map((batch) => batch.count))).toBeLessThanOrEqual(100);
  });

  it('refuses a file that is none, cut, damaged, empty or of another version, saying which', () => {
    const records = [...generateWorkload({ seed: 7, count: 50 })];
    const refused = (name: string, change: (path: string) => void): string => {
      writeReplayFile(file(name), records);
      change(file(name));
      try {
        readReplayFile(file(name));
        return 'accepted';
      } catch (error) {
        expect(error).toBeInstanceOf(ReplayFileError);
        return (error as Error).message;
      }
    };
    expect(refused('none', (path) => writeFileSync(path, 'hello'))).toMatch(/not a replay file/);
    expect(refused('cut', (path) => truncateSync(path, 500))).toMatch(/500 bytes long/);
    const edit = (offset: number) => (path: string) => {
      const bytes = readFileSync(path);
      bytes[offset] = (bytes[offset] as number) ^ 0xff;
      writeFileSync(path, bytes);
    };
    expect(refused('damaged', edit(200))).toMatch(/checksum/);
    expect(refused('version', edit(8))).toMatch(/version 254/);
    expect(() => writeReplayFile(file('empty'), [])).toThrow(/no record/);
    expect(() => readReplayFile(file('empty'))).toThrow(ReplayFileError);
    expect(() => readReplayFile(file('absent'))).toThrow(/cannot be read/);
    expect(() => writeReplayFile(file('bad'), [Buffer.alloc(64)])).toThrow(/record 0/);
  });
});

describe('ReplaySensor', () => {
  it('moves all times of a loop by one amount, so that identities hold within it and differ between loops', async () => {
    const records = splitRecords(Buffer.concat([...generateWorkload({ seed: 3, count: 2000 })]), 0n);
    const before = bootNowNs();
    const sensor = new ReplaySensor({ records, name: 'x', rate: 'fast', loops: 2 });
    const batches = await replayed(sensor);
    const security = decoded(batches, 'security');
    expect(sensor.counts.security).toBe(security.length);
    expect(sensor.counts.security + sensor.counts.observability).toBe(4000);
    const half = security.length / 2;
    const [first, second] = [security.slice(0, half), security.slice(half)];
    const original = [...generateEvents({ seed: 3, count: 2000 })].filter(
      ({ event }) => event.lane === 'security',
    );
    const firstFork = original.findIndex(({ event }) => event.action === 'fork');
    const shift =
      (first[firstFork]?.process?.startNs ?? 0n) - (original[firstFork]?.event.process?.startNs ?? 0n);
    expect(shift + (original[0]?.bootNs ?? 0n)).toBeGreaterThanOrEqual(before);
    // A start that would lie before this machine's boot stays as recorded.
    const moved = (startNs: bigint): bigint => (startNs + shift < 0n ? startNs : startNs + shift);
    for (const [index, { event }] of original.entries()) {
      const got = first[index]?.process;
      expect(got?.startNs).toBe(moved(event.process?.startNs ?? 0n));
      if (event.process?.parentStartNs !== undefined && event.action !== 'exit') {
        expect(got?.parentStartNs).toBe(moved(event.process.parentStartNs));
      }
    }
    expect(second[firstFork]?.process?.startNs).not.toBe(first[firstFork]?.process?.startNs);
    expect(Math.abs(Number((first[0]?.tsNs ?? 0n) / 1_000_000n) - Date.now())).toBeLessThan(60_000);
  });

  it('keeps to a rate without drifting', async () => {
    const records = splitRecords(Buffer.concat([...generateWorkload({ seed: 3, count: 3000 })]), 0n);
    const sensor = new ReplaySensor({ records, name: 'x', rate: 10_000 });
    const started = performance.now();
    await replayed(sensor);
    // Never faster than asked; how much slower depends on the machine.
    expect(performance.now() - started).toBeGreaterThanOrEqual(295);
    expect(sensor.counts.security + sensor.counts.observability).toBe(3000);
  });

  it('keeps the recorded timing', async () => {
    const workload = { seed: 3, count: 400, eventsPerSecond: 2000 };
    const records = splitRecords(Buffer.concat([...generateWorkload(workload)]), 0n);
    const started = performance.now();
    const batches = await replayed(new ReplaySensor({ records, name: 'x', rate: 'original' }));
    expect(performance.now() - started).toBeGreaterThanOrEqual(195);
    // Not all at once; a machine that stands still puts several into one.
    expect(batches.length).toBeGreaterThan(2);
  });

  it('waits while the sink is busy, and stops when told', async () => {
    const records = splitRecords(Buffer.concat([...generateWorkload({ seed: 3, count: 1000 })]), 0n);
    let busy = true;
    const sensor = new ReplaySensor({ records, name: 'x', rate: 'fast', isBusy: () => busy });
    await sensor.start({ onBatch: () => undefined, onLoss: () => undefined });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(sensor.counts.security).toBe(0);
    busy = false;
    await sensor.finished;
    expect(sensor.counts.security + sensor.counts.observability).toBe(1000);
    expect(sensor.status().hooks[0]).toMatchObject({ events: 1000, lost: 0 });
    expect(sensor.status().blindSpots).toHaveLength(1);
  });

  it('reads its options from the specification and names a wrong one', () => {
    writeReplayFile(file('spec'), generateWorkload({ seed: 1, count: 10 }));
    expect(replaySensorOf(`${file('spec')}?rate=50000&loops=3`).status().hooks[0]?.detail).toBe(
      '0 of 30 records, 50000 events/s',
    );
    expect(() => replaySensorOf(`${file('spec')}?rate=often`)).toThrow(/rate=often/);
    expect(() => replaySensorOf(`${file('spec')}?speed=2`)).toThrow(/speed is unknown/);
    expect(() => replaySensorOf(`${file('spec')}?loops=0`)).toThrow(/loops=0/);
  });
});

describe('generateWorkload', () => {
  it('is the same for the same seed, on any machine', () => {
    const hash = createHash('sha256');
    for (const { event, bootNs } of generateEvents({ seed: 42, count: 5000 })) {
      hash.update(
        `${bootNs}${JSON.stringify(event, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))}`,
      );
    }
    expect(hash.digest('hex')).toMatchInlineSnapshot(
      `"0cbfe942a0dada4295d276af6a55d65ffb038c39c417a4bc36f32b54c3819c19"`,
    );
  });

  it('makes consistent histories: nobody acts before its fork or after its exit, stamps grow', () => {
    const alive = new Set<string>();
    let last = 0n;
    let lifecycles = 0;
    for (const { event, bootNs } of generateEvents({ seed: 9, count: 50_000, pidMax: 3000 })) {
      const key = `${event.process?.pid}-${event.process?.startNs}`;
      expect(bootNs > last).toBe(true);
      last = bootNs;
      if (event.action === 'fork' || event.action === 'snapshot') {
        expect(alive.has(key)).toBe(false);
        alive.add(key);
      } else if (!alive.has(key)) expect.unreachable(`${event.action} of ${key}, which does not live`);
      if (event.action === 'exit') {
        alive.delete(key);
        lifecycles += 1;
      }
    }
    expect(lifecycles).toBeGreaterThan(3000);
  });

  it('round-trips through the codec', () => {
    let index = 0;
    const events = generateEvents({ seed: 5, count: 500 });
    for (const record of generateWorkload({ seed: 5, count: 500 })) {
      const want = events.next().value as { event: SentinelEvent; bootNs: bigint };
      const got = decodeRecord(record, 0, 0n);
      expect([index, got?.action, got?.lane, got?.process?.pid, got?.tsNs]).toEqual([
        index,
        want.event.action,
        want.event.lane,
        want.event.process?.pid,
        want.bootNs,
      ]);
      index += 1;
    }
  });
});
