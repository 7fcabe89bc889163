/** The first stream of the observability lane: what the machine and the agent use. */
import { eventToJson } from './event-json.ts';
import type { ObservabilityLane } from './lanes/observability.ts';
import { METRICS_STREAM, metricsImputation, MetricsStream } from './metrics.ts';
import { RecordType, Schema } from './wal/types.ts';

/** Starts sampling into the lane; missing samples may be filled in, marked as such. */
export function startMetrics(lane: ObservabilityLane, dataDir: string, intervalMs: number): MetricsStream {
  lane.allowImputation(METRICS_STREAM, metricsImputation(intervalMs));
  const metrics = new MetricsStream({
    intervalMs,
    dataDir,
    onSample: (event) =>
      lane.offer({
        stream: METRICS_STREAM,
        level: 'info',
        tsNs: event.tsNs,
        bytes: Buffer.from(JSON.stringify(eventToJson(event)), 'utf8'),
        type: RecordType.event,
        schema: Schema.jsonV1,
        cpu: 0xffff,
      }),
  });
  metrics.start();
  return metrics;
}
