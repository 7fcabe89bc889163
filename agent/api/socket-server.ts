/**
 * The Local API on a unix socket (0660 root:sentinel where that group exists, else 0600) or a Windows named pipe.
 *
 * Who is there is asked of the kernel (SO_PEERCRED), never of the client: root and the agent's own user get the
 * privileged contract, members of the group the read-only one, everyone else is refused. Without the native addon the
 * kernel cannot be asked: then the socket is 0600 and its owner gets the read-only contract.
 */
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, closeSync, lstatSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { SentinelError } from '../errors.ts';
import { encodeFrame, streamTransport } from './frames.ts';
import type { ApiServer } from './server.ts';
import type { Role } from './services.ts';

export interface PeerCredentials {
  pid: number;
  uid: number;
  gid: number;
  /** Supplementary groups (SO_PEERGROUPS). */
  groups: number[];
}

export interface SocketServerOptions {
  server: ApiServer;
  /** From socketPathOf(). */
  path: string;
  /** The native addon's function; throws if the descriptor is no connected unix socket. */
  peerCredentials?: ((fd: number) => PeerCredentials) | undefined;
  /** Group whose members may read. */
  group?: string;
  maxFrameMs?: number;
}

export interface SocketServer {
  readonly path: string;
  /** Stops listening and removes the socket. Connections are closed by the ApiServer. */
  close(): Promise<void>;
}

/** Its members may read over the socket. */
export const SOCKET_GROUP = 'sentinel';
/** sockaddr_un.sun_path holds 108 bytes with its NUL. */
const MAX_SUN_PATH_BYTES = 107;

/** Where the agent of a data folder listens. */
export function socketPathOf(dataDir: string, platform: NodeJS.Platform = process.platform): string {
  if (platform !== 'win32') return join(resolve(dataDir), 'agent.sock');
  const id = createHash('sha256').update(resolve(dataDir).toLowerCase()).digest('hex').slice(0, 16);
  return `\\\\.\\pipe\\sentinel-${id}`;
}

/**
 * A path that fits sun_path: long ones go through /proc/self/fd of their folder, which must stay open while it is used.
 */
export function shortSocketPath(path: string): { path: string; release(): void } {
  if (process.platform !== 'linux' || Buffer.byteLength(path) <= MAX_SUN_PATH_BYTES) {
    return { path, release: () => {} };
  }
  const folder = openSync(dirname(path), 'r');
  return { path: `/proc/self/fd/${folder}/${basename(path)}`, release: () => closeSync(folder) };
}

/** gid of a group by /etc/group, as the agent also runs where no name service does. */
export function groupId(name: string, file = '/etc/group'): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  for (const line of text.split('\n')) {
    const [group, , gid] = line.split(':');
    if (group === name && gid !== undefined && /^\d+$/.test(gid)) return Number(gid);
  }
  return undefined;
}

/** The role of a peer, or undefined for one that may not connect at all. */
export function roleOf(
  peer: PeerCredentials,
  ownUid: number,
  groupGid: number | undefined,
): Role | undefined {
  if (peer.uid === 0 || peer.uid === ownUid) return 'privileged';
  if (groupGid !== undefined && (peer.gid === groupGid || peer.groups.includes(groupGid))) return 'read';
  return undefined;
}

/** Listens; throws a SentinelError when the path is taken by a running agent or by something that is not a socket. */
export async function listenOnSocket(options: SocketServerOptions): Promise<SocketServer> {
  const { path, server } = options;
  const isPipe = path.startsWith('\\\\.\\pipe\\');
  const groupGid = isPipe ? undefined : groupId(options.group ?? SOCKET_GROUP);
  const short = isPipe ? { path, release: () => {} } : shortSocketPath(path);
  const net = createServer((socket) => serve(socket, options, groupGid));
  try {
    if (!isPipe) await removeStaleSocket(path, short.path);
    await listen(net, short.path);
    if (!isPipe) protect(path, options.peerCredentials ? groupGid : undefined);
  } catch (error) {
    net.close();
    short.release();
    throw error;
  }
  net.on('error', (error) => server.log?.warn({ error: error.message }, 'local API socket'));
  return {
    path,
    async close() {
      if (!net.listening) return;
      // libuv unlinks the path it bound; connections end on their own, so they are not waited for.
      net.close();
      short.release();
    },
  };
}

/** Binds with a umask, so that there is no moment at which others could connect. */
function listen(net: Server, path: string): Promise<void> {
  return new Promise((done, fail) => {
    net.once('error', fail);
    const umask = process.platform === 'win32' ? undefined : process.umask(0o177);
    try {
      net.listen({ path, backlog: 128 }, () => {
        net.off('error', fail);
        done();
      });
    } finally {
      if (umask !== undefined) process.umask(umask);
    }
  });
}

function protect(path: string, gid: number | undefined): void {
  if (gid === undefined || process.getuid?.() !== 0) return;
  chownSync(path, 0, gid);
  chmodSync(path, 0o660);
}

async function removeStaleSocket(path: string, shortPath: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket()) {
    throw new SentinelError(
      'socket_path',
      `${path} exists and is not a socket`,
      'move it away, or choose another folder with --data',
    );
  }
  const alive = await new Promise<boolean>((done) => {
    const probe = connect(shortPath);
    probe.once('connect', () => {
      probe.destroy();
      done(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => done(error.code !== 'ECONNREFUSED'));
  });
  if (alive) {
    throw new SentinelError(
      'already_running',
      `another agent answers on ${path}`,
      'stop it first, or choose another folder with --data',
    );
  }
  unlinkSync(path);
}

function serve(socket: Socket, options: SocketServerOptions, groupGid: number | undefined): void {
  const { server } = options;
  let role: Role | undefined = 'read';
  let peer: PeerCredentials | undefined;
  if (options.peerCredentials) {
    try {
      peer = options.peerCredentials(descriptorOf(socket));
      role = roleOf(peer, process.getuid?.() ?? -1, groupGid);
    } catch {
      role = undefined;
    }
  }
  if (!role) {
    server.counters.refuse('peer');
    const message = `this agent answers only root, its own user and members of the group ${options.group ?? SOCKET_GROUP}`;
    socket.on('error', () => {});
    socket.end(encodeFrame(JSON.stringify({ id: 0, error: { code: 'forbidden', message } })));
    socket.resume();
    setTimeout(() => socket.destroy(), 1000).unref();
    return;
  }
  const transport = streamTransport(socket, {
    maxMessageBytes: server.limits.maxRequestBytes,
    maxFrameMs: options.maxFrameMs ?? 10_000,
    onFault: (fault) => server.counters.refuse(fault),
  });
  server.accept(transport, { role, transport: 'unix', uid: peer?.uid, pid: peer?.pid });
}

/** Node has no public way to a socket's descriptor; the handle's `fd` has been there since the beginning. */
function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
}
