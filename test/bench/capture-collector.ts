/**
 * The sensor in a process of its own, so that what collecting costs can be told from what the workload costs. Driven
 * by its parent: {scope} starts it, 'mark' begins a measurement, 'report' ends it, 'stop' ends the process.
 */
import { decodeBatch } from '../../agent/sensors/decode.ts';
import { createEbpfSensor } from '../../agent/sensors/ebpf-sensor.ts';
import type { Sensor, SensorScope } from '../../agent/sensors/types.ts';

export interface CollectorReport {
  /** Events by action since the mark. */
  counts: Record<string, number>;
  /** Records stated as lost, by hook. */
  lost: Record<string, number>;
  cpuUs: number;
  batches: number;
}

export type CollectorRequest = { scope: SensorScope } | 'mark' | 'report' | 'stop';

const counts: Record<string, number> = {};
const lost: Record<string, number> = {};
let batches = 0;
let cpu = process.cpuUsage();
let sensor: Sensor | undefined;

function clear(record: Record<string, number>): void {
  for (const key of Object.keys(record)) delete record[key];
}

async function handle(request: CollectorRequest): Promise<unknown> {
  if (request === 'mark') {
    clear(counts);
    clear(lost);
    batches = 0;
    cpu = process.cpuUsage();
    return 'marked';
  }
  if (request === 'report') {
    // Losses are compared with the kernel's counters eight times a second.
    await new Promise((resolve) => setTimeout(resolve, 400));
    const used = process.cpuUsage(cpu);
    const report: CollectorReport = {
      counts: { ...counts },
      lost: { ...lost },
      cpuUs: used.user + used.system,
      batches,
    };
    return report;
  }
  if (request === 'stop') {
    await sensor?.stop();
    return 'stopped';
  }
  sensor = createEbpfSensor({ scope: request.scope, rateLimitPerSecond: 0 });
  await sensor.start({
    onBatch(batch) {
      batches += 1;
      decodeBatch(batch.bytes, batch.wallOffsetNs, (event) => {
        counts[event.action] = (counts[event.action] ?? 0) + 1;
      });
    },
    onLoss(loss) {
      lost[loss.hook] = (lost[loss.hook] ?? 0) + (loss.count ?? 0);
    },
  });
  return 'started';
}

process.on('message', (request: CollectorRequest) => {
  void handle(request).then((answer) => {
    process.send?.(answer);
    if (request === 'stop') process.disconnect();
  });
});
