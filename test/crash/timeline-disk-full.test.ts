/** The timeline on a disk that is really full: it says so, loses nothing of the logs, and catches up by itself. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordLane } from '../../agent/sensors/decode.ts';
import { generateWorkload } from '../../agent/sensors/workload.ts';
import { TimelineEngine } from '../../agent/timeline-engine.ts';
import type { TimelineTrouble } from '../../agent/timeline-messages.ts';
import { openWal } from '../../agent/wal/open.ts';
import { RecordType, Schema, type WalRecordInput } from '../../agent/wal/types.ts';

const RECORDS = 20_000;
const EVERYTHING = { security: Number.MAX_SAFE_INTEGER, observability: Number.MAX_SAFE_INTEGER };
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('the timeline on a full disk is not tested: mounting a tmpfs needs root');

/** The logs lie outside of the data folder that fills up, as the record is what has to be complete. */
async function writeLogs(folder: string): Promise<void> {
  const lanes = { security: [] as WalRecordInput[], observability: [] as WalRecordInput[] };
  let wallNs = 1_795_000_000_000_000_000n;
  for (const payload of generateWorkload({ seed: 5, count: RECORDS, eventsPerSecond: 1000 })) {
    wallNs += 1_000_000n;
    const record = {
      type: RecordType.sensor,
      schema: Schema.sensorV1,
      wallNs,
      payload: Buffer.from(payload),
    };
    lanes[recordLane(payload, 0)].push(record);
  }
  for (const lane of ['security', 'observability'] as const) {
    const dir = join(folder, lane);
    mkdirSync(dir, { recursive: true });
    const { writer } = await openWal({ dir, lane, deviceId: 'd', epoch: 1, prefer: 'js', minFreeBytes: 0 });
    for (let at = 0; at < lanes[lane].length; at += 500) {
      await writer.whenDurable(writer.append(lanes[lane].slice(at, at + 500), true));
    }
    await writer.close();
  }
}

describe.skipIf(!isRoot)('timeline on a full disk (skipped: needs root to mount a tmpfs)', () => {
  let folder: string;
  let dataDir: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'timeline-full-'));
    dataDir = join(folder, 'data');
    mkdirSync(dataDir);
  });
  afterEach(() => {
    for (const mount of [join(dataDir, 'wal'), dataDir]) spawnSync('umount', [mount]);
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (...command: string[]): number | null => spawnSync(command[0] ?? '', command.slice(1)).status;

  it('says what is wrong, answers with what it has, and takes everything once there is room', async () => {
    const logs = join(folder, 'logs');
    await writeLogs(logs);
    if (run('mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', dataDir) !== 0) {
      console.warn('the timeline on a full disk is not tested: tmpfs cannot be mounted here');
      return;
    }
    mkdirSync(join(dataDir, 'wal'));
    expect(run('mount', '--bind', logs, join(dataDir, 'wal'))).toBe(0);
    const troubles: (TimelineTrouble | undefined)[] = [];
    const engine = new TimelineEngine({
      dataDir,
      processCache: 4096,
      onTrouble: (trouble) => troubles.push(trouble),
    });
    let stored = 0;
    for (let attempts = 0; attempts < 3; attempts += 1) {
      for (let taken = engine.step(EVERYTHING); taken > 0; taken = engine.step(EVERYTHING)) stored += taken;
      expect(engine.troubled).toBe(true);
    }
    expect(stored).toBeLessThan(RECORDS);
    expect(troubles).toEqual([
      { what: expect.stringMatching(/disk is full/), remedy: expect.stringMatching(/free some disk space/) },
    ]);
    expect(engine.answer(({ timeline }) => timeline.counts().events)).toBeLessThanOrEqual(stored);

    expect(run('mount', '-o', 'remount,size=200m', dataDir)).toBe(0);
    while (engine.step(EVERYTHING) > 0);
    expect(engine.troubled).toBe(false);
    expect(troubles.at(-1)).toBeUndefined();
    engine.answer(({ timeline }) => {
      expect(timeline.counts().events).toBe(RECORDS);
      expect(timeline.integrityCheck()).toEqual([]);
    });
    engine.close();
  });
});
