/** Starts the timeline's worker on both logs, and keeps what health and retention need to know of it. */
import type { HealthSources } from './agent-health.ts';
import type { ConfigValues } from './config-options.ts';
import type { ErrorCounters } from './errors.ts';
import type { Log } from './log.ts';
import type { OpenLogs } from './open-logs.ts';
import type { Retention } from './retention.ts';
import { TimelineClient } from './timeline-client.ts';

const NS_PER_DAY = 86_400_000_000_000n;

export interface OpenTimeline {
  readonly timeline: TimelineClient;
  readonly state: HealthSources['timeline'];
}

/** `undo` gets what must be done to end it, in the order of starting. */
export async function openTimeline(parts: {
  dataDir: string;
  settings: ConfigValues;
  logs: OpenLogs;
  retention: Retention;
  errors: ErrorCounters;
  log: Log;
  undo: (() => void | Promise<void>)[];
}): Promise<OpenTimeline> {
  const { dataDir, settings, logs, retention, errors, log, undo } = parts;
  const state: HealthSources['timeline'] = {
    running: true,
    cursors: { security: 0, observability: 0 },
    gaps24h: { count: 0, lostRecords: 0 },
  };
  const timeline = new TimelineClient(
    {
      dataDir,
      processCache: settings['sensor.processCache'],
      maxTimelineBytes: settings['timeline.maxBytes'],
      maxTimelineAgeNs: BigInt(settings['timeline.maxAgeDays']) * NS_PER_DAY,
    },
    {
      onStored: (cursors, rejected, gaps24h) => {
        state.cursors = cursors;
        state.gaps24h = gaps24h;
        retention.stored(cursors);
        if (rejected > 0) errors.count('timeline_rejected', rejected);
      },
      onProblem: (code, message) => {
        errors.count(code);
        log.error({ code }, message);
        state.running = timeline.running;
      },
      onTrouble: (trouble) => {
        state.problem = trouble;
        if (!trouble) log.info({}, 'the timeline takes records again');
      },
    },
  );
  undo.push(() => timeline.close());
  state.cursors = await timeline.ready();
  retention.stored(state.cursors);
  undo.push(logs.security.onDurable((seq) => timeline.durable('security', seq)));
  undo.push(logs.observability.onDurable((seq) => timeline.durable('observability', seq)));
  return { timeline, state };
}
