import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDecision, readPolicyText } from './audit/decision.ts';
import { dataPaths } from './data-dir.ts';
import { LogDecisionRecorder } from './decision-recorder.ts';
import { eventIdOf } from './event.ts';
import { SecurityLane } from './lanes/security.ts';
import type { Decision } from './policy/types.ts';
import { recordLane } from './sensors/decode.ts';
import { generateWorkload } from './sensors/workload.ts';
import { parseQuery } from './store/query-parser.ts';
import { openTimeline } from './store/timeline.ts';
import { TimelineFeed } from './timeline-feed.ts';
import { openWal } from './wal/open.ts';
import { openWalReader } from './wal/reader.ts';
import { RecordType, Schema } from './wal/types.ts';

const NOW = 1_795_000_000_000_000_000n;
let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sentinel-decisions-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function decision(eventId: number, more: Partial<Decision> = {}): Decision {
  return {
    decisionId: '00112233445566778899aabbccddeeff',
    policyId: 'no-tmp-exec',
    policyVersion: 3,
    policyHash: 'ab'.repeat(32),
    policyTitle: 'Programs in /tmp',
    policyState: 'active',
    severity: 'high',
    eventId,
    evidence: [String(eventId), 'rule:r-1'],
    action: 'deny_exec',
    wouldBe: false,
    guardian: 'agent',
    effect: { state: 'applied', mechanism: 'pidfd_sigkill', guarantee: 'killed after start' },
    rationale: {
      clauses: [
        {
          text: 'process.executable.startsWith("/tmp/")',
          value: `/tmp/${'x'.repeat(2000)}`,
          result: 'true',
        },
      ],
      nearMisses: [],
    },
    latencyNs: { eventToDecision: 120_000, decisionToEffect: 4000 },
    aheadOfRecord: false,
    tsNs: NOW,
    ...more,
  };
}

/** One sensor record, then what `append` puts behind it. */
async function written(
  append: (recorder: LogDecisionRecorder, eventId: number) => void,
): Promise<{ records: { type: number; payload: Buffer }[]; eventId: number }> {
  const dir = dataPaths(dataDir).securityLog;
  mkdirSync(dir, { recursive: true });
  const { writer } = await openWal({
    dir,
    lane: 'security',
    deviceId: 'd',
    epoch: 1,
    prefer: 'js',
    minFreeBytes: 0,
  });
  const lane = new SecurityLane(writer, { onAlarm: () => {}, onGap: () => {} });
  let payload: Buffer | undefined;
  for (const one of generateWorkload({ seed: 5, count: 50, eventsPerSecond: 1000 }))
    if (recordLane(one, 0) === 'security') payload = Buffer.from(one);
  if (!payload) throw new Error('the workload has no record of the security lane');
  const seq = lane.append([{ type: RecordType.sensor, schema: Schema.sensorV1, wallNs: NOW, payload }], true);
  const eventId = eventIdOf('security', seq);
  append(
    new LogDecisionRecorder(lane, (hash) => (hash === 'ab'.repeat(32) ? 'id: no-tmp-exec' : undefined)),
    eventId,
  );
  lane.close();
  await writer.close();
  const reader = openWalReader(dir, { fromSeq: 1 });
  const records = reader.readBatch(1 << 20);
  reader.close();
  return { records, eventId };
}

describe('decisions', () => {
  it('are records with every field, after the text of their policy, which is written once', async () => {
    const { records, eventId } = await written((recorder, id) => {
      expect(recorder.record(decision(id))).toBe(true);
      expect(recorder.record(decision(id, { wouldBe: true }))).toBe(true);
    });
    expect(records.map(({ type }) => type)).toEqual([
      RecordType.sensor,
      RecordType.policy,
      RecordType.decision,
      RecordType.decision,
    ]);
    expect(readPolicyText(records[1]!.payload)).toEqual({ hash: 'ab'.repeat(32), text: 'id: no-tmp-exec\n' });
    const { tsNs: _, rationale: _cut, ...rest } = decision(eventId);
    expect(readDecision(records[2]!.payload)).toMatchObject(rest);
    expect(readDecision(records[2]!.payload).rationale.clauses[0]?.value.length).toBeLessThan(600);
  });

  it('are refused and counted when the log takes nothing', () => {
    const recorder = new LogDecisionRecorder({ append: () => 0 }, () => undefined);
    expect(recorder.record(decision(2))).toBe(false);
    expect([recorder.recorded, recorder.refused]).toEqual([0, 1]);
  });

  it('are found by policy, by what came of them and by the event they are about, with its process', async () => {
    const { eventId } = await written((recorder, id) => {
      recorder.record(decision(id));
      recorder.record(
        decision(id, {
          policyId: 'other',
          wouldBe: true,
          effect: { state: 'none', mechanism: 'none', guarantee: 'alert only' },
        }),
      );
    });
    const paths = dataPaths(dataDir);
    const timeline = openTimeline(paths.timeline, {});
    const feed = new TimelineFeed({
      timeline,
      readers: {
        security: openWalReader(paths.securityLog),
        observability: openWalReader(paths.observabilityLog),
      },
      processCache: 100,
    });
    while (feed.step({ security: 100, observability: 100 }) > 0);
    const found = (query: string): number[] =>
      timeline.query(parseQuery(query), { limit: 10 }).events.map((event) => event.eventId);
    const [first, second] = [eventId + 4, eventId + 6];
    expect(found('type:decision')).toEqual([second, first]);
    expect(found('type:decision policy:no-tmp-exec')).toEqual([first]);
    expect(found('policy:no-tmp-exec effect:applied mechanism:pidfd_sigkill')).toEqual([first]);
    expect(found('would:true')).toEqual([second]);
    expect(found(`decides:${eventId}`)).toEqual([second, first]);
    expect(timeline.decisions({ eventId }, 10).map((event) => event.eventId)).toEqual([second, first]);
    expect(timeline.decisions({ policyId: 'other' }, 10).map((event) => event.eventId)).toEqual([second]);
    const decided = timeline.get(eventId);
    const shown = timeline.get(first);
    expect(decided?.process).toBeDefined();
    expect(shown?.process).toMatchObject({ pid: decided?.process?.pid, startNs: decided?.process?.startNs });
    expect(shown?.severity).toBe('high');
    expect(shown?.decision?.latencyNs).toEqual({ eventToDecision: 120_000, decisionToEffect: 4000 });
    timeline.close();
  });
});
