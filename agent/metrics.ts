/**
 * The metrics stream: one observability event a sample, with the machine's CPU, memory, disks, network, load and
 * pressure and the agent's own use, all in `metrics`. Names end in their unit; percentages of CPU are of the whole
 * machine except `agent.cpu_percent`, where 100 is one core.
 *
 * Counters become rates over the time between two samples. A counter that went backwards (device replaced, wrapped)
 * has no rate in that sample. Samples that did not happen are not made up here: the observability lane may do that
 * (`metricsImputation`), and marks them.
 */
import type { SentinelEvent } from './event.ts';
import type { Imputation } from './lanes/imputation.ts';
import { readSystem, readText, type ReadText, type SystemReading } from './metrics-system.ts';

/** Name of the stream in the observability lane. */
export const METRICS_STREAM = 'metrics';
/** The kernel walks all page tables for it: milliseconds. */
const PSS_INTERVAL_MS = 60_000;
/** Longest run of missing samples that may be filled in. */
const MAX_IMPUTED = 6;
const FIRST_SAMPLE_MS = 1000;

export interface OwnUse {
  /** Of one core, over the time since the last sample; all threads. */
  cpuPercent: number;
  rssBytes: number;
  /** Memory that is not file-backed; absent where the system does not tell. */
  anonymousBytes?: number;
  /** Proportional set size, from the last minute; absent where the system does not tell. */
  pssBytes?: number;
  heapBytes: number;
  /** Share of time the main thread's loop was busy. */
  loopPercent: number;
}

export interface MetricsStreamOptions {
  intervalMs: number;
  dataDir: string;
  onSample: (event: SentinelEvent) => void;
  /** Replaceable in tests. */
  read?: ReadText;
}

interface Sample {
  atMs: number;
  system: SystemReading;
  cpu: NodeJS.CpuUsage;
  loop: ReturnType<typeof performance.eventLoopUtilization>;
}

export class MetricsStream {
  private readonly options: MetricsStreamOptions;
  private readonly read: ReadText;
  private previous: Sample;
  private timer: NodeJS.Timeout | undefined;
  private nextMs = 0;
  private pss: { atMs: number; bytes: number | undefined } | undefined;
  private ownUse: OwnUse = { cpuPercent: 0, rssBytes: 0, heapBytes: 0, loopPercent: 0 };

  constructor(options: MetricsStreamOptions) {
    this.options = options;
    this.read = options.read ?? readText;
    this.previous = this.take();
  }

  /** Samples soon, then every interval. A sample that cannot be taken in time is left out, not caught up on. */
  start(): void {
    if (this.timer !== undefined) return;
    this.nextMs = performance.now() + Math.min(FIRST_SAMPLE_MS, this.options.intervalMs);
    this.arm();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** The agent's own use as of the last sample. */
  own(): OwnUse {
    return this.ownUse;
  }

  /** Takes a sample now and returns it as an event; rates are over the time since the last one. */
  sample(): SentinelEvent {
    const now = this.take();
    const metrics = difference(this.previous, now);
    this.ownUse = ownUse(this.previous, now, this.read);
    if (this.pss === undefined || now.atMs - this.pss.atMs >= PSS_INTERVAL_MS) {
      this.pss = { atMs: now.atMs, bytes: kilobytes(this.read('/proc/self/smaps_rollup'), 'Pss') };
    }
    if (this.pss.bytes !== undefined) this.ownUse.pssBytes = this.pss.bytes;
    metrics['agent.cpu_percent'] = round(this.ownUse.cpuPercent);
    metrics['agent.rss_bytes'] = this.ownUse.rssBytes;
    if (this.ownUse.anonymousBytes !== undefined) {
      metrics['agent.anonymous_bytes'] = this.ownUse.anonymousBytes;
    }
    metrics['agent.heap_bytes'] = this.ownUse.heapBytes;
    metrics['agent.loop_percent'] = round(this.ownUse.loopPercent);
    this.previous = now;
    return {
      eventId: 0,
      type: 'metric',
      action: 'sample',
      lane: 'observability',
      tsNs: BigInt(Date.now()) * 1_000_000n,
      metrics,
      severity: 'info',
    };
  }

  private take(): Sample {
    return {
      system: readSystem(this.options.dataDir, this.read),
      atMs: performance.now(),
      cpu: process.cpuUsage(),
      loop: performance.eventLoopUtilization(),
    };
  }

  private arm(): void {
    const nowMs = performance.now();
    while (this.nextMs <= nowMs) this.nextMs += this.options.intervalMs;
    this.timer = setTimeout(() => {
      this.options.onSample(this.sample());
      if (this.timer !== undefined) this.arm();
    }, this.nextMs - nowMs);
    this.timer.unref();
  }
}

function difference(before: Sample, after: Sample): Record<string, number> {
  const metrics: Record<string, number> = {};
  const elapsedMs = Math.max(1, after.atMs - before.atMs);
  let ticks = 0;
  const spent: [name: string, ticks: number][] = [];
  for (const [name, value] of after.system.cpuTicks) {
    // iowait may go backwards by design of the kernel.
    const delta = Math.max(0, value - (before.system.cpuTicks.get(name) ?? value));
    spent.push([name, delta]);
    ticks += delta;
  }
  if (ticks > 0) for (const [name, delta] of spent) metrics[name] = round((delta / ticks) * 100);
  for (const [name, value] of after.system.gauges) metrics[name] = value;
  for (const [name, value] of after.system.counters) {
    const last = before.system.counters.get(name);
    if (last !== undefined && value >= last) metrics[name] = round(((value - last) * 1000) / elapsedMs);
  }
  for (const [name, value] of after.system.busyMs) {
    const last = before.system.busyMs.get(name);
    if (last !== undefined && value >= last) {
      metrics[name] = round(Math.min(100, ((value - last) / elapsedMs) * 100));
    }
  }
  return metrics;
}

function ownUse(before: Sample, after: Sample, read: ReadText): OwnUse {
  const elapsedMs = Math.max(1, after.atMs - before.atMs);
  const cpuUs = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  // process.memoryUsage.rss() and heapUsed without a walk over the whole heap.
  const { rss, heapUsed } = process.memoryUsage();
  const anonymousBytes = kilobytes(read('/proc/self/status'), 'RssAnon');
  return {
    cpuPercent: (cpuUs / 1000 / elapsedMs) * 100,
    rssBytes: rss,
    ...(anonymousBytes === undefined ? {} : { anonymousBytes }),
    heapBytes: heapUsed,
    loopPercent: performance.eventLoopUtilization(after.loop, before.loop).utilization * 100,
  };
}

/** `NAME:  123 kB` of a file under /proc, in bytes. */
function kilobytes(text: string | undefined, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text ?? '')?.[1];
  return found === undefined ? undefined : Number(found) * 1024;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** How the observability lane fills in missing samples: a straight line between the two measured neighbours. */
export function metricsImputation(intervalMs: number): Imputation {
  return { intervalMs, maxPerGap: MAX_IMPUTED, interpolate: interpolateMetrics };
}

/** Both payloads are the JSON of a metric event (event-json.ts); so is the result, with `synthetic` set. */
export function interpolateMetrics(
  before: Uint8Array,
  after: Uint8Array,
  fraction: number,
  tsNs: bigint,
): Uint8Array | undefined {
  const first = parse(before);
  const second = parse(after);
  if (first?.metrics === undefined || second?.metrics === undefined) return undefined;
  const metrics: Record<string, number> = {};
  for (const [name, from] of Object.entries(first.metrics)) {
    const to = second.metrics[name];
    if (to !== undefined) metrics[name] = round(from + (to - from) * fraction);
  }
  return Buffer.from(JSON.stringify({ ...second, tsNs: tsNs.toString(), metrics, synthetic: true }));
}

function parse(payload: Uint8Array): { metrics?: Record<string, number> } | undefined {
  try {
    return JSON.parse(Buffer.from(payload).toString('utf8')) as { metrics?: Record<string, number> };
  } catch {
    return undefined;
  }
}
