/**
 * A data folder that an agent goes on with: a day of events in the timeline, and logs whose numbers continue where
 * those events end, as if retention had removed the segments they came from.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { dataPaths } from '../../agent/data-dir.ts';
import type { Lane } from '../../agent/event.ts';
import { openTimeline } from '../../agent/store/timeline.ts';
import { openWal } from '../../agent/wal/open.ts';
import { watchRecord } from '../../agent/watched-until.ts';
import { eventSource } from './timeline-events.ts';

const BATCH = 2000;
const DAY_NS = 86_400_000_000_000n;

export interface SeededData {
  readonly dataDir: string;
  readonly rows: number;
  readonly seconds: number;
  remove(): void;
}

/** Fills a new data folder with `rows` events of the 24 hours before now. */
export async function seedData(rows: number): Promise<SeededData> {
  const begun = performance.now();
  const dataDir = mkdtempSync(join(tmpdir(), 'sentinel-bench-console-'));
  const remove = (): void => rmSync(dataDir, { recursive: true, force: true });
  try {
    const endNs = BigInt(Date.now()) * 1_000_000n;
    const last = { security: 0, observability: 0 };
    const timeline = openTimeline(dataPaths(dataDir).timeline);
    const source = eventSource(1, endNs - DAY_NS, Number(DAY_NS) / rows);
    while (source.made < rows) {
      const events = source.next(BATCH);
      for (const event of events) last[event.lane] = Math.floor(event.eventId / 2);
      timeline.insert(events, last);
    }
    timeline.close();
    for (const lane of ['security', 'observability'] as const) {
      await beginLog(dataDir, lane, last[lane], endNs);
    }
    return { dataDir, rows: source.made, seconds: (performance.now() - begun) / 1000, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** A log whose first record comes after `lastSeq`. */
async function beginLog(dataDir: string, lane: Lane, lastSeq: number, nowNs: bigint): Promise<void> {
  const paths = dataPaths(dataDir);
  const dir = lane === 'security' ? paths.securityLog : paths.observabilityLog;
  mkdirSync(dirname(dir), { recursive: true, mode: 0o700 });
  const { writer } = await openWal({ dir, lane, deviceId: 'bench', epoch: 0, witnessSeq: lastSeq });
  writer.append([watchRecord('watch_end', nowNs)], true);
  await writer.close();
}
