/**
 * The agent: the one place where its parts are made and joined. What happens to an event is in pipeline.ts.
 *
 * One thread decides and never waits for a disk: the log writers and the sensor have native threads of their own, the
 * timeline (SQLite) a worker. Hosts: `sentinel run`, the desktop app's utility process, tests.
 */
import { loadCore } from '../native-addon/index.ts';
import { AgentRules } from './rules-setup.ts';
import { openAgentApi, type AgentApi } from './agent-api.ts';
import { HealthBuilder } from './agent-health.ts';
import { Checkpointer } from './audit/checkpoint.ts';
import type { HealthSnapshot } from './api/contract.ts';
import { groupId, SOCKET_GROUP } from './api/socket-server.ts';
import type { ApiServer } from './api/server.ts';
import type { Role } from './api/services.ts';
import type { Config } from './config.ts';
import { dataPaths, lockDataDir, nextEpoch, protectDataDir } from './data-dir.ts';
import { describeError, ErrorCounters } from './errors.ts';
import type { GuardianEnforcer } from './enforce/enforcer.ts';
import { eventToJson } from './event-json.ts';
import { eventIdOf, type GapInfo, type SentinelEvent } from './event.ts';
import { GapLedger } from './gap-ledger.ts';
import { createEnforcer, tamperEvent } from './enforcement.ts';
import { dlpHealth } from './dlp-health.ts';
import { openDlp } from './open-dlp.ts';
import { dlpOpener } from './dlp-open.ts';
import { openPolicies } from './open-policies.ts';
import { hostInfo, resyncWallClock, wallNowNs } from './host-info.ts';
import { openIdentity } from './identity/identity.ts';
import { createLog, RotatingFile } from './log.ts';
import { startMetrics } from './metrics-lane.ts';
import { appendJson, openLanes } from './open-lanes.ts';
import { openTimeline } from './open-timeline.ts';
import { openLogs } from './open-logs.ts';
import { Pipeline } from './pipeline.ts';
import type { LifecycleClock } from './policy/lifecycle.ts';
import { bootNowNs, wallOffsetNs } from './sensors/boot-clock.ts';
import { ContainerTable } from './sensors/containers.ts';
import { encodeEvent } from './sensors/encode.ts';
import { ExecutableHasher } from './sensors/hashes.ts';
import { ProcessTree } from './sensors/process-tree.ts';
import { selectSensor, type SensorPreference } from './sensors/select-sensor.ts';
import type { SensorBatch } from './sensors/types.ts';
import { UserTable } from './sensors/users.ts';
import { parseScope } from './sensor-scope.ts';
import { serveMetrics } from './prometheus.ts';
import { collectGarbage } from './resident.ts';
import { Retention } from './retention.ts';
import { VERSION } from './version.ts';
import { RecordType, Schema, type WalRecordInput } from './wal/types.ts';
import { watchRecord } from './watched-until.ts';

export interface AgentOptions {
  dataDir: string;
  config: Config;
  /** Time as the life of policies sees it; for tests that cannot wait an hour. No program of ours gives one. */
  policyClock?: LifecycleClock;
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
/** Between two returns of freed memory to the system; one takes half a millisecond. */
const TRIM_TICKS = 10;

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
  { dataDir, config, policyClock }: AgentOptions,
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

  // Lanes, and who runs here: first record of this run.
  const { security, observability } = openLanes({ logs, settings, gaps, errors, log });
  undo.push(() => security.close());
  undo.push(() => observability.close());
  const epochRecord = {
    bootId: host.bootId,
    deviceId: identity.deviceId,
    epoch,
    version: VERSION,
    keyId: identity.keyId,
  };
  appendJson(security, RecordType.epoch, startedNs, epochRecord, true);

  // Detection.
  const rules = await AgentRules.load(dataDir, settings);
  undo.push(() => rules.close());
  const tree = new ProcessTree({
    maxProcesses: settings['sensor.processCache'],
    users: new UserTable(),
    containers: new ContainerTable(),
  });
  const core = loadCore();
  let enforcer: GuardianEnforcer | undefined;
  const hasher = new ExecutableHasher({
    native: core.ok ? core.addon : undefined,
    maxBytes: settings['sensor.hashMaxBytes'],
    onHash: (hash, seqs) => {
      appendJson(security, RecordType.hash, wallNowNs(), hash, false);
      enforcer?.learned(hash, hash);
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
  const retention = new Retention({
    dataDir,
    logs,
    gaps,
    maxBytes: settings['wal.maxBytes'],
    maxAgeDays: settings['wal.maxAgeDays'],
    log,
  });
  const { timeline, state: timelineState } = await openTimeline({
    dataDir,
    settings,
    logs,
    retention,
    errors,
    log,
    undo,
  });

  // Sensor: the best this machine allows.
  const { sensor, tried } = await selectSensor({
    prefer: settings['sensor.prefer'] as SensorPreference,
    scope: parseScope(settings.scope),
    walHandle: logs.security.nativeHandle,
    keeperTag: dataDir,
    readOpens: settings['sensor.readOpens'],
  });
  const refusedTiers = tried.filter(({ tier }) => tier !== sensor.tier);
  for (const refused of refusedTiers) log.warn(refused, 'a better sensor is not available');
  // Before anything is read from it: what this machine can promise is tried on the agent's own program.
  const guardians = createEnforcer({
    core: core.ok ? core.addon : undefined,
    sensor,
    scope: parseScope(settings.scope),
    dataDir,
    nowNs: wallNowNs,
    known: (visit) => hasher.forEachKnown(visit),
    onAct: (event) => pipeline.onBatch(batchOf(event)),
  });
  undo.push(() => guardians.close());
  enforcer = guardians;
  const dlp = openDlp({
    dataDir,
    settings,
    identity,
    core: core.ok ? core.addon : undefined,
    pipeline,
    tier: sensor.tier,
    enforcer: guardians,
    hasPoliciesFor: (type, action) => policies.engine.hasPoliciesFor(type, action),
    complete: (event) => tree.apply(event),
    open: dlpOpener(dataDir, settings['dlp.keys'], settings['dlp.trust'], {
      maxOutputBytes: settings['dlp.unpackedBytes'],
      maxRatio: settings['dlp.unpackedRatio'],
      maxDepth: settings['dlp.containerDepth'],
      maxMembers: settings['dlp.containerFiles'],
    }),
    log,
  });
  undo.push(() => dlp.service.close());
  undo.push(() => dlp.scans.close());
  const policies = openPolicies({
    dataDir,
    settings,
    identity,
    enforcer: guardians,
    quarantine: (decision, event) => dlp.quarantine.take(decision, event),
    dlpNames: () => dlp.service.indexes.engine?.names() ?? { indexes: [], rules: [] },
    pipeline,
    security,
    errors,
    log,
    ...(policyClock === undefined ? {} : { clock: policyClock }),
  });
  await dlp.service.tick();
  await sensor.start(pipeline);
  // Only now is the machine watched: what recovery found, and the time until here that nobody saw.
  const watchingNs = sensor.watchingSinceNs ?? wallNowNs();
  for (const gap of logs.gapsAtStart(watchingNs)) gaps.record(gap);
  gaps.flush();
  security.append([watchRecord('watch_begin', watchingNs)], true);
  undo.push(() => sensor.stop());
  undo.push(() => void security.append([watchRecord('watch_end', wallNowNs())], false));

  const metrics = startMetrics(observability, dataDir, settings['metrics.intervalMs']);
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
    enforcement: () => guardians.status(),
    policyActs: () => policies.acts.latest(),
    dlp: () => dlpHealth(dlp),
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
    ruleSet: () => rules.detector.rules,
    policies,
    onConsole: (pid) => guardians.protectConsole(pid),
    dlp,
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

  let ticks = 0;
  const timer = setInterval(() => {
    const stepNs = resyncWallClock();
    if (stepNs !== 0n) gaps.record(clockStep(stepNs, wallNowNs()));
    for (const trouble of guardians.tick())
      security.append([recordOf(tamperEvent(trouble, wallNowNs()))], true);
    policies.tick();
    void dlp.service.tick();
    health.tick();
    for (const checkpoint of checkpoints) checkpoint.sign();
    retention.tick();
    ticks += 1;
    if (ticks % TRIM_TICKS === 0 && core.ok) core.addon.trimHeap();
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

/** The time that a stepped wall clock skipped or tells twice. */
function clockStep(stepNs: bigint, nowNs: bigint): GapInfo {
  const detail = `${stepNs} ns`;
  return { lane: 'security', cause: 'clock_step', count: 0, fromNs: nowNs - stepNs, toNs: nowNs, detail };
}

/** A refusal that was not the kernel's own, as the sensor would have told of it. */
function batchOf(event: SentinelEvent): SensorBatch {
  const bytes = encodeEvent(event, bootNowNs());
  return { lane: 'security', bytes, count: 1, firstSeq: 0, wallOffsetNs: wallOffsetNs() };
}

/** The record of an event that user space made. */
function recordOf(event: SentinelEvent): WalRecordInput {
  const payload = Buffer.from(JSON.stringify(eventToJson(event)), 'utf8');
  return { type: RecordType.event, schema: Schema.jsonV1, wallNs: event.tsNs, payload };
}
