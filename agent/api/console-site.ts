/** What the loopback console answers: its files and one WebSocket. Loaded with the first connection. */
import { type IncomingMessage, STATUS_CODES, type ServerResponse, createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ConsoleAuth, Visitor } from './console-auth.ts';
import { type ConsoleFile, readConsoleFiles } from './console-files.ts';
import { ConsoleGate, securityHeaders } from './console-gate.ts';
import { type Transport, WEBSOCKET_PATH } from './contract.ts';
import { type RefusalReason, TokenBucket } from './limits.ts';
import type { ApiServer } from './server.ts';

export interface ConsoleSiteOptions {
  server: ApiServer;
  auth: ConsoleAuth;
  port: number;
  folder: string;
  pingIntervalMs: number;
  /** This socket showed a session: it may stay. */
  onSession(socket: Socket): void;
}

export interface ConsoleSite {
  /** Takes over a socket that was accepted paused. */
  serve(socket: Socket): void;
}

/** Time an idle kept-alive socket stays. */
const KEEP_ALIVE_MS = 5000;
const MAX_HEADER_BYTES = 8 * 1024;
const PINGS_PER_SECOND = 10;
const PING_BURST = 50;

/** Reads the files and gets ready to serve. Throws a SentinelError if the console was not built. */
export function openSite(options: ConsoleSiteOptions): ConsoleSite {
  const { server, auth, port } = options;
  const { counters, limits } = server;
  const files = readConsoleFiles(options.folder);
  const gate = new ConsoleGate(port, auth, counters);
  const headers = securityHeaders(port);

  // Never listens: sockets are handed to it once they were admitted.
  const web = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: MAX_HEADER_BYTES });
  web.maxHeadersCount = 64;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.maxRequestBytes,
    perMessageDeflate: false,
    autoPong: false,
    clientTracking: false,
  });

  web.on('request', (request, response) => {
    if (answer(request, response, gate, files, headers)) options.onSession(request.socket);
  });
  web.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const verdict =
      request.url === WEBSOCKET_PATH ? gate.checkUpgrade(request) : gate.refuse('console_path', 404);
    if (!verdict.ok) {
      refuseUpgrade(socket, verdict.status);
      return;
    }
    options.onSession(socket as Socket);
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const { remotePort: port } = socket as Socket;
      serveWebSocket(ws, server, { ...verdict.visitor, port }, options.pingIntervalMs);
    });
  });
  sockets.on('wsClientError', (_error, socket) => {
    counters.refuse('console_protocol');
    refuseUpgrade(socket, 400);
  });
  web.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // A browser that hangs up is no refusal; a request that is not HTTP or too large is.
    if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') counters.refuse('console_protocol');
    refuseUpgrade(socket, 400);
  });
  return {
    serve(socket) {
      web.emit('connection', socket);
      socket.resume();
    },
  };
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
    // Whoever was refused needs a new connection for the next try, and gets in line for it.
    response.shouldKeepAlive = false;
    sendPage(verdict.status, verdict.page);
    return false;
  }
  if (verdict.cookie !== undefined) extra['Set-Cookie'] = verdict.cookie;
  const file = verdict.page === undefined ? files.get(path) : undefined;
  if (verdict.page !== undefined) sendPage(200, verdict.page);
  else if (!file && path === '/favicon.ico') {
    // Browsers ask for it unasked; it is no refusal that there is none.
    response.writeHead(204, extra).end();
  } else if (!file) sendPage(404, gate.refuse('console_path', 404).page);
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

/** Answers on a socket that HTTP has let go of. */
function refuseUpgrade(socket: Duplex, status: number): void {
  const answerText = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  if (socket.writable) socket.end(answerText);
  setTimeout(() => socket.destroy(), 1000).unref();
}

const WS_FAULTS: Readonly<Record<string, RefusalReason>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 'oversized',
  WS_ERR_INVALID_UTF8: 'malformed',
};

function serveWebSocket(
  ws: WebSocket,
  server: ApiServer,
  visitor: Visitor & { port: number | undefined },
  pingIntervalMs: number,
): void {
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
  const pings = new TokenBucket(PINGS_PER_SECOND, PING_BURST, performance.now());
  ws.on('ping', (data: Buffer) => {
    // Pongs that nobody reads would pile up in the agent.
    if (pings.take(performance.now()) && ws.bufferedAmount < server.limits.maxBacklogBytes) ws.pong(data);
    else {
      server.counters.refuse('rate');
      ws.terminate();
    }
  });
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
  server.accept(transport, { ...visitor, transport: 'websocket' });
}
