/**
 * The two ways the console reaches an agent: a MessagePort that Electron's preload hands over, or a WebSocket to the
 * page's own origin (its cookie was set when the one-time link was opened). Both are the contract's Transport.
 */
import { type Transport, WEBSOCKET_PATH } from '../../agent/api/contract.ts';

/** Opens one connection; rejects when it cannot be had. */
export type Connect = () => Promise<Transport>;

/** Thrown by a Connect when the agent is there but does not know us: trying again will not help. */
export class NotAuthorised extends Error {
  override name = 'NotAuthorised';
}

/** The seam Electron's preload exposes: asks main for a port, which arrives by `message`. */
interface PreloadSeam {
  requestPort(): void;
}
declare global {
  interface Window {
    sentinel?: PreloadSeam;
  }
}

export function webSocketConnect(path: string = WEBSOCKET_PATH): Connect {
  return async () => {
    const url = new URL(path, location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    url.hash = '';
    const socket = new WebSocket(url);
    const opened = await new Promise<boolean>((resolve) => {
      socket.addEventListener('open', () => resolve(true), { once: true });
      socket.addEventListener('close', () => resolve(false), { once: true });
    });
    if (!opened) {
      // A refused upgrade looks like a dead server to a WebSocket; a plain request can tell them apart.
      const status = await fetch(location.pathname, { method: 'HEAD', cache: 'no-store' }).then(
        (response) => response.status,
        () => 0,
      );
      if (status === 401 || status === 403) throw new NotAuthorised('the agent does not know this window');
      throw new Error('no connection');
    }
    return {
      send: (message) => socket.send(message),
      onMessage: (listener) =>
        socket.addEventListener('message', (event: MessageEvent<unknown>) => {
          if (typeof event.data === 'string') listener(event.data);
        }),
      onClose: (listener) => socket.addEventListener('close', () => listener(), { once: true }),
      close: () => socket.close(),
      get backlogBytes() {
        return socket.bufferedAmount;
      },
    };
  };
}

/** Text taken between two acknowledgements, in UTF-16 units. */
const ACK_EVERY = 64 * 1024;

/** Wraps a port; the peer posts strings, and `null` when it ends the connection. Acknowledges what was taken. */
export function portTransport(port: MessagePort): Transport {
  const closeListeners: (() => void)[] = [];
  let taken = 0;
  let acknowledged = 0;
  const closed = (): void => {
    for (const listener of closeListeners.splice(0)) listener();
  };
  port.addEventListener('close', closed);
  return {
    send: (message) => port.postMessage(message),
    onMessage: (listener) => {
      port.addEventListener('message', (event: MessageEvent<unknown>) => {
        if (event.data === null) closed();
        if (typeof event.data !== 'string') return;
        taken += event.data.length;
        if (taken - acknowledged >= ACK_EVERY) {
          acknowledged = taken;
          port.postMessage(`{"ack":${taken}}`);
        }
        listener(event.data);
      });
      port.start();
      port.postMessage('{"ack":0}');
    },
    onClose: (listener) => closeListeners.push(listener),
    close: () => {
      port.close();
      closed();
    },
    backlogBytes: 0,
  };
}

export function portConnect(seam: PreloadSeam, timeoutMs = 5000): Connect {
  return () =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        window.removeEventListener('message', onMessage);
        reject(new Error('the desktop app did not answer'));
      }, timeoutMs);
      const onMessage = (event: MessageEvent<unknown>): void => {
        const [port] = event.ports;
        if (event.source !== window || event.data !== 'sentinel-port' || !port) return;
        clearTimeout(timer);
        window.removeEventListener('message', onMessage);
        resolve(portTransport(port));
      };
      window.addEventListener('message', onMessage);
      seam.requestPort();
    });
}

/** The transport of the host this page runs in. */
export function hostConnect(): Connect {
  return window.sentinel ? portConnect(window.sentinel) : webSocketConnect();
}
