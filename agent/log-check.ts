/**
 * Checks both logs while the agent runs, for whoever asks through the Local API: `sentinel wal verify` in a process of
 * its own, at low priority, so that the thread that decides never reads a segment. One check at a time; who asks while
 * one runs learns of that one.
 */
import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import type { LogCheck, LogCheckState } from './api/contract.ts';
import { ApiFailure } from './api/services.ts';
import type { VerifyReport } from './wal/verify-report.ts';

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const MAX_MS = 3_600_000;
/** Findings that are handed on; all are counted. */
const MAX_FINDINGS = 50;

export interface LogChecks {
  state(): LogCheckState;
  /** Begins a check unless one runs. */
  start(): LogCheckState;
  /** Ends a running check. */
  close(): void;
}

/** The command line that checks the logs in a folder; undefined where the agent is not run as a command. */
export function verifyCommand(script: string | undefined, dataDir: string): string[] | undefined {
  if (script === undefined || !existsSync(script) || process.versions.electron !== undefined)
    return undefined;
  return [script, 'wal', 'verify', '--json', '--data', dataDir];
}

function resultOf(text: string, startedMs: number, nowNs: bigint): LogCheck {
  const { ok, logs } = JSON.parse(text) as { ok: boolean; logs: VerifyReport[] };
  return {
    ok,
    atNs: nowNs.toString(),
    tookMs: Math.round(performance.now() - startedMs),
    logs: logs.map((log) => ({
      lane: log.lane,
      ok: log.ok,
      segments: log.segments,
      commits: log.commits,
      records: log.records,
      firstSeq: log.firstSeq,
      lastSeq: log.lastSeq,
      checkpoints: log.checkpoints,
      coveredUpToSeq: log.coveredUpToSeq,
      findingCount: log.findingCount,
      findings: log.findings.slice(0, MAX_FINDINGS).map(({ kind, level, segment, offset, seq, detail }) => ({
        kind,
        level,
        segment,
        offset,
        seq,
        detail,
      })),
    })),
  };
}

/** `args`: what node is to run, see `verifyCommand`. */
export function createLogChecks(args: readonly string[] | undefined, nowNs: () => bigint): LogChecks {
  let child: ChildProcess | undefined;
  let last: LogCheck | undefined;
  let failed: string | undefined;
  const state = (): LogCheckState => ({ running: child !== undefined, last, failed });

  const start = (): LogCheckState => {
    if (args === undefined) {
      throw new ApiFailure(
        'unavailable',
        'this agent does not run as a command and cannot check its logs itself; run sentinel wal verify',
      );
    }
    if (child) return state();
    failed = undefined;
    const startedMs = performance.now();
    const options = { maxBuffer: MAX_OUTPUT_BYTES, timeout: MAX_MS, killSignal: 'SIGKILL' as const };
    child = execFile(process.execPath, [...args], options, (error, stdout, stderr) => {
      child = undefined;
      try {
        // Exit code 1 with a report: something does not hold, which is a result.
        last = resultOf(stdout, startedMs, nowNs());
      } catch {
        failed = stderr.trim().slice(0, 500) || (error?.message ?? 'the check gave no report').slice(0, 500);
      }
    });
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    return state();
  };

  return { state, start, close: () => child?.kill('SIGKILL') };
}
