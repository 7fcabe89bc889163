import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openWal } from './wal/open.ts';
import { RecordType, Schema, type WalRecordInput, type WalRecovered } from './wal/types.ts';
import { endOfWatch, watchRecord } from './watched-until.ts';

const SECOND = 1_000_000_000n;
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const epoch = (wallNs: bigint): WalRecordInput => ({
  type: RecordType.epoch,
  schema: Schema.jsonV1,
  wallNs,
  payload: Buffer.from('{}'),
});
const sensor = (wallNs: bigint): WalRecordInput => ({
  type: RecordType.sensor,
  schema: Schema.sensorV1,
  wallNs,
  payload: Buffer.alloc(64),
});

/** What is concluded from a log of these records whose last commit was at `lastWallNs`. */
async function concluded(lastWallNs: bigint, records: WalRecordInput[]): Promise<bigint> {
  const dir = mkdtempSync(join(tmpdir(), 'sentinel-watched-'));
  folders.push(dir);
  const { writer } = await openWal({ dir, lane: 'security', deviceId: 'test', epoch: 1 });
  writer.append(records, true);
  await writer.close();
  return endOfWatch(dir, { lastSeq: records.length, lastWallNs } as WalRecovered).untilNs;
}

describe('the end of the last watch', () => {
  const t = 1_800_000_000n * SECOND;
  const run = [epoch(t), watchRecord('watch_begin', t)];

  it('is the last sensor record of a run that was killed while busy', async () => {
    expect(
      await concluded(t + 5n * SECOND, [...run, sensor(t + 4n * SECOND), sensor(t + 4n * SECOND + 9n)]),
    ).toBe(t + 4n * SECOND + 9n);
  });

  it('is just before the last commit of a run that was killed at rest', async () => {
    expect(await concluded(t + 60n * SECOND, [...run, sensor(t + SECOND)])).toBe(
      t + 60n * SECOND - 10_000_000n,
    );
  });

  it('is what a run said that was stopped, although commits went on', async () => {
    const end = watchRecord('watch_end', t + 3n * SECOND);
    expect(await concluded(t + 4n * SECOND, [...run, sensor(t + 2n * SECOND), end])).toBe(t + 3n * SECOND);
  });

  it('is that of the run before when the last one was killed before it watched', async () => {
    const dead = [epoch(t + 10n * SECOND), sensor(t + 11n * SECOND)];
    expect(await concluded(t + 12n * SECOND, [...run, sensor(t + 2n * SECOND), ...dead])).toBe(
      t + 2n * SECOND,
    );
    const end = watchRecord('watch_end', t + 3n * SECOND);
    expect(await concluded(t + 22n * SECOND, [...run, end, ...dead, epoch(t + 20n * SECOND)])).toBe(
      t + 3n * SECOND,
    );
  });

  it('does not exist when no run ever watched', async () => {
    expect(await concluded(t + SECOND, [epoch(t)])).toBe(0n);
  });
});
