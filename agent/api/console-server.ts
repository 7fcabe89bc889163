/**
 * The console on loopback, for machines without Electron: static files and one WebSocket, for a browser of this machine.
 *
 * Anything on this machine can reach a loopback port, and so can any web page in a browser (by its address, or by a
 * name that resolves to 127.0.0.1). So: nothing but the sign-in page is answered without a session cookie; the Host
 * header must be ours (DNS rebinding); a WebSocket needs our Origin; there is no CORS; cookies are HttpOnly and
 * SameSite=Strict; pages may load and connect to nothing but this origin and be framed by none. Every refusal is
 * counted by reason.
 *
 * node:http and ws are loaded when the console starts: an agent with the console off does not pay for them.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { SentinelError } from '../errors.ts';
import { ConsoleAuth, type ConsoleAuthOptions } from './console-auth.ts';
import { type ConsoleFile, readConsoleFiles } from './console-files.ts';
import { ConsoleGate, SIGN_IN_PATH, securityHeaders } from './console-gate.ts';
import { type Transport, WEBSOCKET_PATH } from './contract.ts';
import type { RefusalReason } from './limits.ts';
import type { ApiServer } from './server.ts';
import type { Role } from './services.ts';

export interface ConsoleServerOptions extends ConsoleAuthOptions {
  server: ApiServer;
  /** Folder of the built console. */
  folder: string;
  /** 0 or absent: any free port. */
  port?: number;
  /** Role of the address in `url`; see console-auth.ts for why it is `read` by default. */
  startRole?: Role;
  /** Sockets open at once, signed in or not. */
  maxConnections?: number;
  /** A browser that does not answer a ping within this time is gone. */
  pingIntervalMs?: number;
}

export interface ConsoleServer {
  readonly port: number;
  readonly origin: string;
  /** A one-time address, issued at start. */
  readonly url: string;
  /** Another one-time address. `expiresNs` is wall time. */
  issueUrl(role: Role): { url: string; expiresNs: string };
  /** Ends every connection and session. */
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
/** Time for a request's headers. */
const HEADERS_TIMEOUT_MS = 5000;
/** Longest life of a socket that has not shown a session. */
const GUEST_MS = 5000;
/** Time an idle kept-alive socket stays. */
const KEEP_ALIVE_MS = 5000;
const MAX_HEADER_BYTES = 8 * 1024;

/** Starts serving. Throws a SentinelError if the port is taken or the console was not built. */
export async function startConsoleServer(options: ConsoleServerOptions): Promise<ConsoleServer> {
  const { server } = options;
  const files = readConsoleFiles(options.folder);
  const auth = new ConsoleAuth(options);
  const http = await import('node:http');
  const { WebSocketServer: Sockets } = await import('ws');
  const counters = server.counters;

  const web = http.createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: 2 * HEADERS_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: 1000,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  web.maxHeadersCount = 64;
  const sockets = new Sockets({
    noServer: true,
    maxPayload: server.limits.maxRequestBytes,
    perMessageDeflate: false,
    clientTracking: false,
  });
  const guests = admitConnections(web, options.maxConnections ?? 64, () =>
    counters.refuse('console_connections'),
  );

  const port = await listen(web, options.port ?? 0);
  const gate = new ConsoleGate(port, auth, counters);
  const headers = securityHeaders(port);

  web.on('request', (request, response) => {
    if (answer(request, response, gate, files, headers)) guests.delete(request.socket);
  });
  web.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const verdict = request.url === WEBSOCKET_PATH ? gate.checkUpgrade(request) : refusePath(gate);
    if (!verdict.ok) {
      refuseUpgrade(socket, verdict.status);
      return;
    }
    guests.delete(socket as Socket);
    sockets.handleUpgrade(request, socket, head, (ws) => {
      serveWebSocket(ws, server, verdict.role, options.pingIntervalMs ?? 30_000);
    });
  });
  web.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // A browser that hangs up is no refusal; a request that is not HTTP, too large or too slow is.
    if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') counters.refuse('console_protocol');
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    setTimeout(() => socket.destroy(), 1000).unref();
  });
  web.on('error', (error) => server.log?.warn({ error: error.message }, 'console server'));

  const issueUrl = (role: Role): { url: string; expiresNs: string } => ({
    url: `http://${HOST}:${port}${SIGN_IN_PATH}?token=${auth.issueToken(role)}`,
    expiresNs: String(BigInt(Date.now() + auth.tokenLifeMs) * 1_000_000n),
  });
  return {
    port,
    origin: `http://${HOST}:${port}`,
    url: issueUrl(options.startRole ?? 'read').url,
    issueUrl,
    close: () => close(web, sockets),
  };
}

function listen(web: Server, port: number): Promise<number> {
  return new Promise((done, fail) => {
    web.once('error', (error: NodeJS.ErrnoException) => fail(listenError(error, port)));
    web.listen({ host: HOST, port, exclusive: true, backlog: 128 }, () => {
      web.removeAllListeners('error');
      const address = web.address();
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
 * way: whoever holds sockets open cannot keep a browser out, and a signed-in console is never disturbed.
 */
function admitConnections(web: Server, maxConnections: number, onRefused: () => void): Set<Socket> {
  const guests = new Set<Socket>();
  let open = 0;
  web.on('connection', (socket: Socket) => {
    open++;
    guests.add(socket);
    // Node's own header timeout misses sockets that never send a byte when many come at once.
    const deadline = setTimeout(() => {
      if (guests.delete(socket)) socket.destroy();
    }, GUEST_MS);
    deadline.unref();
    socket.once('close', () => {
      clearTimeout(deadline);
      open--;
      guests.delete(socket);
    });
    if (open <= maxConnections) return;
    onRefused();
    const [oldest] = guests;
    guests.delete(oldest!);
    oldest!.destroy();
  });
  return guests;
}

/** True if the request came with a session. */
function answer(
  request: IncomingMessage,
  response: ServerResponse,
  gate: ConsoleGate,
  files: ReadonlyMap<string, ConsoleFile>,
  headers: Readonly<Record<string, string>>,
): boolean {
  // No request has a body worth reading; whatever comes is thrown away with the socket.
  if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined) {
    response.shouldKeepAlive = false;
  }
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  const extra: Record<string, string> = { ...headers };
  const sendPage = (status: number, page: string): void =>
    send(response, status, 'text/html; charset=utf-8', Buffer.from(page), extra, request.method);

  const verdict = gate.checkRequest(request, path, query);
  if (!verdict.ok) {
    if (verdict.status === 405) extra['Allow'] = 'GET, HEAD';
    sendPage(verdict.status, verdict.page);
    return false;
  }
  if (verdict.cookie !== undefined) extra['Set-Cookie'] = verdict.cookie;
  const file = verdict.page === undefined ? files.get(path) : undefined;
  if (verdict.page !== undefined) sendPage(200, verdict.page);
  else if (!file) sendPage(404, gate.refuse('console_path', 404).page);
  else {
    if (file.immutable) extra['Cache-Control'] = 'private, max-age=31536000, immutable';
    send(response, 200, file.contentType, file.body, extra, request.method);
  }
  return true;
}

function send(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: Buffer,
  headers: Readonly<Record<string, string>>,
  method: string | undefined,
): void {
  response.writeHead(status, { ...headers, 'Content-Type': contentType, 'Content-Length': body.length });
  response.end(method === 'HEAD' ? undefined : body);
}

function refusePath(gate: ConsoleGate): { ok: false; status: number } {
  return gate.refuse('console_path', 404);
}

function refuseUpgrade(socket: Duplex, status: number): void {
  const reason = status === 401 ? 'Unauthorized' : status === 404 ? 'Not Found' : 'Forbidden';
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  setTimeout(() => socket.destroy(), 1000).unref();
}

const WS_FAULTS: Readonly<Record<string, RefusalReason>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 'oversized',
  WS_ERR_INVALID_UTF8: 'malformed',
};

function serveWebSocket(ws: WebSocket, server: ApiServer, role: Role, pingIntervalMs: number): void {
  let alive = true;
  const ping = setInterval(() => {
    if (!alive) {
      ws.terminate();
      return;
    }
    alive = false;
    ws.ping();
  }, pingIntervalMs);
  ping.unref();
  ws.on('pong', () => {
    alive = true;
  });
  ws.on('close', () => clearInterval(ping));
  ws.on('error', (error: Error & { code?: string }) => {
    server.counters.refuse(WS_FAULTS[error.code ?? ''] ?? 'console_protocol');
    // ws has sent the close code; a peer that ignores it is cut off.
    setTimeout(() => ws.terminate(), 1000).unref();
  });
  const transport: Transport = {
    send: (message) => {
      if (ws.readyState === ws.OPEN) ws.send(message);
    },
    onMessage: (listener) => {
      ws.on('message', (data, isBinary) => {
        alive = true;
        if (isBinary) {
          server.counters.refuse('malformed');
          ws.close(1003, 'text only');
        } else listener((data as Buffer).toString('utf8'));
      });
    },
    onClose: (listener) => {
      ws.on('close', listener);
    },
    close: () => {
      ws.close(1001);
      setTimeout(() => ws.terminate(), 1000).unref();
    },
    get backlogBytes() {
      return ws.bufferedAmount;
    },
  };
  server.accept(transport, { role, transport: 'websocket' });
}

function close(web: Server, sockets: WebSocketServer): Promise<void> {
  return new Promise((done) => {
    sockets.close();
    web.close(() => done());
    web.closeAllConnections();
  });
}
