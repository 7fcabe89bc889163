/**
 * The Local API's server: speaks the contract over any transport. Transports establish who the peer is and hand the
 * connection over; everything else (validation, authorisation, bounds, subscriptions) is the same for all of them.
 */
import type { Log } from '../log.ts';
import type { Transport } from './contract.ts';
import { Connection, type ConnectionHost } from './connection.ts';
import { ApiCounters, type ApiLimits, DEFAULT_LIMITS } from './limits.ts';
import type { ApiServices, Peer } from './services.ts';
import { HealthHub } from './subscriptions.ts';

export type ApiLog = Pick<Log, 'info' | 'warn'>;

export interface ApiServerOptions {
  services: ApiServices;
  /** The agent's version, told in api.hello. */
  version: string;
  limits?: Partial<ApiLimits>;
  log?: ApiLog;
}

export interface ApiServer {
  /** Serves a connection until either side closes it. */
  accept(transport: Transport, peer: Peer): void;
  readonly counters: ApiCounters;
  readonly limits: Readonly<ApiLimits>;
  readonly log: ApiLog | undefined;
  /** Tells every client and closes their connections. Transports stop listening themselves. */
  close(): void;
}

export function createApiServer(options: ApiServerOptions): ApiServer {
  const limits: ApiLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const counters = new ApiCounters();
  const health = new HealthHub(options.services, limits.healthIntervalMs, limits.healthQuietIntervalMs);
  const host: ConnectionHost = {
    services: options.services,
    version: options.version,
    limits,
    counters,
    health,
  };
  const connections = new Set<Connection>();
  let closed = false;

  const onClosed = (connection: Connection): void => {
    if (connections.delete(connection)) counters.clients--;
  };

  return {
    counters,
    limits,
    log: options.log,
    accept(transport, peer) {
      if (closed || connections.size >= limits.maxClients) {
        counters.refuse('clients');
        const message = closed ? 'the agent is stopping' : `more than ${limits.maxClients} clients`;
        transport.send(JSON.stringify({ id: 0, error: { code: 'overloaded', message } }));
        transport.close();
        return;
      }
      counters.clients++;
      connections.add(new Connection(host, transport, peer, onClosed));
    },
    close() {
      closed = true;
      for (const connection of connections) connection.stop();
    },
  };
}
