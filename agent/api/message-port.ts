/** The Local API over a MessagePort: node:worker_threads in tests, Electron's MessagePortMain in the desktop app. */
import type { Transport } from './contract.ts';

/** What both kinds of port have in common. Electron wraps the message in an event with `data`. */
export interface PortLike {
  postMessage(message: string | null): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  start(): void;
  close(): void;
}

/**
 * Each message is one string. Ports queue without bound, so a client that wants to be protected from its own slowness
 * sends {ack}: from the first on, what it has not acknowledged counts as backlog.
 */
export function portTransport(port: PortLike): Transport {
  let sent = 0;
  let acknowledged = -1;
  return {
    send(message) {
      sent += message.length;
      port.postMessage(message);
    },
    onMessage(listener) {
      port.on('message', (received) => {
        const message =
          typeof received === 'string' ? received : (received as { data?: unknown } | null)?.data;
        if (typeof message !== 'string') return;
        const ack = /^\{"ack":(\d{1,15})\}$/.exec(message);
        if (ack) acknowledged = Math.min(sent, Math.max(acknowledged, Number(ack[1])));
        else listener(message);
      });
      port.start();
    },
    onClose(listener) {
      port.on('close', listener);
    },
    close() {
      // Not every port tells its peer that it was closed: null does.
      port.postMessage(null);
      port.close();
    },
    get backlogBytes() {
      return acknowledged < 0 ? 0 : sent - acknowledged;
    },
  };
}
