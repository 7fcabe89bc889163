/** Starting on a disk that is nearly full: the agent runs, says so, and keeps security events when there is no room for both. */
import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { dataPaths } from '../../agent/data-dir.ts';
import { writeReplayFile } from '../../agent/sensors/replay-file.ts';
import { generateWorkload } from '../../agent/sensors/workload.ts';
import { RecordType } from '../../agent/wal/types.ts';
import { eventually } from './agent-process.ts';
import { agentOn, endAll, newFolder, readLog, removeAll, report } from './validation-support.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('SKIPPED: a disk of our own needs root');
const mounts: string[] = [];
afterEach(async () => {
  await endAll();
  for (const mount of mounts.splice(0)) spawnSync('umount', [mount]);
});
afterAll(removeAll);

const MIB = 1024 * 1024;
const COUNT = 40_000;

describe('a disk that is nearly full at start', () => {
  it.skipIf(!isRoot).each([200, 60, 12])(
    'with %i MiB free: serves, says so, keeps every security event (skipped: needs root)',
    async (freeMiB) => {
      const disk = newFolder();
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=400m', 'tmpfs', disk]).status !== 0) {
        console.warn('SKIPPED: low disk: tmpfs cannot be mounted here');
        return;
      }
      mounts.push(disk);
      const filler = join(disk, 'filler');
      spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1M', `count=${400 - freeMiB}`]);
      const { bavail, bsize } = statfsSync(disk);
      expect(Math.round((bavail * bsize) / MIB)).toBe(freeMiB);

      const file = join(newFolder(), 'load.replay');
      writeReplayFile(file, generateWorkload({ seed: 5, count: COUNT }));
      const data = join(disk, 'data');
      const agent = await agentOn(data, '--sensor', `replay:${file}?rate=8000`);
      const first = await agent.client.call('health.get', {});
      expect(first.level).not.toBe('ok');
      expect(first.sentence).toMatch(/disk nearly full|no space for the observability log/);
      const shortage = first.problems.find(({ what }) => /MiB are free/.test(what));
      expect(shortage?.remedy).toMatch(/free some space/);
      expect(Math.abs(first.disk!.freeBytes / MIB - freeMiB)).toBeLessThan(64);

      await eventually('the workload has gone through', async () => {
        const snapshot = await agent.client.call('health.get', {});
        const { security, observability } = snapshot.totals;
        return security + observability === COUNT ? snapshot : undefined;
      });
      // With room again, everything is well again by itself.
      rmSync(filler);
      const last = await eventually('both logs are well', async () => {
        const snapshot = await agent.client.call('health.get', {});
        return snapshot.wal.every(({ state }) => state === 'ok') ? snapshot : undefined;
      });
      expect(await agent.end('SIGTERM')).toBe(0);
      const paths = dataPaths(data);
      const sensorRecords = (log: string): number =>
        readLog(log).filter((record) => record.type === RecordType.sensor).length;
      const [kept, security] = [paths.observabilityLog, paths.securityLog].map(sensorRecords) as [
        number,
        number,
      ];
      const dropped = Object.values(last.observabilityLane.dropped).reduce((sum, count) => sum + count, 0);
      expect(security).toBeGreaterThanOrEqual(last.totals.security);
      expect(security + kept + dropped).toBe(COUNT);
      report(
        `${freeMiB} MiB free: security ${security} of ${last.totals.security} kept, observability ${kept} of ${last.totals.observability}`,
      );
    },
  );
});
