/** Makes the two lanes over their logs: what either could not keep goes on record as a gap. */
import type { ConfigValues } from './config-options.ts';
import type { ErrorCounters } from './errors.ts';
import type { GapLedger } from './gap-ledger.ts';
import { ObservabilityLane } from './lanes/observability.ts';
import { SecurityLane } from './lanes/security.ts';
import type { Log } from './log.ts';
import type { OpenLogs } from './open-logs.ts';
import { type RecordType, Schema } from './wal/types.ts';

export interface Lanes {
  readonly security: SecurityLane;
  readonly observability: ObservabilityLane;
}

export function openLanes(parts: {
  logs: OpenLogs;
  settings: ConfigValues;
  gaps: GapLedger;
  errors: ErrorCounters;
  log: Log;
}): Lanes {
  const { logs, settings, gaps, errors, log } = parts;
  const security = new SecurityLane(logs.security, {
    onAlarm: (error) => {
      errors.count('security_log_failed');
      log.error({ reason: error.message }, 'the security log cannot be written');
    },
    onGap: (gap) => gaps.record({ lane: 'security', ...gap }),
  });
  const observability = new ObservabilityLane(logs.observability, {
    maxBufferBytes: settings['observability.maxBufferBytes'],
    maxBatchRecords: settings['observability.maxBatchRecords'],
    maxBatchMs: settings['observability.maxBatchMs'],
    onShed: ({ cause, count, level, stream, fromNs, toNs }) => {
      errors.count(`shed_${cause}`, count);
      gaps.record({
        lane: 'observability',
        cause,
        count,
        fromNs,
        toNs,
        detail: `${level} records of ${stream}`,
      });
    },
  });
  return { security, observability };
}

/** Appends a record of ours, as JSON; bigints become decimal strings. Commits at once if `urgent`. */
export function appendJson(
  lane: SecurityLane,
  type: (typeof RecordType)[keyof typeof RecordType],
  wallNs: bigint,
  value: object,
  urgent: boolean,
): void {
  const text = JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'bigint' ? item.toString() : item,
  );
  lane.append([{ type, schema: Schema.jsonV1, wallNs, payload: Buffer.from(text, 'utf8') }], urgent);
}
