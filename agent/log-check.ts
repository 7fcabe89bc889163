/**
 * Checks both logs while the agent runs, for whoever asks through the Local API: `sentinel wal verify` beside it
 * (run-command.ts). One check at a time; who asks while one runs learns of that one.
 */
import type { LogCheck, LogCheckState } from './api/contract.ts';
import type { CommandRunner, RunningCommand } from './run-command.ts';
import type { VerifyReport } from './wal/verify-report.ts';

/** Findings that are handed on; all are counted. */
const MAX_FINDINGS = 50;

export interface LogChecks {
  state(): LogCheckState;
  /** Begins a check unless one runs. */
  start(): LogCheckState;
  /** Ends a running check. */
  close(): void;
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

export function createLogChecks(run: CommandRunner, dataDir: string, nowNs: () => bigint): LogChecks {
  let running: RunningCommand | undefined;
  let last: LogCheck | undefined;
  let failed: string | undefined;
  const state = (): LogCheckState => ({ running: running !== undefined, last, failed });

  const start = (): LogCheckState => {
    if (running) return state();
    failed = undefined;
    const startedMs = performance.now();
    running = run(['wal', 'verify', '--json', '--data', dataDir]);
    void running.done.then(({ stdout, stderr }) => {
      running = undefined;
      try {
        // Exit code 1 with a report: something does not hold, which is a result.
        last = resultOf(stdout, startedMs, nowNs());
      } catch {
        failed = stderr.trim().slice(0, 500) || 'the check gave no report';
      }
    });
    return state();
  };

  return { state, start, close: () => running?.cancel() };
}
