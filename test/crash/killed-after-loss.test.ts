/** The agent is killed between a loss in the kernel's ring and its statement: the next run must state it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { readGap, verifyGap } from '../../agent/audit/gap.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { createVerifier } from '../../agent/identity/identity.ts';
import { RecordType, type WalRecord } from '../../agent/wal/types.ts';
import { agentOn, ended, endAll, newFolder, readLog, removeAll, start } from '../e2e/validation-support.ts';
import { compile, workloadBinary } from '../native/compile.ts';
import { skipNote, whyNot } from '../native/recorder.ts';

const reason = whyNot();
if (reason) console.warn(`test/crash/killed-after-loss: skipped: ${reason}`);

afterEach(endAll);
afterAll(removeAll);

/** Records of each CPU that are not there, by their numbers alone, of the newest run that has any. */
function missing(log: readonly WalRecord[]): Map<number, number> {
  const seen = new Map<number, Set<bigint>>();
  for (const { type, payload } of log) {
    if (type !== RecordType.sensor) continue;
    const seq = payload.readBigUInt64LE(16);
    const cpu = Number(seq >> 48n);
    if (seq !== 0n) seen.set(cpu, (seen.get(cpu) ?? new Set()).add(seq & 0xff_ffff_ffffn));
  }
  const result = new Map<number, number>();
  for (const [cpu, numbers] of seen) {
    let [low, high] = [2n ** 60n, 0n];
    for (const n of numbers) {
      if (n < low) low = n;
      if (n > high) high = n;
    }
    result.set(cpu, Number(high - low) + 1 - numbers.size);
  }
  return result;
}

function stated(log: readonly WalRecord[]): Map<number, number> {
  const result = new Map<number, number>();
  for (const { type, payload } of log) {
    if (type !== RecordType.gap) continue;
    const gap = readGap(payload);
    if (gap.cause !== 'ring_full' || gap.lane !== 'security' || gap.cpu === undefined) continue;
    result.set(gap.cpu, (result.get(gap.cpu) ?? 0) + (gap.count ?? 0));
  }
  return result;
}

function unstated(log: readonly WalRecord[]): number {
  const said = stated(log);
  let sum = 0;
  for (const [cpu, count] of missing(log)) sum += Math.max(0, count - (said.get(cpu) ?? 0));
  return sum;
}

describe.skipIf(reason)(`a kill right after a loss${skipNote(reason)}`, () => {
  it('leaves a hole that the next run states, signed, and the blind interval begins no later', async (context) => {
    const dir = newFolder();
    const data = join(dir, 'data');
    const paths = dataPaths(data);
    const tiny = compile(['test/native/tiny.c'], ['-nostdlib', '-nostartfiles']);
    const storm = `${workloadBinary()} execfor 1000000 ${tiny}`;
    const go = join(dir, 'go');
    const both = start('sh', [
      '-c',
      `trap 'kill $a $b' TERM; while [ ! -e ${go} ]; do sleep 0.05; done; ${storm} & a=$!; ${storm} & b=$!; wait`,
    ]);
    const agent = await agentOn(data, '--scope', `pid:${both.pid}`);
    if (agent.sensorTier !== 'tracepoint' && agent.sensorTier !== 'lsm') {
      console.warn(`SKIPPED: a kill after a loss needs the kernel sensor, here it is ${agent.sensorTier}`);
      context.skip();
    }
    writeFileSync(go, '');
    // Frozen until the ring is full, then let go for a moment, until the log holds a loss that nobody stated.
    let lost = 0;
    for (let pulse = 0; pulse < 40 && lost === 0; pulse++) {
      agent.signal('SIGSTOP');
      await sleep(1500);
      agent.signal('SIGCONT');
      await sleep(5 + 5 * (pulse % 8));
      agent.signal('SIGSTOP');
      await sleep(20);
      lost = unstated(readLog(paths.securityLog));
    }
    await agent.end('SIGKILL');
    both.kill('SIGTERM');
    const before = readLog(paths.securityLog);
    lost = unstated(before);
    expect(lost).toBeGreaterThan(0);

    const again = await agentOn(data, '--scope', `pid:${process.pid}`);
    await again.end('SIGTERM');
    await ended(both);
    const added = readLog(paths.securityLog).slice(before.length);
    const verifier = createVerifier([readFileSync(paths.publicKey, 'utf8')]);
    const gaps = added.filter(({ type }) => type === RecordType.gap);
    expect(gaps.every(({ payload }) => verifyGap(payload, verifier))).toBe(true);
    const missed = missing(before);
    const said = stated(before);
    const saidNow = stated(gaps);
    for (const [cpu, count] of missed) {
      expect([cpu, saidNow.get(cpu) ?? 0]).toEqual([cpu, Math.max(0, count - (said.get(cpu) ?? 0))]);
    }
    const read = gaps.map(({ payload }) => readGap(payload));
    const down = read.find(({ cause }) => cause === 'agent_down');
    for (const gap of read.filter(({ cause }) => cause === 'ring_full')) {
      expect(down?.fromNs).toBeLessThanOrEqual(gap.fromNs);
    }
    console.info(`a kill after a loss: ${lost} records lost and unstated, all stated by the next run`);
  });
});
