/** Clients of an in-process API server for this folder's tests: over a real MessageChannel, and without any wire. */
import { MessageChannel } from 'node:worker_threads';
import { afterEach } from 'vitest';
import { type ApiClient, createClient } from './client.ts';
import type { Transport } from './contract.ts';
import { fakeServices } from './fake-services.ts';
import type { ApiLimits } from './limits.ts';
import { portTransport } from './message-port.ts';
import { type ApiServer, createApiServer } from './server.ts';
import type { Role } from './services.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  while (closers.length > 0) closers.pop()!();
});

export function start(limits: Partial<ApiLimits> = {}) {
  const services = fakeServices();
  const server = createApiServer({ services, version: '1.2.3', limits });
  closers.push(() => server.close());
  return { services, server };
}

/** A client over a real MessageChannel. */
export async function portClient(server: ApiServer, role: Role = 'read'): Promise<ApiClient> {
  const { port1, port2 } = new MessageChannel();
  server.accept(portTransport(port1), { role, transport: 'port' });
  const client = await createClient(portTransport(port2));
  closers.push(() => client.close());
  return client;
}

/** A transport without any wire, to say exactly what arrives and how far the peer has read. */
export function rawPeer(server: ApiServer, role: Role = 'read') {
  const received: string[] = [];
  let deliver: (message: string) => void = () => {};
  let closed: () => void = () => {};
  const peer = {
    received,
    backlogBytes: 0,
    closedByServer: false,
    send: (message: unknown) => deliver(typeof message === 'string' ? message : JSON.stringify(message)),
    disconnect: () => closed(),
    messages: () => received.map((text) => JSON.parse(text) as Record<string, never>),
    last: () => JSON.parse(received.at(-1)!) as { id: number; error?: { code: string; message: string } },
  };
  const transport: Transport = {
    send: (message) => void received.push(message),
    onMessage: (listener) => {
      deliver = listener;
    },
    onClose: (listener) => {
      closed = listener;
    },
    close: () => {
      peer.closedByServer = true;
    },
    get backlogBytes() {
      return peer.backlogBytes;
    },
  };
  server.accept(transport, { role, transport: 'port' });
  return peer;
}
