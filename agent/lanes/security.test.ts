import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecordFlag, RecordType, Schema, type WalRecordInput, type WalWriter } from '../wal/types.ts';
import type { LaneClock } from './clock.ts';
import { ManualClock } from './observability.harness.ts';
import { type ReleaseOutcome, SecurityLane, SyntheticRecordError, type UnrecordedGap } from './security.ts';

class FakeLog implements Pick<WalWriter, 'append' | 'onDurable' | 'durableSeq'> {
  durableSeq = 0;
  lastSeq = 0;
  failed = false;
  private listener: (durableSeq: number) => void = () => {};

  append(records: readonly WalRecordInput[]): number {
    if (this.failed) throw new Error('the log has failed');
    const first = this.lastSeq + 1;
    this.lastSeq += records.length;
    return first;
  }

  onDurable(listener: (durableSeq: number) => void): () => void {
    this.listener = listener;
    return () => {
      this.listener = () => {};
    };
  }

  flush(upTo: number): void {
    this.durableSeq = Math.max(this.durableSeq, Math.min(upTo, this.lastSeq));
    this.listener(this.durableSeq);
  }
}

function record(wallNs = 1n, flags = 0): WalRecordInput {
  return { type: RecordType.sensor, schema: Schema.sensorV1, wallNs, flags, payload: Buffer.from('x') };
}

function setUp(deadlineMs = 8) {
  const clock = new ManualClock();
  const log = new FakeLog();
  const alarms: string[] = [];
  const gaps: UnrecordedGap[] = [];
  const lane = new SecurityLane(log as unknown as WalWriter, {
    deadlineMs,
    clock,
    onAlarm: (error) => alarms.push(error.message),
    onGap: (gap) => gaps.push(gap),
  });
  const outcomes = new Map<number, ReleaseOutcome & { atMs: number }>();
  const release = (seq: number, id = seq): void =>
    lane.release(
      seq,
      (outcome, token) => {
        if (outcomes.has(token)) throw new Error('called back twice');
        outcomes.set(token, { ...outcome, atMs: clock.mono });
      },
      id,
    );
  return { clock, log, lane, alarms, gaps, outcomes, release };
}

describe('security lane', () => {
  it('releases when the record is durable, with the time it waited', () => {
    const { clock, log, lane, outcomes, release } = setUp();
    release(lane.append([record()], true));
    expect(outcomes.size).toBe(0);
    clock.advance(0.25);
    log.flush(1);
    expect(outcomes.get(1)).toMatchObject({ aheadOfRecord: false, waitedUs: 250 });
    release(1, 99);
    expect(outcomes.get(99)).toMatchObject({ aheadOfRecord: false, waitedUs: 0 });
    clock.advance(100);
    expect(lane.stats()).toMatchObject({ released: 2, aheadOfRecord: 0, pending: 0 });
  });

  it('releases at the deadline when the disk is slow, and says that it ran ahead', () => {
    const { clock, log, lane, outcomes, release } = setUp();
    release(lane.append([record()], true));
    clock.advance(5);
    release(lane.append([record()], true));
    clock.advance(2.99);
    expect(outcomes.size).toBe(0);
    clock.advance(0.01);
    expect(outcomes.get(1)).toMatchObject({ aheadOfRecord: true, waitedUs: 8000 });
    expect(outcomes.has(2)).toBe(false);
    clock.advance(1);
    log.flush(2);
    expect(outcomes.get(2)).toMatchObject({ aheadOfRecord: false, waitedUs: 4000 });
    expect(lane.stats().aheadOfRecord).toBe(1);
  });

  it('keeps the deadline with timers that come up to two milliseconds late or one early', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            afterMs: fc.double({ min: 0, max: 9, noNaN: true }),
            offMs: fc.double({ min: -1, max: 2, noNaN: true }),
          }),
          { minLength: 1, maxLength: 40 },
        ),
        (steps) => {
          const manual = new ManualClock();
          let offMs = 0;
          const clock: LaneClock = {
            toleranceMs: 2,
            wallMs: () => manual.wallMs(),
            monoMs: () => manual.monoMs(),
            after: (delayMs, callback) => manual.after(Math.max(0, delayMs + offMs), callback),
          };
          const lane = new SecurityLane(new FakeLog() as unknown as WalWriter, {
            clock,
            onAlarm: () => {},
            onGap: () => {},
          });
          const waits: number[] = [];
          for (const [index, step] of steps.entries()) {
            offMs = step.offMs;
            lane.release(index + 1, ({ waitedUs }) => waits.push(waitedUs), undefined);
            manual.advance(step.afterMs);
          }
          manual.advance(20);
          expect(waits).toHaveLength(steps.length);
          expect(Math.max(...waits)).toBeLessThanOrEqual(8000.001);
          expect(Math.min(...waits)).toBeGreaterThanOrEqual(4999.999);
        },
      ),
    );
  });

  it('counts what a failed log refused, alarms once and hands the gap over when a log takes records again', () => {
    const { log, lane, alarms, gaps, outcomes, release } = setUp();
    log.failed = true;
    for (let i = 0; i < 1000; i += 1) expect(lane.append([record(BigInt(5000 + i))], true)).toBe(0);
    lane.countUnrecorded(3, 4000n, 4500n);
    release(0);
    expect(outcomes.get(0)).toMatchObject({ aheadOfRecord: true, waitedUs: 0 });
    expect(alarms).toEqual(['the log has failed']);
    expect(gaps).toEqual([]);
    const next = new FakeLog();
    lane.resume(next as unknown as WalWriter);
    expect(lane.append([record(9000n)], true)).toBe(1);
    expect(gaps).toEqual([{ cause: 'wal_failed', count: 1003, fromNs: 4000n, toNs: 5999n }]);
    lane.append([record(9001n)], true);
    expect(gaps).toHaveLength(1);
    expect(lane.stats()).toMatchObject({ appended: 2, unrecorded: 1003, failed: false });
  });

  it('refuses imputed records', () => {
    const { log, lane } = setUp();
    expect(() => lane.append([record(1n, RecordFlag.synthetic)], false)).toThrow(SyntheticRecordError);
    expect(log.lastSeq).toBe(0);
  });

  it('releases everything once, durable or at the deadline, in any order of sequence numbers', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('append' as const), back: fc.integer({ min: 0, max: 3 }) }),
      fc.record({ kind: fc.constant('flush' as const), ahead: fc.integer({ min: 0, max: 5 }) }),
      fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 5 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
        const { clock, log, lane, outcomes, release } = setUp();
        const asked: { seq: number; atMs: number }[] = [];
        for (const action of steps) {
          if (action.kind === 'append') {
            lane.append([record()], false);
            const seq = Math.max(1, log.lastSeq - action.back);
            asked.push({ seq, atMs: clock.mono });
            release(seq, asked.length - 1);
          } else if (action.kind === 'flush') log.flush(log.durableSeq + action.ahead);
          else clock.advance(action.ms);
          for (const [id, { seq, atMs }] of asked.entries()) {
            const due = seq <= log.durableSeq || clock.mono - atMs >= 8;
            if (outcomes.has(id) !== due) throw new Error(`release ${id} came ${due ? 'late' : 'early'}`);
          }
        }
        lane.close();
        expect(outcomes.size).toBe(asked.length);
        for (const [id, { atMs }] of asked.entries()) {
          const outcome = outcomes.get(id);
          expect(outcome?.waitedUs).toBe(((outcome?.atMs ?? 0) - atMs) * 1000);
        }
        const ahead = [...outcomes.values()].filter((outcome) => outcome.aheadOfRecord).length;
        expect(lane.stats()).toMatchObject({ released: asked.length, pending: 0, aheadOfRecord: ahead });
      }),
      { numRuns: 100 },
    );
  });
});
