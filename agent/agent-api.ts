/** The Local API of a running agent: the services behind the contract, and where it listens. */
import { loadCore } from '../native-addon/index.ts';
import { startConsoleServer, type ConsoleServer } from './api/console-server.ts';
import type { HealthSnapshot, RuleSummary, TriageDecision } from './api/contract.ts';
import { createApiServer, type ApiServer } from './api/server.ts';
import { ApiFailure, type ApiServices, type Peer, type Role } from './api/services.ts';
import { listenOnSocket, socketPathOf, type SocketServer } from './api/socket-server.ts';
import type { Config } from './config.ts';
import { dataPaths } from './data-dir.ts';
import { machineChecks } from './doctor.ts';
import { dlpMethods } from './dlp-api.ts';
import type { Dlp } from './open-dlp.ts';
import type { RuleSet } from './detect/rule-set.ts';
import { ownerOfConnection } from './enforce/console-host.ts';
import { SentinelError } from './errors.ts';
import type { SentinelEvent } from './event.ts';
import { createEvidence } from './evidence.ts';
import { createLogChecks } from './log-check.ts';
import { commandRunner } from './run-command.ts';
import { exceptionMethods } from './exception-service.ts';
import type { Log } from './log.ts';
import { policyMethods } from './policy-api.ts';
import { TAG_KIND, expandTags } from './process-tags.ts';
import type { PolicyService } from './policy-service.ts';
import { consoleDir } from './resources.ts';
import { SavedItems } from './saved-items.ts';
import { UserTable } from './sensors/users.ts';
import type { TimelineClient } from './timeline-client.ts';
import type { LanePositions } from './timeline-messages.ts';
import { decisionOf, triageEvents } from './triage.ts';
import { VERSION } from './version.ts';

export interface AgentApiParts {
  dataDir: string;
  config: Config;
  log: Log;
  timeline: TimelineClient;
  health: () => HealthSnapshot;
  /** Commits what both lanes hold; the answer is how far a query must be able to see. */
  settle: () => Promise<LanePositions>;
  /** Appends events that the agent makes to the security log; their ids, or none when the log has failed. */
  record: (events: readonly SentinelEvent[]) => readonly number[];
  nowNs: () => bigint;
  rules: () => RuleSummary[];
  /** The rules and exceptions in force. */
  ruleSet: () => RuleSet;
  policies: PolicyService;
  /** A process shows the console to somebody who may change things. */
  onConsole: (pid: number) => void;
  dlp: Dlp;
  reloadRules: () => Promise<{ loaded: number; failed: { file: string; reason: string }[] }>;
}

export interface AgentApi {
  readonly server: ApiServer;
  /** A fresh one-time address; undefined while the console is off. */
  consoleUrl(role: Role): string | undefined;
  counters(): HealthSnapshot['api'];
  close(): Promise<void>;
}

const HEALTH_MS = 1000;

export async function openAgentApi(parts: AgentApiParts): Promise<AgentApi> {
  let consoleServer: ConsoleServer | undefined;
  const { timeline } = parts;
  /** First pages reflect what the kernel had delivered when they were asked for; further pages need not. */
  const fresh = async (params: { before?: string; after?: string }): Promise<LanePositions | undefined> =>
    params.before === undefined && params.after === undefined ? parts.settle() : undefined;

  const users = new UserTable();
  const byOf = ({ uid, transport }: Peer): TriageDecision['by'] => ({
    uid,
    user: uid === undefined ? undefined : users.nameOf(uid),
    via: transport,
  });
  const saved = new SavedItems(dataPaths(parts.dataDir).saved, (problem) => parts.log.warn({}, problem));

  const untagged = <P extends { query: string }>(params: P): P => ({
    ...params,
    query: expandTags(params.query, () => saved.list(TAG_KIND)),
  });

  const run = commandRunner(process.argv[1]);
  const checks = createLogChecks(run, parts.dataDir, parts.nowNs);
  const evidence = createEvidence(run, parts.dataDir);

  const services: ApiServices = {
    methods: {
      'health.get': async () => parts.health(),
      'query.check': (params) => timeline.call('query.check', params),
      'events.query': async (params) => timeline.call('events.query', untagged(params), await fresh(params)),
      // Of the same moment as the rows, and after them.
      'events.histogram': async (params, { signal }) =>
        timeline.call('events.histogram', untagged(params), await parts.settle(), signal),
      'events.facets': async (params, { signal }) =>
        timeline.call('events.facets', untagged(params), await parts.settle(), signal),
      'events.get': async (params) => timeline.call('events.get', params),
      'events.around': (params) => timeline.call('events.around', params),
      'gaps.totals': async (params) => timeline.call('gaps.totals', params, await parts.settle()),
      'events.gaps': async (params) => timeline.call('events.gaps', params, await parts.settle()),
      'process.tree': async (params) => timeline.call('process.tree', params, await parts.settle()),
      'tree.ancestors': async (params) => timeline.call('tree.ancestors', params, await parts.settle()),
      'tree.children': async (params) =>
        timeline.call('tree.children', params, params.after === undefined ? await parts.settle() : undefined),
      'tree.overview': async (params) => timeline.call('tree.overview', params, await parts.settle()),
      'tree.search': async (params) => timeline.call('tree.search', untagged(params), await parts.settle()),
      'events.export': async (params) =>
        timeline.call('events.export', untagged(params), await fresh(params)),
      'triage.list': async (params) => timeline.call('triage.list', params, await parts.settle()),
      'triage.set': async (params, { peer }) => {
        const missing = await timeline.call(
          'events.missing',
          { eventIds: params.eventIds },
          await parts.settle(),
        );
        const [first] = JSON.parse(missing.text) as string[];
        if (first !== undefined)
          throw new ApiFailure('not_found', `there is no event ${first}; nothing was labelled`);
        const events = triageEvents(params, byOf(peer), parts.nowNs());
        const ids = parts.record(events);
        for (const eventId of params.eventIds) parts.policies.labelled(Number(eventId), params.label);
        if (ids.length < events.length) {
          throw new ApiFailure(
            'unavailable',
            'the security log takes no records; nothing was labelled. See sentinel status',
          );
        }
        await parts.settle();
        const decisions = events.map((event, index) => decisionOf({ ...event, eventId: ids[index] ?? 0 }));
        return { decisions: decisions.filter((decision) => decision !== undefined) };
      },
      'saved.list': async ({ kind }) => ({ items: saved.list(kind) }),
      'saved.put': async (params, { peer }) => {
        const item = { ...params, updatedNs: parts.nowNs().toString(), by: byOf(peer) };
        saved.put(item);
        return { item };
      },
      'saved.delete': async ({ kind, name }) => ({ removed: saved.delete(kind, name) }),
      'log.check': async ({ start }) => {
        if (!start) return checks.state();
        await parts.settle();
        return checks.start();
      },
      'evidence.start': async ({ query }) => {
        await parts.settle();
        return evidence.start(query);
      },
      'evidence.state': async () => evidence.state(),
      'evidence.read': async ({ offset }) => evidence.read(offset),
      'evidence.cancel': async () => evidence.cancel(),
      ...exceptionMethods(parts, byOf),
      ...policyMethods({ ...parts, refreshDlp: () => parts.dlp.service.indexes.refresh() }, byOf),
      ...dlpMethods(parts, byOf),
      'doctor.check': async () => ({ checks: machineChecks(parts.dataDir) }),
      'rules.list': async () => ({ rules: parts.rules() }),
      'rules.reload': () => parts.reloadRules(),
      'console.url': async (_params, { peer }) => {
        if (!consoleServer)
          throw new ApiFailure('unavailable', 'the console is off; start the agent with --console on');
        return consoleServer.issueUrl(peer);
      },
    },
    onWatcher: ({ role, pid, port }) => {
      if (role !== 'privileged') return;
      if (pid !== undefined) parts.onConsole(pid);
      else if (port !== undefined && consoleServer)
        void ownerOfConnection(consoleServer.port, port).then(
          (owner) => owner !== undefined && parts.onConsole(owner),
          () => {}, // Without /proc nobody is found.
        );
    },
    watchHealth: (listener) => {
      const timer = setInterval(() => listener(parts.health()), HEALTH_MS);
      listener(parts.health());
      return () => clearInterval(timer);
    },
    followEvents: async (query, limit, listener) =>
      timeline.follow(
        expandTags(query, () => saved.list(TAG_KIND)),
        limit,
        listener,
        await parts.settle(),
      ),
  };

  const server = createApiServer({ services, version: VERSION, log: parts.log });
  const core = loadCore();
  let socket: SocketServer | undefined;
  try {
    socket = await listenOnSocket({
      server,
      path: socketPathOf(parts.dataDir),
      peerCredentials: core.ok ? (fd) => core.addon.peerCredentials(fd) : undefined,
    });
    const { values } = parts.config;
    if (values['console.mode'] === 'on') {
      const folder = consoleDir();
      if (folder) consoleServer = await startConsoleServer({ server, folder, port: values['console.port'] });
      else
        throw new SentinelError(
          'no_console',
          'the console is not built',
          'run npm run build, or start with --console off',
        );
    }
  } catch (error) {
    server.close();
    await socket?.close();
    throw error;
  }
  return {
    server,
    consoleUrl: (role) => consoleServer?.issueUrl({ role, uid: process.getuid?.() }).url,
    counters: () => server.counters.snapshot(),
    close: async () => {
      checks.close();
      server.close();
      await Promise.all([socket.close(), consoleServer?.close()]);
    },
  };
}
