/**
 * The console on loopback, for machines without Electron: listens, bounds who is connected, issues addresses.
 *
 * Anything on this machine can reach a loopback port, and so can any web page in a browser (by its address, or by a
 * name that resolves to 127.0.0.1). So: nothing but the sign-in page is answered without a session cookie; the Host
 * header must be ours (DNS rebinding); a WebSocket needs our Origin; there is no CORS; cookies are HttpOnly and
 * SameSite=Strict; pages may load and connect to nothing but this origin and be framed by none. Every refusal is
 * counted by reason.
 *
 * HTTP, WebSockets and the files are loaded with the first connection (console-site.ts): a console that nobody opens
 * costs one listening socket.
 */
import { type Server, type Socket, createServer } from 'node:net';
import { SentinelError } from '../errors.ts';
import { ConsoleAuth, type ConsoleAuthOptions, type Visitor } from './console-auth.ts';
import { checkConsoleFolder } from './console-files.ts';
import { SIGN_IN_PATH } from './console-gate.ts';
import type { ConsoleSite } from './console-site.ts';
import type { ApiServer } from './server.ts';

export interface ConsoleServerOptions extends ConsoleAuthOptions {
  server: ApiServer;
  /** Folder of the built console. */
  folder: string;
  /** 0 or absent: any free port. */
  port?: number;
  /** Sockets open at once, signed in or not. */
  maxConnections?: number;
  /** A browser that does not answer a ping within this time is gone. */
  pingIntervalMs?: number;
}

export interface ConsoleServer {
  readonly port: number;
  readonly origin: string;
  /** A one-time address; see console-auth.ts for who gets which role. `expiresNs` is wall time. */
  issueUrl(visitor: Visitor): { url: string; expiresNs: string };
  /** Ends every connection and session. */
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
/** Longest life of a socket that has not shown a session. */
const GUEST_MS = 5000;

/** Starts listening. Throws a SentinelError if the port is taken or the console was not built. */
export async function startConsoleServer(options: ConsoleServerOptions): Promise<ConsoleServer> {
  const { server } = options;
  checkConsoleFolder(options.folder);
  const auth = new ConsoleAuth(options);
  // Paused until HTTP is there to read: otherwise the first bytes would be read by nobody.
  const listener = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
  const visitors = admitVisitors(listener, options.maxConnections ?? 64, () =>
    server.counters.refuse('console_connections'),
  );
  const port = await listen(listener, options.port ?? 0);
  listener.on('error', (error) => server.log?.warn({ error: error.message }, 'console server'));

  let opening: Promise<ConsoleSite> | undefined;
  listener.on('connection', (socket: Socket) => {
    opening ??= import('./console-site.ts').then(({ openSite }) =>
      openSite({
        server,
        auth,
        port,
        folder: options.folder,
        pingIntervalMs: options.pingIntervalMs ?? 30_000,
        onSession: (signedIn) => void visitors.guests.delete(signedIn),
      }),
    );
    opening.then(
      (site) => {
        if (!socket.destroyed) site.serve(socket);
      },
      (error: Error) => {
        opening = undefined;
        server.log?.warn({ error: error.message }, 'the console cannot be served');
        socket.destroy();
      },
    );
  });

  const issueUrl = (visitor: Visitor): { url: string; expiresNs: string } => ({
    url: `http://${HOST}:${port}${SIGN_IN_PATH}?token=${auth.issueToken(visitor)}`,
    expiresNs: String(BigInt(Date.now() + auth.tokenLifeMs) * 1_000_000n),
  });
  return {
    port,
    origin: `http://${HOST}:${port}`,
    issueUrl,
    close: () =>
      new Promise((done) => {
        listener.close(() => done());
        for (const socket of visitors.all) socket.destroy();
      }),
  };
}

function listen(listener: Server, port: number): Promise<number> {
  return new Promise((done, fail) => {
    listener.once('error', (error: NodeJS.ErrnoException) => fail(listenError(error, port)));
    listener.listen({ host: HOST, port, backlog: 128 }, () => {
      listener.removeAllListeners('error');
      const address = listener.address();
      done(typeof address === 'object' && address ? address.port : port);
    });
  });
}

function listenError(error: NodeJS.ErrnoException, port: number): SentinelError {
  if (error.code === 'EADDRINUSE') {
    return new SentinelError(
      'port_in_use',
      `the console cannot listen on ${HOST}:${port}: the port is in use`,
      'free the port, choose another one, or use port 0 for any free one',
      { cause: error },
    );
  }
  const remedy = error.code === 'EACCES' ? 'choose a port from 1024 up' : '';
  const message = `the console cannot listen on ${HOST}:${port} (${error.code})`;
  return new SentinelError('console_listen', message, remedy, { cause: error });
}

/**
 * Bounds the sockets that are open. When all places are taken, the one who came first among those not signed in gives
 * way: whoever holds sockets open cannot keep a browser out, and a signed-in console is never disturbed. A socket that
 * does not show a session in time is closed.
 */
function admitVisitors(
  listener: Server,
  maxConnections: number,
  onRefused: () => void,
): { all: Set<Socket>; guests: Set<Socket> } {
  const all = new Set<Socket>();
  const guests = new Set<Socket>();
  listener.on('connection', (socket: Socket) => {
    all.add(socket);
    guests.add(socket);
    const deadline = setTimeout(() => {
      if (guests.delete(socket)) socket.destroy();
    }, GUEST_MS);
    deadline.unref();
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(deadline);
      all.delete(socket);
      guests.delete(socket);
    });
    if (all.size <= maxConnections) return;
    onRefused();
    const [oldest] = guests;
    guests.delete(oldest!);
    oldest!.destroy();
  });
  return { all, guests };
}
