/** Puts an observability lane over a real log under load, and checks its limits and its books all the while. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { ObservabilityLane } from '../../agent/lanes/observability.ts';
import type { Level } from '../../agent/lanes/shed-ledger.ts';
import { openWal } from '../../agent/wal/open.ts';
import { RecordType, Schema } from '../../agent/wal/types.ts';
import { newFolder, nowNs, readLog, report } from './validation-support.ts';

const LEVELS: readonly Level[] = [
  'debug',
  'info',
  'info',
  'info',
  'info',
  'info',
  'info',
  'info',
  'info',
  'warn',
];
const MIB = 1024 * 1024;

/** Offers `rate` records a second for `seconds`, watching the lane's limits all the while. */
export async function press(rate: number, seconds: number, slowDisk: boolean) {
  const dir = newFolder();
  // A log that takes little before its disk has moved stands for a disk that is too slow.
  const slow = slowDisk ? { maxPendingBytes: 256 * 1024, commitWindowMs: 1000 } : {};
  const { writer } = await openWal({ dir, lane: 'observability', deviceId: 'test', epoch: 1, ...slow });
  const maxBufferBytes = slowDisk ? 2 * MIB : 16 * MIB;
  let reported = 0;
  const lane = new ObservabilityLane(writer, {
    maxBufferBytes,
    onShed: (shed) => (reported += shed.count),
  });
  const offered = { debug: 0, info: 0, warn: 0, error: 0 };
  const payload = Buffer.alloc(200, 0x61);
  const states = new Set<string>();
  let peakBytes = 0;
  const started = performance.now();
  const cpu = process.cpuUsage();
  let id = 0;
  while (performance.now() - started < seconds * 1000) {
    const due = Math.floor(((performance.now() - started) / 1000) * rate);
    for (; id < due; id += 1) {
      const level = LEVELS[id % 10] ?? 'info';
      payload.writeUInt32LE(id, 0);
      payload[4] = level === 'warn' ? 1 : 0;
      offered[level] += 1;
      lane.offer({
        stream: 'load',
        level,
        tsNs: nowNs(),
        bytes: payload,
        type: RecordType.event,
        schema: Schema.jsonV1,
        cpu: 0,
      });
    }
    const { state, bufferedBytes } = lane.stats();
    states.add(state);
    peakBytes = Math.max(peakBytes, bufferedBytes);
    expect(bufferedBytes).toBeLessThanOrEqual(maxBufferBytes);
    await sleep(2);
  }
  const used = process.cpuUsage(cpu);
  while (lane.stats().bufferedRecords > 0) {
    lane.flush();
    await sleep(10);
  }
  lane.close();
  await writer.close();
  const stats = lane.stats();
  const kept = readLog(dir).filter((record) => record.type === RecordType.event);
  expect(stats.offered).toBe(id);
  expect(kept.length).toBe(stats.written);
  expect(stats.written + stats.droppedTotal).toBe(id);
  expect(reported).toBe(stats.droppedTotal);
  expect(kept.filter((record) => record.payload[4] === 1).length).toBe(offered.warn);
  expect(new Set(kept.map((record) => record.payload.readUInt32LE(0))).size).toBe(kept.length);
  report(
    `backpressure: ${id} records at ${rate}/s${slowDisk ? ' on a slow disk' : ''}: ${stats.written} written, ` +
      `${stats.droppedTotal} shed and stated, peak ${(peakBytes / MIB).toFixed(1)} MiB, ` +
      `${((used.user + used.system) / Math.max(1, id)).toFixed(2)} us of CPU each, states ${[...states].join(' ')}`,
  );
  return { stats, states };
}
