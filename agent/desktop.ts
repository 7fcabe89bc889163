/**
 * The agent's side of the desktop app, run in a utility process: uses the service's agent when one answers on its
 * socket, hosts an agent itself when none does, and joins each window's port to it. Plain Node: Electron only provides
 * the parent port.
 *
 *   main -> host: {type: connect} with one port, {type: stop}      host -> main: {type: status}, {type: act}
 *
 * A window of a hosted agent gets the read-only contract; of a service's agent, what the service grants this user.
 */
import { connect, type Socket } from 'node:net';
import { AgentNotRunningError, type ApiClient, connectAgent, DisconnectedError } from './api/client.ts';
import { type HealthSnapshot, MAX_RESPONSE_BYTES, type PolicyActJson } from './api/contract.ts';
import { streamTransport } from './api/frames.ts';
import { type PortLike, portTransport } from './api/message-port.ts';
import type { ApiServer } from './api/server.ts';
import { shortSocketPath } from './api/socket-server.ts';

export interface HostStatus {
  /** hosted: the agent lives and dies with the app; attached: a service records whether the app runs or not. */
  mode: 'hosted' | 'attached';
  level: HealthSnapshot['level'];
  sentence: string;
}

export type HostRequest = { type: 'connect' } | { type: 'stop' };
/** How recording goes; or something a policy did since the last one, each once. */
export type HostMessage = { type: 'status'; status: HostStatus } | { type: 'act'; act: PolicyActJson };

/** Electron's ParentPort, as far as it is used. */
export interface ParentPort {
  on(event: 'message', listener: (event: { data: unknown; ports: PortLike[] }) => void): unknown;
  postMessage(message: HostMessage): void;
}

/** An agent of this process, as far as it is used (agent.ts: RunningAgent). */
export interface HostedAgent {
  readonly apiServer: Pick<ApiServer, 'accept'>;
  health(): Pick<HealthSnapshot, 'level' | 'sentence' | 'policyActs'>;
  stop(): Promise<void>;
}

export interface DesktopHostOptions {
  parent: ParentPort;
  /** Sockets on which an agent may answer, in order of preference. */
  sockets: readonly string[];
  startAgent: () => Promise<HostedAgent>;
  /** Called once everything has ended after a stop. */
  onStopped: () => void;
  statusMs?: number;
  retryMs?: number;
}

type Source =
  | { mode: 'hosted'; agent: HostedAgent }
  | { mode: 'attached'; client: ApiClient; socketPath: string };

/** Windows that may wait for the agent to come up. */
const MAX_WAITING_PORTS = 8;
/** A window that has not taken this much gets no more until it has. */
const MAX_PORT_BACKLOG = 1024 * 1024;
const BACKLOG_POLL_MS = 20;

export class DesktopHost {
  private readonly options: DesktopHostOptions;
  private readonly retryMs: number;
  private source: Source | undefined;
  private waiting: PortLike[] = [];
  private stopping = false;
  private knownActs: ReadonlySet<string> | undefined;
  private statusTimer: NodeJS.Timeout | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private sockets: readonly Socket[] = [];

  constructor(options: DesktopHostOptions) {
    this.options = options;
    this.retryMs = options.retryMs ?? 5000;
    options.parent.on('message', ({ data, ports }) => {
      const { type } = data as HostRequest;
      if (type === 'stop') void this.stop();
      else if (type === 'connect' && ports[0] !== undefined) this.serve(ports[0]);
    });
  }

  /** Finds or becomes the agent; tries again by itself when neither works. */
  async start(): Promise<void> {
    if (this.stopping) return;
    this.retryTimer = undefined;
    let mode: HostStatus['mode'] = 'attached';
    try {
      this.source = await this.attach();
      if (this.source === undefined) {
        mode = 'hosted';
        this.source = await this.host();
      }
    } catch (error) {
      const { message } = error as Error;
      // An agent that does not let us in records all the same.
      const sentence = mode === 'attached' ? message : `Not recording: ${message}`;
      this.tell({ mode, level: 'failed', sentence });
      this.retry();
    }
    if (this.stopping) await this.end();
    else if (this.source !== undefined) for (const port of this.waiting.splice(0)) this.serve(port);
  }

  private async attach(): Promise<Source | undefined> {
    for (const socketPath of this.options.sockets) {
      let client: ApiClient;
      try {
        client = await connectAgent(socketPath);
      } catch (error) {
        if (error instanceof AgentNotRunningError || error instanceof DisconnectedError) continue;
        throw error;
      }
      const show = ({ level, sentence, policyActs }: HealthSnapshot): void => {
        this.tell({ mode: 'attached', level, sentence });
        this.tellActs(policyActs);
      };
      await client.subscribe(
        'health.watch',
        {},
        { onSnapshot: show, onDelta: show, onClosed: () => this.lose(client) },
      );
      return { mode: 'attached', client, socketPath };
    }
    return undefined;
  }

  private async host(): Promise<Source> {
    const agent = await this.options.startAgent();
    const show = (): void => {
      const { level, sentence, policyActs } = agent.health();
      this.tell({ mode: 'hosted', level, sentence });
      this.tellActs(policyActs);
    };
    show();
    this.statusTimer = setInterval(show, this.options.statusMs ?? 5000);
    return { mode: 'hosted', agent };
  }

  /** The service went away: look for it again, and host an agent if it stays away. */
  private lose(client: ApiClient): void {
    if (this.stopping || this.source?.mode !== 'attached' || this.source.client !== client) return;
    this.source = undefined;
    this.tell({
      mode: 'attached',
      level: 'failed',
      sentence: 'The Sentinel service stopped; looking for it',
    });
    this.retry();
  }

  private retry(): void {
    this.retryTimer = setTimeout(() => void this.start(), this.retryMs);
  }

  private serve(port: PortLike): void {
    const source = this.source;
    if (this.stopping) port.close();
    else if (source === undefined) {
      if (this.waiting.length < MAX_WAITING_PORTS) this.waiting.push(port);
      else port.close();
    } else if (source.mode === 'hosted') {
      // Hosted, the agent runs as the very user whose window this is.
      const peer = { role: 'privileged', transport: 'port', uid: process.getuid?.() } as const;
      source.agent.apiServer.accept(portTransport(port), peer);
    } else this.bridge(port, source.socketPath);
  }

  /** Joins a window's port and the service's socket, message by message; either end closes the other. */
  private bridge(port: PortLike, socketPath: string): void {
    let socket: Socket;
    try {
      const short = shortSocketPath(socketPath);
      socket = connect(short.path);
      socket.once('connect', () => short.release());
      socket.once('error', () => short.release());
    } catch {
      // Its folder is gone; the window asks again.
      port.close();
      return;
    }
    this.sockets = [...this.sockets, socket];
    const window = portTransport(port);
    const service = streamTransport(socket, { maxMessageBytes: MAX_RESPONSE_BYTES, maxFrameMs: 60_000 });
    let poll: NodeJS.Timeout | undefined;
    socket.once('close', () => {
      clearInterval(poll);
      this.sockets = this.sockets.filter((other) => other !== socket);
    });
    service.onClose(() => window.close());
    service.onMessage((message) => {
      window.send(message);
      if (poll !== undefined || window.backlogBytes <= MAX_PORT_BACKLOG) return;
      // Not reading is what tells the agent that this client is slow.
      socket.pause();
      poll = setInterval(() => {
        if (window.backlogBytes > MAX_PORT_BACKLOG) return;
        clearInterval(poll);
        poll = undefined;
        socket.resume();
      }, BACKLOG_POLL_MS);
    });
    window.onClose(() => service.close());
    window.onMessage((message) => service.send(message));
  }

  private async stop(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    clearTimeout(this.retryTimer);
    for (const port of this.waiting.splice(0)) port.close();
    // While an agent is still starting, `start` ends it.
    if (this.source !== undefined) await this.end();
    else if (this.retryTimer !== undefined) this.options.onStopped();
  }

  private async end(): Promise<void> {
    clearInterval(this.statusTimer);
    for (const socket of this.sockets) socket.destroy();
    const source = this.source;
    if (source?.mode === 'hosted') await source.agent.stop();
    else source?.client.close();
    this.options.onStopped();
  }

  /** What was done before this host asked for the first time is no news any more. */
  private tellActs(policyActs: HealthSnapshot['policyActs']): void {
    if (policyActs === undefined) return;
    const known = this.knownActs;
    this.knownActs = new Set(policyActs.acts.map(({ id }) => id));
    if (known === undefined || this.stopping) return;
    for (const act of policyActs.acts)
      if (!known.has(act.id)) this.options.parent.postMessage({ type: 'act', act });
  }

  private tell(status: HostStatus): void {
    if (!this.stopping) this.options.parent.postMessage({ type: 'status', status });
  }
}
