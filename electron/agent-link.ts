/**
 * Main's side of the agent host process: starts it, starts it again if it dies, and passes window ports on to it. No
 * event passes through here; messages are the few of `HostMessage`.
 */
import type { PolicyActJson } from '../agent/api/contract.ts';
import type { HostMessage, HostRequest, HostStatus } from '../agent/desktop.ts';

/** What is used of Electron's UtilityProcess. */
export interface HostProcess<Port> {
  postMessage(message: HostRequest, transfer?: Port[]): void;
  on(event: 'message', listener: (message: HostMessage) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  kill(): boolean;
}

export interface AgentLinkOptions<Port> {
  fork: () => HostProcess<Port>;
  onStatus: (status: HostStatus) => void;
  /** A policy did something. */
  onAct: (act: PolicyActJson) => void;
  /** Closes a port that will not be served; the window asks again by itself. */
  closePort: (port: Port) => void;
  /** Replaceable in tests. */
  after?: (delayMs: number, callback: () => void) => void;
}

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;
/** Longest wait for a clean end before the host is killed: it has a log to finish. */
const STOP_MS = 10_000;

export class AgentLink<Port> {
  private readonly options: AgentLinkOptions<Port>;
  private readonly after: (delayMs: number, callback: () => void) => void;
  private host: HostProcess<Port> | undefined;
  private retryMs = FIRST_RETRY_MS;
  private stopped: (() => void) | undefined;
  private stopping = false;

  constructor(options: AgentLinkOptions<Port>) {
    this.options = options;
    this.after = options.after ?? ((delayMs, callback) => void setTimeout(callback, delayMs));
  }

  start(): void {
    if (this.host !== undefined || this.stopping) return;
    const host = this.options.fork();
    this.host = host;
    host.on('message', (message) => {
      this.retryMs = FIRST_RETRY_MS;
      if (message.type === 'status') this.options.onStatus(message.status);
      else if (message.type === 'act') this.options.onAct(message.act);
    });
    host.on('exit', (code) => this.onExit(code));
  }

  /** Gives a window's port to the agent; closes it when there is none. */
  connect(port: Port): void {
    if (this.host === undefined) this.options.closePort(port);
    else this.host.postMessage({ type: 'connect' }, [port]);
  }

  /** Ends the host and resolves once it is gone. */
  stop(): Promise<void> {
    this.stopping = true;
    const host = this.host;
    if (host === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.stopped = resolve;
      host.postMessage({ type: 'stop' });
      this.after(STOP_MS, () => {
        if (this.host === host) host.kill();
      });
    });
  }

  private onExit(code: number): void {
    this.host = undefined;
    if (this.stopping) {
      this.stopped?.();
      return;
    }
    this.options.onStatus({
      mode: 'hosted',
      level: 'failed',
      sentence: `The agent ended unexpectedly (code ${code}); nothing is recorded until it is back`,
    });
    this.after(this.retryMs, () => this.start());
    this.retryMs = Math.min(LAST_RETRY_MS, this.retryMs * 2);
  }
}
