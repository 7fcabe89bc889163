/** The validation test of failure and recovery: a writer and the whole agent killed while they write. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { dataPaths } from '../../agent/data-dir.ts';
import { writeReplayFile } from '../../agent/sensors/replay-file.ts';
import { generateWorkload } from '../../agent/sensors/workload.ts';
import { RecordType } from '../../agent/wal/types.ts';
import { allGaps, eventually } from './agent-process.ts';
import { payloadOf } from './payload.ts';
import {
  agentOn,
  ended,
  endAll,
  newFolder,
  readLog,
  removeAll,
  report,
  start,
} from './validation-support.ts';

afterEach(endAll);
afterAll(removeAll);

describe('failure and recovery (kill during write, 0 lost on the security lane)', () => {
  it('keeps every acknowledged record over 15 kills, in order and unchanged', async () => {
    const dir = newFolder();
    let acknowledged = 0;
    let total = 0;
    for (let round = 1; round <= 15; round += 1) {
      const child = start(process.execPath, [
        join(import.meta.dirname, 'security-writer.ts'),
        dir,
        String(round),
      ]);
      let output = '';
      child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
      await eventually('the writer acknowledges', async () =>
        output.split('\n').length > 50 ? true : undefined,
      );
      await sleep((round * 37) % 120);
      child.kill('SIGKILL');
      await ended(child);
      const lines = output.slice(0, output.lastIndexOf('\n')).split('\n');
      const acks = lines.slice(1).map(Number);
      total += acks.length;
      acknowledged = Math.max(acknowledged, ...acks);
      const records = readLog(dir).filter((record) => record.type === RecordType.event);
      const bySeq = new Map(records.map((record) => [record.seq, record]));
      const lost = acks.filter((seq) => bySeq.get(seq)?.payload.equals(payloadOf(seq)) !== true);
      expect(lost).toEqual([]);
      expect(records.every((record, i) => i === 0 || record.seq > (records[i - 1]?.seq ?? 0))).toBe(true);
    }
    report(`failure and recovery: 15 kills, ${total} acknowledged records, 0 lost, last ${acknowledged}`);
  });

  it('the agent comes back with everything it had made durable, and says how long nobody watched', async () => {
    const dir = newFolder();
    const data = join(dir, 'data');
    const file = join(dir, 'load.replay');
    writeReplayFile(file, generateWorkload({ seed: 5, count: 20_000 }));
    let durable = 0;
    for (let round = 0; round < 3; round += 1) {
      const agent = await agentOn(data, '--sensor', `replay:${file}?rate=8000`);
      const until = performance.now() + 500 + round * 230;
      while (performance.now() < until) {
        const { wal } = await agent.client.call('health.get', {});
        durable = Math.max(durable, Number(wal.find((log) => log.lane === 'security')?.durableSeq ?? 0));
        await sleep(20);
      }
      await agent.end('SIGKILL');
      const seqs = new Set(readLog(dataPaths(data).securityLog).map((record) => record.seq));
      const lost = Array.from({ length: durable }, (_, i) => i + 1).filter((seq) => !seqs.has(seq));
      expect(lost).toEqual([]);
    }
    const agent = await agentOn(data, '--sensor', `replay:${file}?rate=20000`);
    const gaps = await eventually('the gaps are stored', async () => {
      const found = (await allGaps(agent.client)).filter((gap) => gap.cause === 'agent_down');
      return found.length >= 3 ? found : undefined;
    });
    expect(gaps).toHaveLength(3);
    for (const gap of gaps) {
      expect(BigInt(gap.toNs)).toBeGreaterThan(BigInt(gap.fromNs));
      expect(gap.signature).toMatch(/^[A-Za-z0-9+/]{86}==$/);
    }
    report(
      `failure and recovery: 3 kills of the agent, ${durable} durable security records, 0 lost, 3 signed gaps`,
    );
  });
});
