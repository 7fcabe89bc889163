/** Who the kernel says is on the unix socket: real processes of other users and groups against a real listener. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectAgent } from './agent-client.ts';
import { fakeServices } from '../../agent/api/fake-services.ts';
import { createApiServer } from '../../agent/api/server.ts';
import { groupId, listenOnSocket, socketPathOf } from '../../agent/api/socket-server.ts';
import { loadCore } from '../../native-addon/index.ts';

const core = loadCore();
const isRoot = process.getuid?.() === 0;
const skipped = !core.ok || !isRoot;
const clientModule = new URL('../../agent/api/client.ts', import.meta.url).href;
const NOBODY = 65534;

/** Connects as another user and prints what came of it. Becomes that user itself, to set supplementary groups too. */
const PROBE = `
const [path, uid, gid, groups] = JSON.parse(process.argv[1]);
const { connectAgent } = await import(process.argv[2]);
process.setgroups(groups);
process.setgid(gid);
process.setuid(uid);
try {
  const api = await connectAgent(path);
  const reload = await api.call('rules.reload', {}).then(() => 'ok', (error) => error.code);
  console.log(JSON.stringify({ privileged: api.privileged, reload }));
  api.close();
} catch (error) {
  console.log(JSON.stringify({ refused: error.name }));
}
`;

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  while (closers.length > 0) await closers.pop()!();
});

async function start() {
  const dir = mkdtempSync(join(tmpdir(), 'sentinel-peer-'));
  chmodSync(dir, 0o755);
  const server = createApiServer({ services: fakeServices(), version: '1.2.3' });
  const path = socketPathOf(dir);
  const peerCredentials = core.ok ? (fd: number) => core.addon.peerCredentials(fd) : undefined;
  const listener = await listenOnSocket({ server, path, group: 'daemon', peerCredentials });
  closers.push(async () => {
    server.close();
    await listener.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return { server, path };
}

function connectAs(path: string, uid: number, gid: number, groups: number[]): Promise<object> {
  return new Promise((done, fail) => {
    const args = [
      '--input-type=module',
      '-e',
      PROBE,
      '--',
      JSON.stringify([path, uid, gid, groups]),
      clientModule,
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', fail);
    child.on('close', () => done(JSON.parse(output) as object));
  });
}

describe('peers of the unix socket, as the kernel names them', () => {
  beforeAll(() => {
    if (skipped) console.warn(`SKIPPED: ${core.ok ? 'needs root' : core.reason}`);
  });

  it.skipIf(skipped)(
    'lets the file mode keep strangers out before they connect (skipped: needs root)',
    async () => {
      const { path } = await start();
      expect(await connectAs(path, NOBODY, NOBODY, [])).toEqual({ refused: 'AccessDeniedError' });
    },
  );

  it.skipIf(skipped)('tells root, group members and strangers apart (skipped: needs root)', async () => {
    const { path, server } = await start();
    const daemon = groupId('daemon')!;
    chmodSync(path, 0o666);
    expect(await connectAs(path, 0, 0, [])).toEqual({ privileged: true, reload: 'ok' });
    expect(await connectAs(path, NOBODY, daemon, [])).toEqual({ privileged: false, reload: 'forbidden' });
    expect(await connectAs(path, NOBODY, NOBODY, [7, daemon])).toEqual({
      privileged: false,
      reload: 'forbidden',
    });
    // A great many groups: the answer does not fit the first buffer.
    const many = Array.from({ length: 300 }, (_, index) => 5000 + index);
    expect(await connectAs(path, NOBODY, NOBODY, [...many, daemon])).toMatchObject({ privileged: false });
    expect(await connectAs(path, NOBODY, NOBODY, many)).toEqual({ refused: 'AccessDeniedError' });
    expect(await connectAs(path, NOBODY, NOBODY, [])).toEqual({ refused: 'AccessDeniedError' });
    expect(server.counters.snapshot().refusedByReason).toEqual({ forbidden: 3, peer: 2 });
    const self = await connectAgent(path);
    expect(self.privileged).toBe(true);
    self.close();
  });

  it.skipIf(!core.ok)('refuses descriptors that are no unix socket (skipped: needs the addon)', async () => {
    if (!core.ok) return;
    const { addon } = core;
    const tcp = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => tcp.once('listening', done));
    closers.push(() => void tcp.close());
    const { fd } = (tcp as unknown as { _handle: { fd: number } })._handle;
    expect(() => addon.peerCredentials(fd)).toThrow(/not a unix socket/);
    expect(() => addon.peerCredentials(-1)).toThrow(/Bad file descriptor/);
    expect(() => addon.peerCredentials('1' as never)).toThrow(/descriptor expected/);
  });
});
