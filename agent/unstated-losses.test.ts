import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gapToJson } from './event-json.ts';
import type { GapInfo } from './event.ts';
import { UnstatedLosses } from './unstated-losses.ts';
import { RecordType, Schema, type WalRecord } from './wal/types.ts';

const MS = 1_000_000n;
const START = 1_800_000_000_000n * MS;

function record(type: number, wallNs: bigint, payload: Buffer): WalRecord {
  return { seq: 1, type, schema: Schema.jsonV1, flags: 0, cpu: 0, wallNs, payload };
}
function sensor(cpu: number, n: number, wallNs: bigint, ring = 0): WalRecord {
  const payload = Buffer.alloc(64);
  payload.writeBigUInt64LE((BigInt(cpu) << 48n) | (BigInt(ring) << 40n) | BigInt(n), 16);
  return record(RecordType.sensor, wallNs, payload);
}
function gap(cpu: number, count: number, fromNs: bigint, toNs: bigint): WalRecord {
  const info: GapInfo = { lane: 'security', cause: 'ring_full', hook: 'exec', cpu, count, fromNs, toNs };
  return record(RecordType.gap, toNs + 150n * MS, Buffer.from(JSON.stringify(gapToJson(info))));
}
function found(records: WalRecord[]): { cpu: number | undefined; count: number | undefined }[] {
  const losses = new UnstatedLosses();
  for (const one of records) losses.add(one);
  return losses.gaps().map(({ cpu, count }) => ({ cpu, count }));
}
const at = (ms: number): bigint => START + BigInt(ms) * MS;

describe('losses that the last run did not state', () => {
  it('are the holes in the numbers of each CPU', () => {
    const records = [sensor(0, 10, at(0)), sensor(1, 4, at(1)), sensor(0, 15, at(2)), sensor(1, 5, at(3))];
    expect(found(records)).toEqual([{ cpu: 0, count: 4 }]);
    expect(found([sensor(0, 1, at(0)), sensor(0, 2, at(1)), sensor(0, 0, at(1))])).toEqual([]);
  });

  it('are none when the gap record is there, before or after the record that shows the hole', () => {
    const [a, b] = [sensor(0, 10, at(0)), sensor(0, 15, at(200))];
    expect(found([a, b, gap(0, 4, at(0), at(5))])).toEqual([]);
    expect(found([a, gap(0, 4, at(0), at(5)), b])).toEqual([]);
    expect(found([a, gap(1, 4, at(0), at(5)), b])).toEqual([{ cpu: 0, count: 4 }]);
    expect(found([a, gap(0, 3, at(0), at(5)), b])).toEqual([{ cpu: 0, count: 1 }]);
  });

  it('are not excused by a gap about an earlier time', () => {
    const records = [sensor(0, 10, at(500)), gap(0, 4, at(0), at(300)), sensor(0, 15, at(600))];
    expect(found(records)).toEqual([{ cpu: 0, count: 4 }]);
  });

  it('survive a run that ended before it stated them, and end with one that did', () => {
    const lost = [sensor(0, 10, at(0)), sensor(0, 15, at(2))];
    const epoch = record(RecordType.epoch, at(5), Buffer.from('{}'));
    expect(found([...lost, epoch, sensor(0, 1, at(6))])).toEqual([{ cpu: 0, count: 4 }]);
    const losses = new UnstatedLosses();
    for (const one of [...lost, epoch]) losses.add(one);
    losses.beginWatch();
    expect(losses.gaps()).toEqual([]);
  });

  it('ignore the other ring, records out of order and a count that starts again', () => {
    expect(found([sensor(0, 1, at(0), 1), sensor(0, 9, at(1), 1)])).toEqual([]);
    expect(found([sensor(0, 1, at(0)), sensor(0, 3, at(1)), sensor(0, 2, at(1))])).toEqual([]);
    expect(found([sensor(0, 5000, at(0)), sensor(0, 1, at(1)), sensor(0, 2, at(2))])).toEqual([]);
  });

  // A kernel that loses at random and an agent that polls its counters each 125 ms, killed at a random moment.
  it('are exactly what a model of kernel and agent lost, and neither stated nor cut off', () => {
    const step = fc.record({
      cpu: fc.nat(2),
      lost: fc.nat({ max: 3 }),
      after: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 120 }), (steps) => {
        const log: WalRecord[] = [];
        const next = [1, 1, 1];
        const seen = [false, false, false];
        // Since the last poll, and not yet followed by a record of the CPU.
        const unpolled = [0, 0, 0];
        const open = [0, 0, 0];
        const hidden = [0, 0, 0];
        const lastLoss = [0, 0, 0];
        let now = 0;
        let polled = 0;
        for (const { cpu, lost, after } of steps) {
          now += after;
          if (now - polled > 125) {
            for (let id = 0; id < 3; id++) {
              if (unpolled[id])
                log.push(gap(id, unpolled[id] as number, at(polled), at(lastLoss[id] as number)));
              unpolled[id] = open[id] = hidden[id] = 0;
            }
            polled = now;
          }
          // The first record of a CPU comes before its first loss: the tail begins somewhere.
          if (lost > 1 && seen[cpu]) {
            next[cpu] = (next[cpu] as number) + lost;
            unpolled[cpu] = (unpolled[cpu] as number) + lost;
            hidden[cpu] = (hidden[cpu] as number) + lost;
            lastLoss[cpu] = now;
            continue;
          }
          seen[cpu] = true;
          open[cpu] = (open[cpu] as number) + (hidden[cpu] as number);
          hidden[cpu] = 0;
          log.push(sensor(cpu, next[cpu] as number, at(now) + 2n * MS));
          next[cpu] = (next[cpu] as number) + 1;
        }
        const expected = open.flatMap((count, cpu) => (count > 0 ? [{ cpu, count }] : []));
        expect(found(log).toSorted((a, b) => (a.cpu ?? 0) - (b.cpu ?? 0))).toEqual(expected);
      }),
      { numRuns: 400 },
    );
  });
});
