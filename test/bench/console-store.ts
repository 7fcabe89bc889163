/**
 * A data folder that an agent goes on with: a day of events in the timeline, and logs whose numbers continue where
 * those events end, as if retention had removed the segments they came from. A large one is made once and kept for
 * the runs of the next hours, each of which goes on with a copy.
 */
import { createHash } from 'node:crypto';
import {
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { dataPaths } from '../../agent/data-dir.ts';
import type { Lane } from '../../agent/event.ts';
import { SCHEMA_VERSION } from '../../agent/store/schema.ts';
import { openTimeline } from '../../agent/store/timeline.ts';
import { openWal } from '../../agent/wal/open.ts';
import { watchRecord } from '../../agent/watched-until.ts';
import { buildEvents } from './build-events.ts';
import { eventSource } from './timeline-events.ts';

const BATCH = 2000;
const CACHE = join(import.meta.dirname, '..', '..', '.cache', 'bench');
const DAY_NS = 86_400_000_000_000n;

/** Made anew after this time: the events lie in the 24 hours before they were made. */
const KEEP_MS = 12 * 3_600_000;
/** Fewer rows are made faster than they are found. */
const LEAST_KEPT_ROWS = 1_000_000;

export interface SeededData {
  readonly dataDir: string;
  readonly rows: number;
  /** How the folder came about. */
  readonly made: string;
  remove(): void;
}

const removeFolder = (path: string): void => rmSync(path, { recursive: true, force: true });

/** Of the build that is the last thing in a record of so many rows. */
export const buildProcesses = (rows: number): number => (rows < LEAST_KEPT_ROWS ? 5000 : 50_000);

/** Fills `dataDir` with at least `rows` events of the 24 hours before now. */
async function fill(dataDir: string, rows: number): Promise<void> {
  const endNs = BigInt(Date.now()) * 1_000_000n;
  const last = { security: 0, observability: 0 };
  const timeline = openTimeline(dataPaths(dataDir).timeline);
  const source = eventSource(1, endNs - DAY_NS, Number(DAY_NS) / rows);
  while (source.made < rows) {
    const events = source.next(BATCH);
    for (const event of events) last[event.lane] = Math.floor(event.eventId / 2);
    timeline.insert(events, last);
  }
  // At the end, so that it is what a reader meets first.
  for (const events of buildEvents(buildProcesses(rows), endNs - 60_000_000_000n, last)) {
    timeline.insert(events, last);
  }
  timeline.close();
  for (const lane of ['security', 'observability'] as const) {
    await beginLog(dataDir, lane, last[lane], endNs);
  }
}

/** The kept folder for this many rows of the same generator and file format; made if there is none that is new enough. */
async function keptFolder(rows: number): Promise<string> {
  const hash = createHash('sha256');
  for (const name of ['timeline-events.ts', 'build-events.ts'])
    hash.update(readFileSync(join(import.meta.dirname, name)));
  const key = hash.digest('hex').slice(0, 12);
  const kept = join(CACHE, `console-${rows}-${SCHEMA_VERSION}-${key}`);
  if (existsSync(kept) && Date.now() - statSync(kept).mtimeMs < KEEP_MS) return kept;
  removeFolder(CACHE);
  mkdirSync(CACHE, { recursive: true });
  const making = mkdtempSync(join(CACHE, 'making-'));
  await fill(making, rows);
  renameSync(making, kept);
  return kept;
}

/** A new data folder with `rows` events of a day that ended at most some hours ago. */
export async function seedData(rows: number): Promise<SeededData> {
  const begun = performance.now();
  const kept = rows < LEAST_KEPT_ROWS ? undefined : await keptFolder(rows);
  const dataDir = mkdtempSync(join(tmpdir(), 'sentinel-bench-console-'));
  const remove = (): void => removeFolder(dataDir);
  try {
    if (kept === undefined) await fill(dataDir, rows);
    else cpSync(kept, dataDir, { recursive: true, mode: constants.COPYFILE_FICLONE });
    const seconds = Math.round((performance.now() - begun) / 1000);
    const from = kept === undefined ? '' : ' (kept in .cache/bench for the next runs)';
    return { dataDir, rows, made: `made in ${seconds} s${from}`, remove };
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
