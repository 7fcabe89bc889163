/**
 * A process that decides without end, for evidence-decisions.test.ts: `decision-process.ts DIR EPOCH FROM COUNT`. Tells the
 * number of each decision once it is released with its record durable.
 */
import { writeSync } from 'node:fs';
import { LogDecisionRecorder } from '../../agent/decision-recorder.ts';
import { eventIdOf } from '../../agent/event.ts';
import { SecurityLane } from '../../agent/lanes/security.ts';
import type { Decision } from '../../agent/policy/types.ts';
import { openWal } from '../../agent/wal/open.ts';
import { smallWal, textRecord } from '../../agent/wal/testing.ts';
import { decisionAbout, POLICY_TEXT } from './evidence-fixture.ts';

const [dir = '', epoch, from, count] = process.argv.slice(2);
const { writer } = await openWal({ ...smallWal(dir, { epoch: Number(epoch) }), segmentBytes: 1024 * 1024 });
// Past any wait for a slow disk: each decision is released after its record.
const lane = new SecurityLane(writer, { onAlarm: () => {}, onGap: () => {}, deadlineMs: 60_000 });
const recorder = new LogDecisionRecorder(lane, () => POLICY_TEXT);

const end = Number(from) + Number(count);
for (let number = Number(from); number < end; number += 1) {
  const eventSeq = lane.append([textRecord(`event ${number}`)], false);
  const decision = {
    ...decisionAbout(eventIdOf('security', eventSeq), number),
    tsNs: BigInt(number),
  } as Decision;
  const seq = recorder.append(decision);
  lane.release(
    seq,
    ({ aheadOfRecord }, told) => {
      const bytes = Buffer.alloc(16);
      bytes.writeBigUInt64LE(BigInt(told.number), 0);
      bytes.writeBigUInt64LE(BigInt(told.seq), 8);
      if (!aheadOfRecord) writeSync(1, bytes);
    },
    { number, seq },
  );
  if (number % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
}
await writer.close();
lane.close();
