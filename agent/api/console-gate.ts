/** Decides on each request to the loopback console before anything is served. Pure but for counters and tokens. */
import type { IncomingMessage } from 'node:http';
import type { ConsoleAuth, Visitor } from './console-auth.ts';
import { WEBSOCKET_PATH } from './contract.ts';
import { type ApiCounters, type RefusalReason, TokenBucket } from './limits.ts';

export const SIGN_IN_PATH = '/sign-in';
const GUESSES_PER_SECOND = 1;
const GUESS_BURST = 20;

export interface Refused {
  ok: false;
  status: number;
  page: string;
}

export type RequestVerdict = Refused | { ok: true; cookie?: string; page?: string };
export type UpgradeVerdict = Refused | { ok: true; visitor: Visitor };

const TITLES: Readonly<Record<number, string>> = {
  401: 'This address has been used or has expired',
  403: 'Refused',
  404: 'There is nothing here',
  405: 'Refused',
  421: 'Refused',
  429: 'Too many wrong addresses',
};
const EXPLANATIONS: Readonly<Record<number, string>> = {
  401: 'Each console address signs in one browser, once, within a few minutes. Get a fresh one with <code>sentinel console</code>.',
  403: 'The console only talks to its own page.',
  404: 'Open the <a href="/">console</a>.',
  405: 'The console only answers GET.',
  421: 'The console only answers on 127.0.0.1 and localhost.',
  429: 'Get a fresh address with <code>sentinel console</code>; it works at once.',
};

/** Sent with every answer. */
export function securityHeaders(port: number): Record<string, string> {
  const csp = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    // 'self' covers WebSockets in current browsers; older ones need them named.
    `connect-src 'self' ws://127.0.0.1:${port}${WEBSOCKET_PATH} ws://localhost:${port}${WEBSOCKET_PATH}`,
    "manifest-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return {
    'Content-Security-Policy': csp.join('; '),
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    'Cache-Control': 'no-store',
  };
}

export class ConsoleGate {
  readonly #auth: ConsoleAuth;
  readonly #counters: ApiCounters;
  readonly #hosts: ReadonlySet<string>;
  readonly #cookieName: string;
  /** Wrong tokens. A right one works however many wrong ones came: nobody can lock the owner out by guessing. */
  readonly #guesses = new TokenBucket(GUESSES_PER_SECOND, GUESS_BURST, performance.now());

  constructor(port: number, auth: ConsoleAuth, counters: ApiCounters) {
    this.#auth = auth;
    this.#counters = counters;
    this.#hosts = new Set([`127.0.0.1:${port}`, `localhost:${port}`]);
    // Cookies do not know ports: two agents on one machine must not overwrite each other's.
    this.#cookieName = `sentinel_${port}`;
  }

  refuse(reason: RefusalReason, status: number): Refused {
    this.#counters.refuse(reason);
    const title = TITLES[status] ?? 'Refused';
    return { ok: false, status, page: page(title, EXPLANATIONS[status] ?? '') };
  }

  /** A plain request. A valid token in the sign-in address is spent, and `cookie` and `page` are to be sent. */
  checkRequest(request: IncomingMessage, path: string, query: string): RequestVerdict {
    if (!this.#hosts.has(request.headers.host ?? '')) return this.refuse('console_host', 421);
    if (request.method !== 'GET' && request.method !== 'HEAD') return this.refuse('console_method', 405);
    if (path === SIGN_IN_PATH) return this.#signIn(request, query);
    const visitor = this.#auth.visitorOf(cookieOf(request.headers.cookie, this.#cookieName));
    if (!visitor) return this.refuse('console_session', 401);
    return { ok: true };
  }

  /** A WebSocket: the Origin must be there and be the one of the page that we served. */
  checkUpgrade(request: IncomingMessage): UpgradeVerdict {
    const { host = '', origin, cookie } = request.headers;
    if (!this.#hosts.has(host)) return this.refuse('console_host', 421);
    if (origin !== `http://${host}`) return this.refuse('console_origin', 403);
    const visitor = this.#auth.visitorOf(cookieOf(cookie, this.#cookieName));
    if (!visitor) return this.refuse('console_session', 401);
    return { ok: true, visitor };
  }

  #signIn(request: IncomingMessage, query: string): RequestVerdict {
    // Browsers look ahead at addresses being typed; that must not spend the token.
    const lookingAhead = /prefetch|prerender/i.test(
      `${request.headers['sec-purpose']} ${request.headers['purpose']}`,
    );
    const token = /^token=([\w-]{1,128})$/.exec(query)?.[1];
    if (token === undefined || request.method !== 'GET' || lookingAhead) return this.#wrongToken();
    const result = this.#auth.exchange(token);
    // Not a redirect: after one that began on another site the browser would hold the Strict cookie back, while a
    // navigation begun by this page is our own.
    const signedIn = page(
      'Signed in',
      'Opening the <a href="/">console</a>.',
      '<meta http-equiv="refresh" content="0;url=/">',
    );
    if (result.ok) {
      const cookie = `${this.#cookieName}=${result.session}; Path=/; HttpOnly; SameSite=Strict`;
      return { ok: true, cookie, page: signedIn };
    }
    // Reloading the address in the browser that it signed in is no failure.
    const visitor = this.#auth.visitorOf(cookieOf(request.headers.cookie, this.#cookieName));
    return visitor ? { ok: true, page: signedIn } : this.#wrongToken();
  }

  #wrongToken(): Refused {
    return this.#guesses.take(performance.now())
      ? this.refuse('console_token', 401)
      : this.refuse('console_guessing', 429);
  }
}

/** Value of one cookie in a Cookie header. The first counts, as browsers send the most specific first. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}

function page(title: string, text: string, head = ''): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">${head}<title>Sentinel</title></head><body><h1>${title}</h1><p>${text}</p></body></html>`;
}
