/** Health against what can be measured from outside: the files, /proc, the kernel and the answers to queries. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, statSync } from 'node:fs';
import { hostname, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import type { HealthSnapshot } from '../../agent/api/contract.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { writeReplayFile } from '../../agent/sensors/replay-file.ts';
import { generateWorkload } from '../../agent/sensors/workload.ts';
import { allEvents, eventually } from './agent-process.ts';
import { startAgentProcess, type AgentProcess } from './packaged-agent.ts';

const EVENTS = 12_000;
const folder = mkdtempSync(join(tmpdir(), 'sentinel-health-'));
const dataDir = join(folder, 'data');
const paths = dataPaths(dataDir);
let agent: AgentProcess;
let client: ApiClient;
const health = (): Promise<HealthSnapshot> => client.call('health.get', {});

beforeAll(async () => {
  const replay = join(folder, 'load.replay');
  writeReplayFile(replay, generateWorkload({ seed: 9, count: EVENTS }));
  agent = await startAgentProcess({
    dataDir,
    args: ['--console', 'off', '--sensor', `replay:${replay}?rate=1000`],
  });
  client = await connectAgent(paths.socket);
});
afterAll(async () => {
  client.close();
  await agent.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('health', () => {
  it('gives the rate at which events really come', async () => {
    const rate = await eventually('the rate settles', async () => {
      const { rates } = await health();
      const sum = rates.security + rates.observability;
      return sum > 500 ? sum : undefined;
    });
    expect(rate).toBeLessThan(3000);
  });

  it('counts what was recorded, and shows no lag once queries show it', async () => {
    const done = await eventually('all is recorded and stored', async () => {
      const snapshot = await health();
      const { security, observability } = snapshot.totals;
      const isStored = snapshot.sinks.every(({ lagRecords }) => lagRecords < 50);
      return security + observability === EVENTS && isStored ? snapshot : undefined;
    });
    const stored = await allEvents(client, 'not type:metric and not type:integrity_gap and not type:health');
    expect(stored).toHaveLength(EVENTS);
    expect(done.totals.rejected).toBe(0);
    const withRule = stored.reduce((sum, event) => sum + (event.detections?.length ?? 0), 0);
    expect(done.totals.detections).toBe(withRule);
    expect(
      await eventually('the rate falls to nothing', async () => {
        const { rates } = await health();
        return rates.security + rates.observability < 1 || undefined;
      }),
    ).toBe(true);
  });

  it('agrees with the files, the file system and the kernel', async () => {
    const snapshot = await health();
    for (const log of snapshot.wal) {
      const dir = log.lane === 'security' ? paths.securityLog : paths.observabilityLog;
      const files = readdirSync(dir).map((name) => statSync(join(dir, name)));
      const bytes = files.reduce((sum, { size }) => sum + size, 0);
      // A spare may be made or in the making.
      expect(Math.abs(log.bytesOnDisk - bytes)).toBeLessThanOrEqual(16 * 1024 * 1024);
      expect(Math.abs(log.segments - files.length)).toBeLessThanOrEqual(1);
      expect(Number(log.durableSeq)).toBeLessThanOrEqual(Number(log.lastSeq));
      expect([log.state, log.reason, log.failedWrites]).toEqual(['ok', undefined, 0]);
    }
    const { bavail, bsize } = statfsSync(dataDir);
    expect(Math.abs(snapshot.disk!.freeBytes - bavail * bsize)).toBeLessThan(1024 ** 3);
    expect(snapshot.host).toMatchObject({ hostname: hostname(), bootId: expect.any(String) });
    expect(snapshot.host.kernel).toContain(release());
    if (existsSync('/proc/sys/kernel/random/boot_id'))
      expect(snapshot.host.bootId).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    expect(snapshot.agent.pid).toBe(agent.pid);
    const kernelRss =
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${agent.pid}/status`, 'utf8'))?.[1]) * 1024;
    expect(snapshot.agent.rssBytes / kernelRss).toBeGreaterThan(0.7);
    expect(snapshot.agent.rssBytes / kernelRss).toBeLessThan(1.4);
    expect(snapshot.dataDir).toBe(dataDir);
    expect(snapshot.api.clients).toBe(1);
    expect(Math.abs(Number(BigInt(snapshot.nowNs) / 1_000_000n) - Date.now())).toBeLessThan(60_000);
  });
});
