/**
 * Who may use the loopback console: one-time tokens in addresses, exchanged for session cookies.
 *
 * A token is worth one session, once, within minutes; a session lives while it is used, and never beyond the agent's
 * process. Only SHA-256 hashes are kept, so lookups leak nothing by their time. Both tables are bounded.
 *
 * Roles: a session has the role and user its address was issued with. What the agent prints where it is not on a
 * terminal is worth `read`, because such output ends up in logs that more people read than may change the agent. An
 * address on our user's terminal, in the ready file (0600), or asked for with console.url on the unix socket by root or
 * the agent's own user, is `privileged`.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Role } from './services.ts';

const MAX_TOKENS = 32;
const MAX_SESSIONS = 64;

/** What a session may do, and for whom its address was made. */
export interface Visitor {
  role: Role;
  uid?: number | undefined;
}

interface Grant extends Visitor {
  expiresMs: number;
}

export type Exchange =
  | { ok: true; session: string; visitor: Visitor }
  | { ok: false; reason: 'unknown' | 'used' | 'expired' };

export interface ConsoleAuthOptions {
  tokenLifeMs?: number;
  /** A session ends when it was not used for this long. */
  sessionIdleMs?: number;
  /** Milliseconds on a clock that only goes forward. */
  nowMs?: () => number;
}

export class ConsoleAuth {
  readonly tokenLifeMs: number;
  readonly #sessionIdleMs: number;
  readonly #nowMs: () => number;
  readonly #tokens = new Map<string, Grant>();
  /** Hashes of tokens that were used, to tell "used" from "unknown"; bounded like the tokens. */
  readonly #used = new Set<string>();
  readonly #sessions = new Map<string, Grant>();

  constructor(options: ConsoleAuthOptions = {}) {
    this.tokenLifeMs = options.tokenLifeMs ?? 5 * 60_000;
    this.#sessionIdleMs = options.sessionIdleMs ?? 12 * 3600_000;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  issueToken({ role, uid }: Visitor): string {
    const token = randomBytes(32).toString('base64url');
    evictOldest(this.#tokens, MAX_TOKENS);
    this.#tokens.set(hash(token), { role, uid, expiresMs: this.#nowMs() + this.tokenLifeMs });
    return token;
  }

  /** Spends a token. The same token never works twice, whoever was first. */
  exchange(token: string): Exchange {
    const key = hash(token);
    const grant = this.#tokens.get(key);
    if (!grant) return { ok: false, reason: this.#used.has(key) ? 'used' : 'unknown' };
    this.#tokens.delete(key);
    evictOldest(this.#used, MAX_TOKENS);
    this.#used.add(key);
    if (this.#nowMs() >= grant.expiresMs) return { ok: false, reason: 'expired' };
    const session = randomBytes(32).toString('base64url');
    evictOldest(this.#sessions, MAX_SESSIONS);
    this.#sessions.set(hash(session), { ...grant, expiresMs: this.#nowMs() + this.#sessionIdleMs });
    return { ok: true, session, visitor: { role: grant.role, uid: grant.uid } };
  }

  /** Whose a session cookie's value is, or undefined. Using a session prolongs it. */
  visitorOf(session: string | undefined): Visitor | undefined {
    if (session === undefined) return undefined;
    const key = hash(session);
    const grant = this.#sessions.get(key);
    if (!grant) return undefined;
    // Deleted and set again: the map's order is the order of last use.
    this.#sessions.delete(key);
    const nowMs = this.#nowMs();
    if (nowMs >= grant.expiresMs) return undefined;
    grant.expiresMs = nowMs + this.#sessionIdleMs;
    this.#sessions.set(key, grant);
    return { role: grant.role, uid: grant.uid };
  }
}

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('base64');
}

function evictOldest(table: Map<string, unknown> | Set<string>, max: number): void {
  for (const key of table.keys()) {
    if (table.size < max) return;
    table.delete(key);
  }
}
