import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type Socket, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type ApiClient, connectAgent } from './client.ts';
import { event, fakeServices } from './fake-services.ts';
import { FrameDecoder, encodeFrame } from './frames.ts';
import type { ApiLimits } from './limits.ts';
import { createApiServer } from './server.ts';
import {
  type PeerCredentials,
  type SocketServerOptions,
  groupId,
  listenOnSocket,
  roleOf,
  socketPathOf,
} from './socket-server.ts';

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  while (closers.length > 0) await closers.pop()!();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'sentinel-api-'));
  closers.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const own: PeerCredentials = { pid: 1, uid: process.getuid?.() ?? 0, gid: 0, groups: [] };

async function start(
  options: Partial<SocketServerOptions> & { limits?: Partial<ApiLimits>; dir?: string } = {},
) {
  const services = fakeServices();
  const server = createApiServer({ services, version: '1.2.3', limits: options.limits });
  const path = socketPathOf(options.dir ?? folder());
  const listener = await listenOnSocket({ server, path, peerCredentials: () => own, ...options });
  closers.push(async () => {
    server.close();
    await listener.close();
  });
  return { services, server, path, listener };
}

async function client(path: string): Promise<ApiClient> {
  const opened = await connectAgent(path);
  closers.push(() => opened.close());
  return opened;
}

function rawSocket(path: string): Promise<Socket> {
  return new Promise((done, fail) => {
    const socket = connect(path, () => done(socket));
    socket.on('error', fail);
    closers.push(() => void socket.destroy());
  });
}

function ended(socket: Socket): Promise<void> {
  return new Promise((done) => {
    socket.on('error', () => {});
    socket.on('close', () => done());
    socket.resume();
  });
}

describe('frames', () => {
  it('come out as they went in, however the stream is cut (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (messages, cuts) => {
          const bytes = Buffer.concat(messages.map(encodeFrame));
          const decoder = new FrameDecoder(1000);
          const out: string[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const next = at + cuts[i % cuts.length]!;
            expect(decoder.push(bytes.subarray(at, next), (message) => out.push(message))).toBeUndefined();
            at = next;
          }
          expect(out).toEqual(messages);
          expect(decoder.partial).toBe(false);
        },
      ),
    );
  });

  it.each([
    ['a length of zero', Buffer.from([0, 0, 0, 0]), 'malformed'],
    ['a length over the limit, before any of it came', Buffer.from([1, 4, 0, 0]), 'oversized'],
    ['the largest length there is', Buffer.from([255, 255, 255, 255]), 'oversized'],
    ['text that is not UTF-8', Buffer.from([2, 0, 0, 0, 0xc3, 0x28]), 'malformed'],
  ])('end the stream at %s', (_what, bytes, fault) => {
    expect(new FrameDecoder(1024).push(bytes, () => {})).toBe(fault);
  });
});

describe('who may connect', () => {
  const peer = (uid: number, gid: number, groups: number[] = []): PeerCredentials => ({
    pid: 9,
    uid,
    gid,
    groups,
  });

  it.each([
    [peer(0, 0), 'privileged'],
    [peer(1000, 1000), 'privileged'],
    [peer(1001, 77), 'read'],
    [peer(1001, 1001, [5, 77]), 'read'],
    [peer(1001, 1001, [5]), undefined],
    [peer(65534, 65534), undefined],
  ])('%j is %s', (credentials, role) => {
    expect(roleOf(credentials, 1000, 77)).toBe(role);
  });

  it('admits nobody by group where the group does not exist', () => {
    expect(roleOf(peer(1001, 0, [0]), 1000, undefined)).toBeUndefined();
    expect(groupId('no-such-group')).toBeUndefined();
    expect(groupId('root')).toBe(0);
  });

  it('serves the own user as privileged', async () => {
    const { path } = await start();
    const api = await client(path);
    expect(api.privileged).toBe(true);
    await expect(api.call('rules.reload', {})).resolves.toMatchObject({ loaded: 3 });
  });

  it('serves a group member read-only', async () => {
    const member = { ...own, uid: 4242, groups: [groupId('daemon')!] };
    const { path } = await start({ group: 'daemon', peerCredentials: () => member });
    const api = await client(path);
    expect(api.privileged).toBe(false);
    await expect(api.call('rules.reload', {})).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('refuses a stranger with the remedy, and counts it', async () => {
    const { path, server } = await start({ peerCredentials: () => ({ ...own, uid: 4242, gid: 4242 }) });
    await expect(connectAgent(path)).rejects.toMatchObject({
      name: 'AccessDeniedError',
      remedy: expect.stringContaining('group'),
    });
    expect(server.counters.snapshot().refusedByReason).toEqual({ peer: 1 });
    expect(server.counters.clients).toBe(0);
  });

  it('refuses when the kernel cannot tell who it is', async () => {
    const { path } = await start({
      peerCredentials: () => {
        throw new Error('not connected');
      },
    });
    await expect(connectAgent(path)).rejects.toMatchObject({ name: 'AccessDeniedError' });
  });

  it('gives the owner of the 0600 socket read-only access without the addon', async () => {
    const { path } = await start({ peerCredentials: undefined, group: 'daemon' });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await client(path)).privileged).toBe(false);
  });
});

describe('the socket file', () => {
  it.skipIf(process.getuid?.() !== 0)(
    'is 0660 root:group where the group exists (skipped: needs root)',
    async () => {
      const { path } = await start({ group: 'daemon' });
      const stat = statSync(path);
      expect([stat.mode & 0o777, stat.uid, stat.gid]).toEqual([0o660, 0, groupId('daemon')]);
    },
  );

  it('is 0600 without the group, and gone after close', async () => {
    const { path, listener } = await start({ group: 'no-such-group' });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await listener.close();
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('replaces one that a dead agent left behind', async () => {
    const dir = folder();
    // A socket file whose process is gone: bound, moved aside so that closing does not unlink it, moved back.
    const dead = createServer().listen(join(dir, 'other.sock'));
    await new Promise((done) => dead.once('listening', done));
    const { linkSync } = await import('node:fs');
    linkSync(join(dir, 'other.sock'), socketPathOf(dir));
    await new Promise((done) => dead.close(done));
    const { path } = await start({ dir });
    expect((await client(path)).agentVersion).toBe('1.2.3');
  });

  it('is not taken from a living agent, nor is any other file removed', async () => {
    const { path } = await start();
    const server = createApiServer({ services: fakeServices(), version: '2' });
    await expect(listenOnSocket({ server, path })).rejects.toMatchObject({ code: 'already_running' });
    expect((await client(path)).agentVersion).toBe('1.2.3');

    const file = join(folder(), 'agent.sock');
    writeFileSync(file, 'precious');
    await expect(listenOnSocket({ server, path: file })).rejects.toMatchObject({ code: 'socket_path' });
    expect(statSync(file).size).toBe(8);
  });

  it('works in a folder whose path is longer than a socket address', async () => {
    const dir = join(folder(), 'd'.repeat(100), 'e'.repeat(100));
    mkdirSync(dir, { recursive: true });
    const { path, listener } = await start({ dir });
    expect(path.length).toBeGreaterThan(200);
    expect((await client(path)).agentVersion).toBe('1.2.3');
    await listener.close();
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('has a stable pipe name per data folder on Windows', () => {
    expect(socketPathOf('/x/data', 'win32')).toMatch(/^\\\\\.\\pipe\\sentinel-[0-9a-f]{16}$/);
    expect(socketPathOf('/x/data', 'win32')).toBe(socketPathOf('/x/DATA', 'win32'));
    expect(socketPathOf('/x/data', 'win32')).not.toBe(socketPathOf('/x/other', 'win32'));
  });
});

describe('the client', () => {
  it('says that no agent runs, with the remedy', async () => {
    const missing = connectAgent(join(folder(), 'agent.sock'));
    await expect(missing).rejects.toMatchObject({ name: 'AgentNotRunningError', remedy: /sentinel run/ });
  });

  it('notices an agent of another version', async () => {
    const path = join(folder(), 'agent.sock');
    const old = createServer((socket) => {
      const answer = { id: 1, result: { version: 99, agentVersion: '9.9.9', privileged: false } };
      socket.end(encodeFrame(JSON.stringify(answer)));
    }).listen(path);
    closers.push(() => void old.close());
    await expect(connectAgent(path)).rejects.toMatchObject({
      name: 'VersionMismatchError',
      message: expect.stringMatching(/9\.9\.9.*99/),
    });
  });

  it('gives up on something that never answers', async () => {
    const path = join(folder(), 'agent.sock');
    const mute = createServer(() => {}).listen(path);
    closers.push(() => void mute.close());
    await expect(connectAgent(path, 100)).rejects.toMatchObject({ code: 'timeout' });
  });

  it('fails what is unanswered when the agent goes away', async () => {
    const { path, server } = await start();
    const api = await client(path);
    const hanging = api.call('events.query', { query: 'hang' });
    setTimeout(() => server.close(), 20);
    await expect(hanging).rejects.toMatchObject({ name: 'DisconnectedError' });
    await expect(api.call('health.get', {})).rejects.toMatchObject({ name: 'DisconnectedError' });
  });
});

describe('bad peers', () => {
  it('cuts off oversized, malformed and endless frames, and goes on serving', async () => {
    const { path, server } = await start({ maxFrameMs: 100 });
    for (const bytes of [
      Buffer.from([0, 0, 16, 0, 1, 2, 3]),
      Buffer.from([0, 0, 0, 0]),
      Buffer.from([4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([50, 0, 0, 0, 123]),
    ]) {
      const socket = await rawSocket(path);
      socket.write(bytes);
      await ended(socket);
    }
    expect(server.counters.snapshot().refusedByReason).toEqual({ oversized: 1, malformed: 2, timeout: 1 });
    expect((await client(path)).agentVersion).toBe('1.2.3');
  });

  it('survives arbitrary bytes (fuzz)', async () => {
    const { path, server, services } = await start({ maxFrameMs: 20 });
    const frame = fc.string().map((text) => encodeFrame(text || ' '));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }).map((raw) => Buffer.from(raw)),
      frame,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 6 }), async (chunks) => {
        const socket = await rawSocket(path);
        const gone = ended(socket);
        for (const chunk of chunks) socket.write(chunk);
        socket.end();
        await gone;
      }),
      { numRuns: 100 },
    );
    await expect.poll(() => server.counters.clients).toBe(0);
    expect(services.followers()).toBe(0);
    expect((await client(path)).agentVersion).toBe('1.2.3');
  });

  it('sheds a real socket that stops reading while another keeps its events', async () => {
    const { path, server, services } = await start({ limits: { followIntervalMs: 1 } });
    const slow = await rawSocket(path);
    slow.write(encodeFrame('{"id":1,"method":"events.follow","params":{"query":"*","limit":100}}'));
    slow.pause();
    const fast = await client(path);
    let received = 0;
    let skipped = 0;
    await fast.subscribe(
      'events.follow',
      { query: '*', limit: 100 },
      {
        onSnapshot: () => {},
        onDelta: (delta) => {
          received += delta.events.length;
          skipped += delta.skipped;
        },
        onClosed: () => {},
      },
    );
    await expect.poll(() => services.followers()).toBe(2);
    let sent = 0;
    for (let burst = 0; server.counters.shed === 0 && burst < 150; burst++) {
      services.emit(Array.from({ length: 20 }, () => event(++sent, 'x'.repeat(10_000))));
      await sleep(2);
    }
    expect(server.counters.shed).toBe(1);
    expect(services.followers()).toBe(1);
    await expect.poll(() => received + skipped).toBe(sent);
    expect(received).toBeGreaterThan(sent / 2);
    slow.destroy();
    await expect.poll(() => server.counters.clients).toBe(1);
  });
});
