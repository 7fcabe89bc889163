/** Gathers the health snapshot from the parts of a running agent. */
import { statfsSync } from 'node:fs';
import type { DlpHealthJson, HealthSnapshot, PolicyActsJson, WalJson } from './api/contract.ts';
import type { EnforcementStatus } from './enforce/enforcer.ts';
import type { ErrorCounters } from './errors.ts';
import { levelOf, problemsOf, RateMeter, sentenceOf, type HealthFacts } from './health.ts';
import type { HostInfo } from './host-info.ts';
import type { ObservabilityLane } from './lanes/observability.ts';
import type { SecurityLane } from './lanes/security.ts';
import type { MetricsStream } from './metrics.ts';
import type { Pipeline } from './pipeline.ts';
import type { RulesInForce } from './rules-setup.ts';
import type { Sensor } from './sensors/types.ts';
import type { LanePositions } from './timeline-messages.ts';
import { VERSION } from './version.ts';
import type { WalWriter } from './wal/types.ts';

export interface HealthSources {
  dataDir: string;
  scope: string;
  host: HostInfo;
  deviceId: string;
  startedNs: bigint;
  nowNs: () => bigint;
  sensor: Sensor;
  refusedTiers: readonly { tier: string; reason: string }[];
  pipeline: Pipeline;
  security: SecurityLane;
  observability: ObservabilityLane;
  logs: { security: WalWriter; observability: WalWriter };
  metrics: MetricsStream;
  errors: ErrorCounters;
  enforcement: () => EnforcementStatus;
  policyActs: () => PolicyActsJson;
  dlp: () => DlpHealthJson;
  rules: () => RulesInForce;
  timeline: {
    running: boolean;
    cursors: LanePositions;
    gaps24h: { count: number; lostRecords: number };
    problem?: { what: string; remedy: string } | undefined;
  };
  api: () => HealthSnapshot['api'];
}

function walJson(writer: WalWriter): WalJson {
  const stats = writer.stats();
  return {
    lane: writer.lane,
    state: stats.state,
    writer: stats.writer,
    lastSeq: String(stats.lastSeq),
    durableSeq: String(stats.durableSeq),
    segments: stats.segments,
    bytesOnDisk: stats.bytesOnDisk,
    pendingBytes: stats.pendingBytes,
    flushP50Us: Math.round(stats.flushP50Us),
    flushP99Us: Math.round(stats.flushP99Us),
    failedWrites: stats.failedWrites,
    reason: stats.reason === '' ? undefined : stats.reason,
  };
}

function diskOf(dataDir: string): HealthSnapshot['disk'] {
  try {
    const { bavail, blocks, bsize } = statfsSync(dataDir);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    return undefined;
  }
}

export class HealthBuilder {
  readonly #sources: HealthSources;
  readonly #meters = {
    security: new RateMeter(),
    observability: new RateMeter(),
    detections: new RateMeter(),
  };
  #rates = { security: 0, observability: 0, detections: 0 };

  constructor(sources: HealthSources) {
    this.#sources = sources;
  }

  /** To be called every second or so: rates are over the last calls. */
  tick(): void {
    const nowMs = performance.now();
    const { totals } = this.#sources.pipeline;
    this.#rates = {
      security: this.#meters.security.sample(totals.security, nowMs),
      observability: this.#meters.observability.sample(totals.observability, nowMs),
      detections: this.#meters.detections.sample(totals.detections, nowMs),
    };
  }

  snapshot(): HealthSnapshot {
    const s = this.#sources;
    const sensor = s.sensor.status();
    const wal = [walJson(s.logs.security), walJson(s.logs.observability)];
    const lane = s.observability.stats();
    const rules = s.rules();
    const enforcement = s.enforcement();
    const dlp = s.dlp();
    const own = s.metrics.own();
    const memory = process.memoryUsage();
    const api = s.api();
    const disk = diskOf(s.dataDir);
    const nowNs = s.nowNs();
    const facts: HealthFacts = {
      tier: sensor.tier,
      scope: s.scope,
      hooks: sensor.hooks,
      blindSpots: sensor.blindSpots,
      refusedTiers: s.refusedTiers,
      wal,
      gaps24h: s.timeline.gaps24h,
      timelineRunning: s.timeline.running,
      timelineProblem: s.timeline.problem,
      disk,
      lastRefusal: api.lastRefusal,
      nowNs,
      laneState: lane.state,
      rulesFailed: rules.failed.length,
      enforcementTroubles: enforcement.troubles,
      rulesLoaded: rules.loaded,
      dlp,
    };
    const problems = problemsOf(facts);
    const { cursors } = s.timeline;
    return {
      dlp,
      level: levelOf(problems),
      sentence: sentenceOf(facts),
      version: VERSION,
      startedNs: s.startedNs.toString(),
      nowNs: nowNs.toString(),
      host: { ...s.host, deviceId: s.deviceId },
      dataDir: s.dataDir,
      problems,
      sensor: {
        tier: sensor.tier,
        scope: s.scope,
        hooks: sensor.hooks,
        blindSpots: sensor.blindSpots,
        rings: sensor.rings,
      },
      rates: this.#rates,
      totals: { ...s.pipeline.totals },
      gaps24h: s.timeline.gaps24h,
      wal,
      observabilityLane: {
        state: lane.state,
        bufferedBytes: lane.bufferedBytes,
        maxBufferBytes: lane.maxBufferBytes,
        dropped: lane.dropped,
        batchSize: lane.batchSize,
        synthetic: lane.synthetic,
      },
      sinks: (['security', 'observability'] as const).map((name) => ({
        name: 'timeline',
        lane: name,
        cursorSeq: String(cursors[name]),
        lagRecords: Math.max(0, s.logs[name].durableSeq - cursors[name]),
      })),
      latency: {
        kernelToDecision: s.pipeline.kernelToDecision.percentiles(),
        kernelToObserved: s.pipeline.kernelToObserved.percentiles(),
        kernelToDurable: s.pipeline.kernelToDurable.percentiles(),
        detect: s.pipeline.detectTime.percentiles(),
      },
      agent: {
        pid: process.pid,
        cpuPercent: own.cpuPercent,
        rssBytes: memory.rss,
        ...(own.pssBytes === undefined ? {} : { pssBytes: own.pssBytes }),
        heapBytes: memory.heapUsed,
      },
      api,
      shield: { suspicious: s.pipeline.shield.suspicious, malicious: s.pipeline.shield.malicious },
      policyActs: s.policyActs(),
      enforcement: {
        ...enforcement,
        reach: enforcement.reach.map(({ action, guardian, reach }) => ({ action, guardian, ...reach })),
        frozen: [...enforcement.frozen],
        cut: [...enforcement.cut],
        troubles: [...enforcement.troubles],
      },
      disk,
      rules: { loaded: rules.loaded, failed: rules.failed, indicators: rules.indicators },
      errors: s.errors.snapshot(),
    };
  }
}
