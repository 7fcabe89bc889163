/** Opens both write-ahead logs and turns what their recovery found into gaps. */
import { statfsSync } from 'node:fs';
import { dataPaths } from './data-dir.ts';
import { fromSystemError, SentinelError } from './errors.ts';
import type { GapInfo, Lane } from './event.ts';
import type { Log } from './log.ts';
import { CursorFile } from './wal/cursor.ts';
import { openWal } from './wal/open.ts';
import { spaceForLogs } from './log-space.ts';
import type { WalRecovered, WalWriter } from './wal/types.ts';
import { type EndOfWatch, endOfWatch } from './watched-until.ts';

export interface OpenLogs {
  readonly security: WalWriter;
  readonly observability: WalWriter;
  /** How far the timeline had got, as its cursor files say. */
  readonly cursors: Readonly<Record<Lane, CursorFile>>;
  /** Gaps to state: damage found in either log, losses the last run left unstated, the time from the end of the last run's watch to `watchingNs`. */
  gapsAtStart(watchingNs: bigint): GapInfo[];
  /** Waits until everything appended so far is durable, or its log has failed. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

interface Opened {
  writer: WalWriter;
  recovered: WalRecovered;
  /** Security only, and only after a run before. */
  end?: EndOfWatch;
}

/** @throws SentinelError naming the folder when a log cannot be opened. */
export async function openLogs(options: {
  dataDir: string;
  deviceId: string;
  epoch: number;
  segmentBytes: number;
  log: Log;
}): Promise<OpenLogs> {
  const paths = dataPaths(options.dataDir);
  const cursors = {
    security: new CursorFile(`${paths.cursors}/timeline.security`),
    observability: new CursorFile(`${paths.cursors}/timeline.observability`),
  };
  const space = spaceForLogs(options.segmentBytes, freeBytes(options.dataDir));
  const open = async (lane: Lane, dir: string): Promise<Opened> => {
    try {
      const opened = await openWal({
        dir,
        lane,
        deviceId: options.deviceId,
        epoch: options.epoch,
        ...space[lane],
        witnessSeq: cursors[lane].read(),
        onState: (state, reason) => options.log.warn({ lane, state, reason }, 'log state'),
      });
      if (opened.recovered.gaps.length > 0 || opened.recovered.truncatedBytes > 0) {
        options.log.warn({ lane, ...opened.recovered }, 'recovered a log');
      }
      const isFirst = lane === 'observability' || opened.recovered.lastSeq === 0;
      return isFirst ? opened : { ...opened, end: endOfWatch(dir, opened.recovered) };
    } catch (error) {
      const wrapped = fromSystemError(error, `open the ${lane} log in`, dir);
      throw wrapped instanceof SentinelError || !(wrapped instanceof Error)
        ? wrapped
        : new SentinelError(
            'wal',
            `cannot open the ${lane} log in ${dir}: ${wrapped.message}`,
            'run sentinel wal verify',
            { cause: error },
          );
    }
  };
  const security = await open('security', paths.securityLog);
  let observability: Opened;
  try {
    observability = await open('observability', paths.observabilityLog);
  } catch (error) {
    await security.writer.close();
    throw error;
  }
  const all = [security, observability];

  return {
    security: security.writer,
    observability: observability.writer,
    cursors,
    gapsAtStart: (watchingNs) =>
      gapsOf(security, 'security', watchingNs).concat(gapsOf(observability, 'observability', watchingNs)),
    settle: async () => {
      await Promise.all(all.map(({ writer }) => settleOne(writer)));
    },
    close: async () => {
      await Promise.allSettled(all.map(({ writer }) => writer.close()));
    },
  };
}

/** Infinity where the system cannot tell. */
function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return Infinity;
  }
}

async function settleOne(writer: WalWriter): Promise<void> {
  const { lastSeq, state } = writer.stats();
  if (state === 'failed' || lastSeq <= writer.durableSeq) return;
  writer.commitNow();
  // A failed log is an alarm of its own; what could be made durable is.
  await writer.whenDurable(lastSeq).catch(() => {});
}

function gapsOf({ recovered, end }: Opened, lane: Lane, watchingNs: bigint): GapInfo[] {
  const gaps: GapInfo[] = recovered.gaps.map((gap) => ({
    lane,
    cause: gap.cause,
    count: Math.max(0, gap.toSeq - gap.fromSeq + 1),
    fromNs: gap.fromWallNs,
    toNs: gap.toWallNs,
    fromSeq: gap.fromSeq,
    toSeq: gap.toSeq,
    detail: `segment ${gap.segment}: ${gap.detail}`,
  }));
  gaps.push(...(end?.lost ?? []));
  if (end !== undefined && end.untilNs > 0n) {
    // Nobody watched between the two runs: how much happened is not known, so the gap has no count.
    const detail = recovered.cleanShutdown
      ? 'the agent was stopped'
      : 'the agent ended without stopping (killed, crash or power loss)';
    gaps.push({ lane, cause: 'agent_down', fromNs: end.untilNs, toNs: watchingNs, detail });
  }
  return gaps;
}
