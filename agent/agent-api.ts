/** The Local API of a running agent: the services behind the contract, and where it listens. */
import { loadCore } from '../native-addon/index.ts';
import { startConsoleServer, type ConsoleServer } from './api/console-server.ts';
import type { HealthSnapshot, RuleSummary } from './api/contract.ts';
import { createApiServer, type ApiServer } from './api/server.ts';
import { ApiFailure, type ApiServices } from './api/services.ts';
import { listenOnSocket, socketPathOf, type SocketServer } from './api/socket-server.ts';
import type { Config } from './config.ts';
import { SentinelError } from './errors.ts';
import type { Log } from './log.ts';
import { consoleDir } from './resources.ts';
import type { TimelineClient } from './timeline-client.ts';
import type { LanePositions } from './timeline-messages.ts';
import { VERSION } from './version.ts';

export interface AgentApiParts {
  dataDir: string;
  config: Config;
  log: Log;
  timeline: TimelineClient;
  health: () => HealthSnapshot;
  /** Commits what both lanes hold; the answer is how far a query must be able to see. */
  settle: () => Promise<LanePositions>;
  rules: () => RuleSummary[];
  reloadRules: () => Promise<{ loaded: number; failed: { file: string; reason: string }[] }>;
}

export interface AgentApi {
  readonly server: ApiServer;
  /** The one-time address made at start; absent while the console is off. */
  readonly consoleUrl?: string;
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

  const services: ApiServices = {
    methods: {
      'health.get': async () => parts.health(),
      'query.check': (params) => timeline.call('query.check', params),
      'events.query': async (params) => timeline.call('events.query', params, await fresh(params)),
      'events.histogram': (params) => timeline.call('events.histogram', params),
      'events.facets': (params) => timeline.call('events.facets', params),
      'events.get': async (params) => timeline.call('events.get', params),
      'events.around': (params) => timeline.call('events.around', params),
      'events.gaps': async (params) => timeline.call('events.gaps', params, await parts.settle()),
      'process.tree': async (params) => timeline.call('process.tree', params, await parts.settle()),
      'tree.ancestors': async (params) => timeline.call('tree.ancestors', params, await parts.settle()),
      'tree.children': async (params) =>
        timeline.call('tree.children', params, params.after === undefined ? await parts.settle() : undefined),
      'rules.list': async () => ({ rules: parts.rules() }),
      'rules.reload': () => parts.reloadRules(),
      'console.url': async (_params, { peer }) => {
        if (!consoleServer)
          throw new ApiFailure('unavailable', 'the console is off; start the agent with --console on');
        return consoleServer.issueUrl(peer.role);
      },
    },
    watchHealth: (listener) => {
      const timer = setInterval(() => listener(parts.health()), HEALTH_MS);
      listener(parts.health());
      return () => clearInterval(timer);
    },
    followEvents: async (query, limit, listener) =>
      timeline.follow(query, limit, listener, await parts.settle()),
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
    consoleUrl: consoleServer?.url,
    counters: () => server.counters.snapshot(),
    close: async () => {
      server.close();
      await Promise.all([socket.close(), consoleServer?.close()]);
    },
  };
}
