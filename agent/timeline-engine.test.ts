import { spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dataPaths } from './data-dir.ts';
import { eventIdOf, LANES, type Lane } from './event.ts';
import { recordLane } from './sensors/decode.ts';
import { generateWorkload } from './sensors/workload.ts';
import { openTimeline, type Timeline } from './store/timeline.ts';
import { parseQuery } from './store/query-parser.ts';
import { TimelineEngine } from './timeline-engine.ts';
import type { TimelineTrouble } from './timeline-messages.ts';
import { openWal } from './wal/open.ts';
import { openWalReader } from './wal/reader.ts';
import { RecordType, Schema, type WalRecordInput } from './wal/types.ts';

const EVERYTHING = { security: Number.MAX_SAFE_INTEGER, observability: Number.MAX_SAFE_INTEGER };
let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'timeline-engine-'));
});
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
});

/** Appends made-up sensor records to both logs, and ends the writers. */
async function writeLogs(count: number): Promise<void> {
  const paths = dataPaths(dataDir);
  const records: Record<Lane, WalRecordInput[]> = { security: [], observability: [] };
  let wallNs = 1_795_000_000_000_000_000n;
  for (const payload of generateWorkload({ seed: 3, count, eventsPerSecond: 1000 })) {
    wallNs += 1_000_000n;
    const record = {
      type: RecordType.sensor,
      schema: Schema.sensorV1,
      wallNs,
      payload: Buffer.from(payload),
    };
    records[recordLane(payload, 0)].push(record);
  }
  for (const lane of LANES) {
    const dir = lane === 'security' ? paths.securityLog : paths.observabilityLog;
    mkdirSync(dir, { recursive: true });
    const { writer } = await openWal({ dir, lane, deviceId: 'd', epoch: 1, prefer: 'js', minFreeBytes: 0 });
    for (let at = 0; at < records[lane].length; at += 500) {
      await writer.whenDurable(writer.append(records[lane].slice(at, at + 500), true));
    }
    await writer.close();
  }
}

/** Event ids of the sensor records that the logs hold. */
function recorded(): number[] {
  const paths = dataPaths(dataDir);
  return LANES.flatMap((lane) => {
    const ids: number[] = [];
    const reader = openWalReader(lane === 'security' ? paths.securityLog : paths.observabilityLog, {
      fromSeq: 1,
    });
    for (let batch = reader.readBatch(1 << 20); batch.length > 0; batch = reader.readBatch(1 << 20)) {
      for (const { type, seq } of batch) if (type === RecordType.sensor) ids.push(eventIdOf(lane, seq));
    }
    reader.close();
    return ids;
  }).toSorted((a, b) => a - b);
}

function storedIn(timeline: Timeline): number[] {
  const ids: number[] = [];
  let before: string | undefined;
  do {
    const page = timeline.query(parseQuery(''), { limit: 5000, before });
    ids.push(...page.events.map(({ eventId }) => eventId));
    before = page.older;
  } while (before !== undefined);
  return ids.toSorted((a, b) => a - b);
}

function engineWith(troubles: (TimelineTrouble | undefined)[]): TimelineEngine {
  return new TimelineEngine({ dataDir, processCache: 1000, onTrouble: (trouble) => troubles.push(trouble) });
}

/** Steps until caught up; a step that met trouble is followed by another one. */
function catchUp(engine: TimelineEngine): void {
  for (let attempts = 0; attempts < 3; attempts += 1) {
    while (engine.step(EVERYTHING) > 0);
    if (!engine.troubled) return;
  }
}

/** Ingests until it is killed, in steps of its own and no more of them than it is told. */
const INGEST = `
import { TimelineEngine } from ${JSON.stringify(join(import.meta.dirname, 'timeline-engine.ts'))};
const engine = new TimelineEngine({ dataDir: process.argv[2], processCache: 1000 });
const everything = { security: Number.MAX_SAFE_INTEGER, observability: Number.MAX_SAFE_INTEGER };
process.stdout.write('ready\\n');
let left = Number(process.argv[3]);
const next = () => setTimeout(() => {
  if (left-- <= 0) return;
  if (engine.step(everything) > 0) next(); else process.stdout.write('done\\n');
}, 3);
next();
setInterval(() => {}, 1000);
`;

describe('timeline engine', () => {
  it('neither loses nor doubles an event of the logs when it is killed again and again', async () => {
    await writeLogs(30_000);
    const script = join(dataDir, 'ingest.mts');
    writeFileSync(script, INGEST);
    let kills = 0;
    const state = { done: false };
    while (!state.done && kills < 6) {
      kills += 1;
      // The first cannot come to the end, however late it is killed.
      const steps = kills === 1 ? 3 : 1e9;
      const child = spawn(process.execPath, [script, dataDir, `${steps}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = new Promise((resolve) => child.once('exit', resolve));
      const ready = new Promise((resolve) => child.stdout.once('data', resolve));
      child.stdout.on('data', (text: Buffer) => {
        state.done ||= text.includes('done');
      });
      await Promise.race([ready, exited]);
      await sleep(10 + (kills % 5) * 20);
      child.kill('SIGKILL');
      await exited;
      // What is there now is a part of the log, each event once.
      const timeline = openTimeline(dataPaths(dataDir).timeline);
      const ids = storedIn(timeline);
      expect(new Set(ids).size).toBe(ids.length);
      timeline.close();
    }
    expect(kills).toBeGreaterThan(1);
    const engine = engineWith([]);
    catchUp(engine);
    const expected = recorded();
    expect(expected.length).toBe(30_000);
    engine.answer(({ timeline }) => {
      expect(storedIn(timeline)).toEqual(expected);
      expect(timeline.integrityCheck()).toEqual([]);
    });
    engine.close();
  }, 120_000);

  it('says why it cannot store, keeps what it read, and goes on when it can', async () => {
    await writeLogs(20_000);
    const troubles: (TimelineTrouble | undefined)[] = [];
    const engine = engineWith(troubles);
    engine.step(EVERYTHING);
    // Another process holds the write lock: the write fails after its wait as it would on a full disk.
    const other = new DatabaseSync(dataPaths(dataDir).timeline);
    other.exec('BEGIN IMMEDIATE');
    expect(engine.step(EVERYTHING)).toBe(0);
    expect(engine.troubled).toBe(true);
    expect(troubles).toEqual([
      {
        what: expect.stringMatching(/cannot write the timeline/),
        remedy: expect.stringMatching(/disk space/),
      },
    ]);
    other.exec('ROLLBACK');
    other.close();
    catchUp(engine);
    expect(troubles.at(-1)).toBeUndefined();
    expect(engine.answer(({ timeline }) => storedIn(timeline))).toEqual(recorded());
    engine.close();
  });

  it('sets a file that is damaged while in use aside, says so, and makes it again from the logs', async () => {
    await writeLogs(20_000);
    const troubles: (TimelineTrouble | undefined)[] = [];
    const engine = engineWith(troubles);
    for (let steps = 0; steps < 2; steps += 1) engine.step(EVERYTHING);
    const { timeline: path } = dataPaths(dataDir);
    // A change by somebody else makes the engine read from the file again.
    const other = new DatabaseSync(path);
    other.exec("INSERT INTO meta VALUES ('other', 1)");
    for (const file of [path, `${path}-wal`]) {
      const fd = openSync(file, 'r+');
      writeSync(fd, Buffer.alloc(statSync(file).size, 0x5a));
      closeSync(fd);
    }
    other.close();
    let answered: number[] = [];
    for (let attempts = 0; attempts < 5 && answered.length < 20_000; attempts += 1) {
      catchUp(engine);
      answered = engine.answer(({ timeline }) => storedIn(timeline));
    }
    expect(answered).toEqual(recorded());
    expect(troubles.find((trouble) => trouble !== undefined)?.what).toMatch(
      /damaged.*made again from the logs/,
    );
    expect(troubles.at(-1)).toBeUndefined();
    expect(readdirSync(dataDir).some((name) => name.startsWith('timeline.db.damaged-'))).toBe(true);
    engine.close();
  });

  it('spans a histogram over what the query says of time, within what there is', async () => {
    await writeLogs(2000);
    const engine = engineWith([]);
    catchUp(engine);
    const span = (query: string): { fromNs: string; toNs: string; total: number } => {
      const text = engine.queries().answer('events.histogram', { query, buckets: 10 });
      const { fromNs, toNs, buckets } = JSON.parse(text) as Record<'fromNs' | 'toNs', string> & {
        buckets: Record<string, number>[];
      };
      const total = buckets.flatMap((bucket) => Object.values(bucket)).reduce((sum, n) => sum + n, 0);
      return { fromNs, toNs, total };
    };
    const all = span('');
    const [from, to] = [BigInt(all.fromNs) + 500_000_000n, BigInt(all.fromNs) + 900_000_000n];
    const part = span(`since:${from} until:${to}`);
    expect(part.fromNs).toBe(String(from));
    expect(part.toNs).toBe(String(to + 1n));
    expect(part.total).toBeGreaterThan(0);
    expect(part.total).toBeLessThan(all.total);
    expect(span('since:1000000000').fromNs).toBe(all.fromNs);
    engine.close();
  });
});
