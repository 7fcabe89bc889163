/** An agent is killed in the middle of 1,000 decisions, again and again: none that was released as recorded is lost. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readDecision, readPolicyText } from '../../agent/audit/decision.ts';
import { walPositionOf } from '../../agent/event.ts';
import { readAll, removeTemporaryFolders, temporaryFolder } from '../../agent/wal/testing.ts';
import { RecordType } from '../../agent/wal/types.ts';
import { decisionAbout, POLICY_TEXT } from './evidence-fixture.ts';
import { seeded } from './power-loss.ts';

const DECISIONS = 1000;
/** Most that a run may decide beyond what it is killed after, where this process is slow to see and to kill. */
const MOST_BEYOND = 60;
const child = join(import.meta.dirname, 'decision-process.ts');
afterAll(removeTemporaryFolders);

/** Decisions told by one run that is killed after `acknowledged` of them, by number with the place of their record. */
function run(dir: string, epoch: number, from: number, acknowledged: number): Promise<Map<number, number>> {
  const count = Math.min(DECISIONS - from, acknowledged + MOST_BEYOND);
  return new Promise((resolve, reject) => {
    const args = [child, dir, String(epoch), String(from), String(count)];
    const decider = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const told = new Map<number, number>();
    let rest = Buffer.alloc(0);
    decider.stdout.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      for (; rest.length >= 16; rest = rest.subarray(16))
        told.set(Number(rest.readBigUInt64LE(0)), Number(rest.readBigUInt64LE(8)));
      if (told.size >= acknowledged) decider.kill('SIGKILL');
    });
    decider.on('error', reject);
    decider.on('close', () => resolve(told));
  });
}

describe('1,000 decisions with kills among them', () => {
  it('keep every one that was acknowledged, whole, in its place, after the text of its policy', async () => {
    const dir = temporaryFolder();
    const told = new Map<number, number>();
    const random = seeded(41);
    let kills = 0;
    for (let from = 0; from < DECISIONS; kills += 1) {
      const run1 = await run(dir, kills + 1, from, 20 + Math.floor(random() * 200));
      expect(run1.size, 'a run that decided nothing').toBeGreaterThan(0);
      for (const [number, seq] of run1) told.set(number, seq);
      from = Math.max(...told.keys()) + 1;
    }
    expect(kills).toBeGreaterThan(3);
    const { records, reader } = readAll(dir);
    expect(reader.takeGaps()).toEqual([]);
    const bySeq = new Map(records.map((record) => [record.seq, record]));
    let lost = 0;
    for (const [number, seq] of told) {
      const record = bySeq.get(seq);
      if (record?.type !== RecordType.decision) {
        lost += 1;
        continue;
      }
      const decision = readDecision(record.payload);
      expect(decision).toEqual(decisionAbout(decision.eventId, number));
      expect(record.wallNs).toBe(BigInt(number));
      const event = bySeq.get(walPositionOf(decision.eventId).seq);
      expect(event?.payload.toString()).toBe(`event ${number}`);
    }
    expect(lost).toBe(0);
    expect(told.size).toBeGreaterThan(DECISIONS / 2);
    const first = records.find(({ type }) => type === RecordType.policy || type === RecordType.decision);
    expect(first && readPolicyText(first.payload)?.text).toBe(POLICY_TEXT);
  });
});
