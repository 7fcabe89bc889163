/**
 * The agent: the one place where its parts are made and joined. What happens to an event is in pipeline.ts.
 *
 * One thread decides and never waits for a disk: the log writers and the sensor have native threads of their own, the
 * timeline (SQLite) a worker. Hosts: `sentinel run`, the desktop app's utility process, tests.
 */
import { loadCore } from '../native-addon/index.ts';
import { AgentRules } from './rules-setup.ts';
import { openAgentApi, type AgentApi } from './agent-api.ts';
import { HealthBuilder, type HealthSources } from './agent-health.ts';
import { Checkpointer } from './audit/checkpoint.ts';
import type { HealthSnapshot } from './api/contract.ts';
import { groupId, SOCKET_GROUP } from './api/socket-server.ts';
import type { ApiServer } from './api/server.ts';
import type { Role } from './api/services.ts';
import type { Config } from './config.ts';
import { dataPaths, lockDataDir, nextEpoch, protectDataDir } from './data-dir.ts';
import { describeError, ErrorCounters } from './errors.ts';
import { eventToJson } from './event-json.ts';
import { eventIdOf, type SentinelEvent } from './event.ts';
import { GapLedger } from './gap-ledger.ts';
import { hostInfo, resyncWallClock, wallNowNs } from './host-info.ts';
import { openIdentity } from './identity/identity.ts';
import { ObservabilityLane } from './lanes/observability.ts';
import { SecurityLane } from './lanes/security.ts';
import { createLog, RotatingFile } from './log.ts';
import { METRICS_STREAM, metricsImputation, MetricsStream } from './metrics.ts';
import { openLogs } from './open-logs.ts';
import { Pipeline } from './pipeline.ts';
import { ContainerTable } from './sensors/containers.ts';
import { ExecutableHasher } from './sensors/hashes.ts';
import { ProcessTree } from './sensors/process-tree.ts';
import { selectSensor, type SensorPreference } from './sensors/select-sensor.ts';
import { UserTable } from './sensors/users.ts';
import { parseScope } from './sensor-scope.ts';
import { serveMetrics } from './prometheus.ts';
import { collectGarbage } from './resident.ts';
import { Retention } from './retention.ts';
import { TimelineClient } from './timeline-client.ts';
import { VERSION } from './version.ts';
import { RecordType, Schema, type WalRecordInput } from './wal/types.ts';
import { watchRecord } from './watched-until.ts';

export interface AgentOptions {
  dataDir: string;
  config: Config;
}

export interface RunningAgent {
  readonly sensorTier: string;
  /** For hosts that bring their own transport (a MessagePort). */
  readonly apiServer: ApiServer;
  /** A fresh one-time address of the console; undefined while it is off. */
  consoleUrl(role: Role): string | undefined;
  health(): HealthSnapshot;
  /** Stops the sensor, drains, commits and closes everything. */
  stop(): Promise<void>;
}

const TICK_MS = 1000;
const NS_PER_DAY = 86_400_000_000_000n;

/**
 * Starts an agent on a data folder.
 * @throws SentinelError when the folder is in use or not writable, a log cannot be opened, or a port is taken.
 */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  /** What to undo, last first: on failure while starting, and on stop. */
  const undo: (() => void | Promise<void>)[] = [];
  try {
    return await compose(options, undo);
  } catch (error) {
    for (const step of undo.reverse()) await Promise.resolve(step()).catch(() => {});
    throw error;
  }
}

async function compose(
  { dataDir, config }: AgentOptions,
  undo: (() => void | Promise<void>)[],
): Promise<RunningAgent> {
  const settings = config.values;
  const paths = dataPaths(dataDir);
  const lock = lockDataDir(dataDir);
  undo.push(() => lock.release());
  protectDataDir(dataDir, groupId(SOCKET_GROUP), lock.isOurs);

  const logFile = new RotatingFile(paths.log, settings['log.maxBytes'], settings['log.maxFiles']);
  undo.push(() => logFile.close());
  const log = createLog(logFile, settings['log.level']);
  const errors = new ErrorCounters();
  const host = hostInfo();
  const identity = openIdentity(dataDir);
  const startedNs = wallNowNs();
  const epoch = nextEpoch(dataDir);

  // Durable logs, with what their recovery found.
  const logs = await openLogs({
    dataDir,
    deviceId: identity.deviceId,
    epoch,
    segmentBytes: settings['wal.segmentBytes'],
    log,
  });
  undo.push(() => logs.close());
  const checkpoints = [logs.security, logs.observability].map(
    (writer) => new Checkpointer(writer, identity, wallNowNs),
  );
  undo.push(async () => {
    await logs.settle();
    for (const checkpoint of checkpoints) checkpoint.sign();
  });
  const gaps = new GapLedger({
    identity,
    writer: logs.security,
    nowNs: wallNowNs,
    onFailure: (error) => errors.count(`gap_not_written_${(error as Error).name}`),
  });
  undo.push(() => gaps.flush());

  // Lanes.
  const security = new SecurityLane(logs.security, {
    onAlarm: (error) => {
      errors.count('security_log_failed');
      log.error({ reason: error.message }, 'the security log cannot be written');
    },
    onGap: (gap) => gaps.record({ lane: 'security', ...gap }),
  });
  undo.push(() => security.close());
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
  undo.push(() => observability.close());

  // Who runs here: first record of this run; then the holes that recovery found, and the time nobody watched.
  const epochRecord = {
    bootId: host.bootId,
    deviceId: identity.deviceId,
    epoch,
    version: VERSION,
    keyId: identity.keyId,
  };
  security.append(
    [
      {
        type: RecordType.epoch,
        schema: Schema.jsonV1,
        wallNs: startedNs,
        payload: Buffer.from(JSON.stringify(epochRecord)),
      },
    ],
    true,
  );

  // Detection.
  const rules = await AgentRules.load(dataDir, settings);
  undo.push(() => rules.close());
  const tree = new ProcessTree({
    maxProcesses: settings['sensor.processCache'],
    users: new UserTable(),
    containers: new ContainerTable(),
  });
  const core = loadCore();
  const hasher = new ExecutableHasher({
    native: core.ok ? core.addon : undefined,
    maxBytes: settings['sensor.hashMaxBytes'],
    onHash: (hash, seqs) => {
      const text = JSON.stringify(hash, (_, value: unknown) =>
        typeof value === 'bigint' ? value.toString() : value,
      );
      const payload = Buffer.from(text, 'utf8');
      security.append(
        [{ type: RecordType.hash, schema: Schema.jsonV1, wallNs: wallNowNs(), payload }],
        false,
      );
      pipeline.lateHashes(hash, seqs);
    },
  });
  undo.push(() => hasher.close());
  const pipeline = new Pipeline({
    security,
    observability,
    tree,
    hasher,
    detector: rules.detector,
    gaps,
    errors,
    nowNs: wallNowNs,
  });

  // Timeline, in its worker.
  const stored = { security: 0, observability: 0 };
  const timelineState: HealthSources['timeline'] = {
    running: true,
    cursors: stored,
    gaps24h: { count: 0, lostRecords: 0 },
  };
  const retention = new Retention({
    dataDir,
    logs,
    gaps,
    maxBytes: settings['wal.maxBytes'],
    maxAgeDays: settings['wal.maxAgeDays'],
    log,
  });
  const timeline = new TimelineClient(
    {
      dataDir,
      processCache: settings['sensor.processCache'],
      maxTimelineBytes: settings['timeline.maxBytes'],
      maxTimelineAgeNs: BigInt(settings['timeline.maxAgeDays']) * NS_PER_DAY,
    },
    {
      onStored: (cursors, rejected, gaps24h) => {
        timelineState.cursors = cursors;
        timelineState.gaps24h = gaps24h;
        retention.stored(cursors);
        if (rejected > 0) errors.count('timeline_rejected', rejected);
      },
      onProblem: (code, message) => {
        errors.count(code);
        log.error({ code }, message);
        timelineState.running = timeline.running;
      },
      onTrouble: (trouble) => {
        timelineState.problem = trouble;
        if (!trouble) log.info({}, 'the timeline takes records again');
      },
    },
  );
  undo.push(() => timeline.close());
  timelineState.cursors = await timeline.ready();
  retention.stored(timelineState.cursors);
  undo.push(logs.security.onDurable((seq) => timeline.durable('security', seq)));
  undo.push(logs.observability.onDurable((seq) => timeline.durable('observability', seq)));

  // Sensor: the best this machine allows.
  const { sensor, tried } = await selectSensor({
    prefer: settings['sensor.prefer'] as SensorPreference,
    scope: parseScope(settings.scope),
    walHandle: logs.security.nativeHandle,
    readOpens: settings['sensor.readOpens'],
  });
  const refusedTiers = tried.filter(({ tier }) => tier !== sensor.tier);
  for (const refused of refusedTiers) log.warn(refused, 'a better sensor is not available');
  await sensor.start(pipeline);
  // Only now is the machine watched: what recovery found, and the time until here that nobody saw.
  const watchingNs = sensor.watchingSinceNs ?? wallNowNs();
  for (const gap of logs.gapsAtStart(watchingNs)) gaps.record(gap);
  gaps.flush();
  security.append([watchRecord('watch_begin', watchingNs)], true);
  undo.push(() => sensor.stop());
  undo.push(() => void security.append([watchRecord('watch_end', wallNowNs())], false));

  // The first stream of the observability lane: what the machine and the agent use.
  observability.allowImputation(METRICS_STREAM, metricsImputation(settings['metrics.intervalMs']));
  const metrics = new MetricsStream({
    intervalMs: settings['metrics.intervalMs'],
    dataDir,
    onSample: (event) => offerEvent(observability, METRICS_STREAM, event),
  });
  metrics.start();
  undo.push(() => metrics.stop());

  // The Local API and what it shows.
  let api: AgentApi | undefined;
  const health = new HealthBuilder({
    dataDir,
    scope: settings.scope,
    host,
    deviceId: identity.deviceId,
    startedNs,
    nowNs: wallNowNs,
    sensor,
    refusedTiers,
    pipeline,
    security,
    observability,
    logs,
    metrics,
    errors,
    rules: () => rules.inForce(),
    timeline: timelineState,
    api: () => api?.counters() ?? { clients: 0, shed: 0, refused: 0 },
  });
  api = await openAgentApi({
    dataDir,
    config,
    log,
    timeline,
    health: () => health.snapshot(),
    settle: async () => {
      observability.flush();
      gaps.flush();
      await logs.settle();
      return { security: logs.security.durableSeq, observability: logs.observability.durableSeq };
    },
    record: (events) => {
      const first = security.append(events.map(recordOf), true);
      return first === 0 ? [] : events.map((_, index) => eventIdOf('security', first + index));
    },
    nowNs: wallNowNs,
    rules: () => rules.list(),
    reloadRules: async () => {
      pipeline.useDetector(await rules.reload());
      return rules.inForce();
    },
  });
  const opened = api;
  undo.push(() => opened.close());
  if (settings['prometheus.port'] !== 0) {
    const metricsServer = await serveMetrics(settings['prometheus.port'], () => health.snapshot());
    undo.push(() => metricsServer.close());
  }

  const timer = setInterval(() => {
    const stepNs = resyncWallClock();
    if (stepNs !== 0n) {
      const nowNs = wallNowNs();
      gaps.record({
        lane: 'security',
        cause: 'clock_step',
        count: 0,
        fromNs: nowNs - stepNs,
        toNs: nowNs,
        detail: `${stepNs} ns`,
      });
    }
    health.tick();
    for (const checkpoint of checkpoints) checkpoint.sign();
    retention.tick();
  }, TICK_MS);
  undo.push(() => clearInterval(timer));

  collectGarbage();
  if (core.ok) core.addon.trimHeap();
  log.info({ tier: sensor.tier, scope: settings.scope, epoch, version: VERSION }, 'recording');
  let stopping: Promise<void> | undefined;
  return {
    sensorTier: sensor.tier,
    apiServer: opened.server,
    consoleUrl: (role) => opened.consoleUrl(role),
    health: () => health.snapshot(),
    stop: () =>
      (stopping ??= (async () => {
        log.info({}, 'stopping');
        for (const step of undo.reverse()) {
          await Promise.resolve()
            .then(step)
            .catch((error: unknown) =>
              process.stderr.write(`sentinel: while stopping: ${describeError(error)}\n`),
            );
        }
      })()),
  };
}

/** The record of an event that user space made. */
function recordOf(event: SentinelEvent): WalRecordInput {
  const payload = Buffer.from(JSON.stringify(eventToJson(event)), 'utf8');
  return { type: RecordType.event, schema: Schema.jsonV1, wallNs: event.tsNs, payload };
}

/** Offers an event that user space made to the observability lane. */
function offerEvent(lane: ObservabilityLane, stream: string, event: SentinelEvent): void {
  lane.offer({
    stream,
    level: 'info',
    tsNs: event.tsNs,
    bytes: Buffer.from(JSON.stringify(eventToJson(event)), 'utf8'),
    type: RecordType.event,
    schema: Schema.jsonV1,
    cpu: 0xffff,
  });
}
