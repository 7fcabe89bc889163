/**
 * The Local API: one contract for every transport (MessagePort, unix socket, WebSocket). Types and constants only,
 * so that both Node and browser code can import it. 64-bit integers travel as decimal strings.
 *
 * Wire: JSON messages. Request {id, method, params}; response {id, result} or {id, error}; a subscription answers
 * its request with {id, result: {subscription}} and then sends {subscription, seq, snapshot} once, {subscription,
 * seq, delta} after, and {subscription, closed: reason} at the end. `seq` starts at 1 with the snapshot and grows by
 * one; a hole means resubscribe. A message without a usable id is answered with id 0, so clients count from 1.
 *
 * Where it listens: DATA/agent.sock (frames of u32 LE length + UTF-8 JSON) and, for the console, one WebSocket text
 * message per JSON message at WEBSOCKET_PATH of the origin that served the page.
 */

import type {
  EventDetail,
  EventJson,
  EventPage,
  Facet,
  GapJson,
  GapTotalJson,
  Histogram,
  Severity,
} from './contract-events.ts';
import type { DlpReadMethods, DlpWriteMethods } from './contract-dlp.ts';
import type { DoctorCheck, EvidenceState, HealthSnapshot, LogCheckState } from './contract-health.ts';
import type { PolicyReadMethods, PolicyWriteMethods } from './contract-policy.ts';
import type { TreeNode } from './contract-tree.ts';
import type {
  ExceptionCondition,
  ExceptionPreview,
  ExceptionSummary,
  TriageDecision,
  TriageLabel,
} from './contract-triage.ts';

export type * from './contract-dlp.ts';
export type * from './contract-events.ts';
export type * from './contract-health.ts';
export type * from './contract-policy.ts';
export type * from './contract-tree.ts';
export * from './contract-triage.ts';

export const API_VERSION = 1;

export type ErrorCode =
  | 'bad_request'
  | 'bad_query'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'overloaded'
  | 'cancelled'
  | 'internal'
  | 'unavailable';

export interface ApiError {
  code: ErrorCode;
  /** What happened, what it means, what to do. */
  message: string;
  /** bad_query: 0-based offset into the query text, and how many characters are at fault. */
  offset?: number;
  length?: number;
}

export type ExportFormat = 'ndjson' | 'csv';

/**
 * One piece of an export, newest first. Ask for the first without `before` (CSV begins with its header), then go on with
 * `before: older` until there is no `older`; to cancel, stop asking. A piece can hold no events and still have more.
 */
export interface ExportPiece {
  /** Whole lines. NDJSON ends lines with LF and escapes what a terminal would obey; CSV is RFC 4180, inert in spreadsheets. */
  text: string;
  events: number;
  older?: string;
  /** Time of the last event in it: how far the export has got. */
  atNs?: string;
  /** In the first piece: how many events the whole export will have, when that could be counted. */
  total?: number;
  totalApproximate?: boolean;
}

/** A saved search, a column setting and the like: the console's own JSON, which the agent keeps and does not read. */
export interface SavedItem {
  /** For example `search`, `columns`. */
  kind: string;
  name: string;
  value: string;
  updatedNs: string;
  by: TriageDecision['by'];
}

export interface QueryCheck {
  ok: boolean;
  error?: ApiError;
  /** Normalised text of a valid query. */
  canonical?: string;
  /** Tokens for colouring: kind is field, operator, value, keyword, time. */
  tokens: { offset: number; length: number; kind: string }[];
  /** Completions at the given caret. */
  completions: { text: string; label: string; detail?: string; replaceFrom: number; replaceTo: number }[];
}

export interface RuleSummary {
  id: string;
  title: string;
  /** `detection`, or the type of a correlation: event_count, temporal, … */
  type: string;
  level: Severity;
  attack: string[];
  /** Empty for a correlation. */
  logsource: string;
  source: string;
  hits: number;
  disabledReason?: string;
  /** Ids of the rules and correlations a correlation takes its matches from. */
  uses?: string[];
}

/** Read-only methods: what the socket's group, the console and the desktop window may call. */
export interface ReadMethods extends PolicyReadMethods, DlpReadMethods {
  'api.hello': {
    params: { version: number; locale?: string };
    result: { version: number; agentVersion: string; privileged: boolean };
  };
  'health.get': { params: Record<string, never>; result: HealthSnapshot };
  'query.check': { params: { text: string; caret?: number }; result: QueryCheck };
  'events.query': {
    params: { query: string; limit?: number; before?: string; after?: string };
    result: EventPage;
  };
  'events.histogram': {
    params: { query: string; fromNs?: string; toNs?: string; buckets: number };
    result: Histogram;
  };
  'events.facets': { params: { query: string; fields: string[]; top?: number }; result: { facets: Facet[] } };
  'events.get': { params: { eventId: string }; result: EventDetail };
  'events.around': { params: { eventId: string; before: number; after: number }; result: EventPage };
  /** The ledger of gaps: how many, of how many records, by lane, cause, hook and CPU; most records first. */
  'gaps.totals': { params: { fromNs?: string; toNs?: string }; result: { totals: GapTotalJson[] } };
  'events.gaps': { params: { fromNs?: string; toNs?: string; limit?: number }; result: { gaps: GapJson[] } };
  /** A piece of what `query` finds, as text to save; `columns` (CSV) are dotted names of EventJson, or `time` or `process.commandLine`. */
  'events.export': {
    params: { query: string; format: ExportFormat; columns?: string[]; before?: string; limit?: number };
    result: ExportPiece;
  };
  /** Decisions in force, or with `history` all, newest first. */
  'triage.list': {
    params: {
      eventIds?: string[];
      ruleId?: string;
      label?: TriageLabel;
      history?: boolean;
      limit?: number;
    };
    result: { decisions: TriageDecision[]; more: boolean };
  };
  'saved.list': { params: { kind?: string }; result: { items: SavedItem[] } };
  'process.tree': {
    params: { pid: number; startNs?: string };
    result: { ancestors: TreeNode[]; node: TreeNode; children: TreeNode[]; more?: string };
  };
  /** A process with its subtree's sums, and its ancestors from the parent upwards (64 at most). */
  'tree.ancestors': { params: { entityId: string }; result: { node: TreeNode; ancestors: TreeNode[] } };
  /** Children in order of start, by keyset pages: `after` is `more` of the page before. */
  'tree.children': {
    params: { entityId: string; limit?: number; after?: string };
    result: { children: TreeNode[]; total: number; more?: string };
  };
  /**
   * Processes below a process whose events match a query, newest match first, at most 200: `paths` lead from a child of it
   * down to each. `complete` is false when there is or may be more.
   */
  'tree.search': {
    params: { entityId: string; query: string; limit?: number };
    result: { paths: TreeNode[][]; complete: boolean };
  };
  /**
   * Where to begin: the trees that did most and that began last, each by the service or session at its top, and the
   * processes that rules matched, the worst first. Of a very long record only both ends are looked at.
   */
  'tree.overview': {
    params: Record<string, never>;
    result: { busiest: TreeNode[]; latest: TreeNode[]; matched: TreeNode[]; complete: boolean };
  };
  /**
   * Checks both logs anew, in the background; `start: false` only asks how far it is. Ask again until it has ended. Reads
   * only, one at a time and, in a process of its own, at low priority.
   */
  'log.check': { params: { start: boolean }; result: LogCheckState };
  'rules.list': { params: Record<string, never>; result: { rules: RuleSummary[] } };
  /** What this machine allows, asked now. */
  'doctor.check': { params: Record<string, never>; result: { checks: DoctorCheck[] } };
  /** What an exception drafted from one rule's match on an event would hide; without `conditions` the narrowest. */
  'exceptions.preview': {
    params: { eventId: string; ruleId: string; conditions?: ExceptionCondition[] };
    result: ExceptionPreview;
  };
  'exceptions.list': { params: Record<string, never>; result: { exceptions: ExceptionSummary[] } };
}

/** Methods that change something: root or the agent's own user only. Extends the read-only contract. */
export interface PrivilegedMethods extends ReadMethods, PolicyWriteMethods, DlpWriteMethods {
  'rules.reload': {
    params: Record<string, never>;
    result: { loaded: number; failed: { file: string; reason: string }[] };
  };
  /** Labels events (each of `eventIds`), or one rule's match on them; answered once the decisions are durable. */
  'triage.set': {
    params: { eventIds: string[]; label: TriageLabel; ruleId?: string; note?: string };
    result: { decisions: TriageDecision[] };
  };
  /** Saves an exception and puts it in force; `expires` is its last day, YYYY-MM-DD (UTC). Recorded in the security log. */
  'exceptions.save': {
    params: {
      eventId: string;
      ruleId: string;
      conditions: ExceptionCondition[];
      reason: string;
      expires: string;
    };
    result: { exception: ExceptionSummary };
  };
  'exceptions.remove': { params: { id: string }; result: { removed: boolean } };
  /** Saves under (kind, name), in place of what was there. */
  'saved.put': { params: { kind: string; name: string; value: string }; result: { item: SavedItem } };
  'saved.delete': { params: { kind: string; name: string }; result: { removed: boolean } };
  /**
   * Writes an audit bundle of what a query finds: the commits from its first to its last record of each log, with what
   * proves them. In the background, one at a time; ask `evidence.state`, then read it in pieces.
   */
  'evidence.start': { params: { query: string }; result: EvidenceState };
  'evidence.state': { params: Record<string, never>; result: EvidenceState };
  'evidence.read': { params: { offset: number }; result: { base64: string; next?: number } };
  'evidence.cancel': { params: Record<string, never>; result: EvidenceState };
  /** A fresh one-time address of the console. Refused over WebSocket: a page cannot mint itself new sessions. */
  'console.url': { params: Record<string, never>; result: { url: string; expiresNs: string } };
}

export type Methods = PrivilegedMethods;
export type MethodName = keyof Methods;
/** Complete by its type: a method that changes something and is not listed does not compile. */
const PRIVILEGED: Readonly<Record<Exclude<MethodName, keyof ReadMethods>, true>> = {
  'rules.reload': true,
  'policy.reload': true,
  'policy.step': true,
  'policy.save': true,
  'policy.run': true,
  'policy.cancel': true,
  'policy.thaw': true,
  'policy.release': true,
  'policy.request': true,
  'policy.approve': true,
  'policy.approvers': true,
  'exceptions.save': true,
  'exceptions.remove': true,
  'triage.set': true,
  'saved.put': true,
  'saved.delete': true,
  'dlp.scan.start': true,
  'dlp.scan.folders': true,
  'dlp.scan.cancel': true,
  'dlp.quarantine.restore': true,
  'dlp.quarantine.remove': true,
  'evidence.start': true,
  'evidence.state': true,
  'evidence.read': true,
  'evidence.cancel': true,
  'console.url': true,
};
export const PRIVILEGED_METHODS = Object.keys(PRIVILEGED) as readonly MethodName[];

/** Subscriptions: request method -> what the snapshot and each delta hold. */
export interface Subscriptions {
  'health.watch': { params: Record<string, never>; snapshot: HealthSnapshot; delta: HealthSnapshot };
  /** Snapshot: newest page. Delta: events stored since, oldest first, at most `limit` each, with how many were skipped. */
  'events.follow': {
    params: { query: string; limit?: number };
    snapshot: EventPage;
    delta: { events: EventJson[]; skipped: number };
  };
}
export type SubscriptionName = keyof Subscriptions;
/** Why a subscription ended, in `closed`. After `slow`, ask again: what was missed is in the store. */
export type ClosedReason = 'unsubscribed' | 'slow' | 'stopping' | 'failed';

export interface Request {
  id: number;
  method: string;
  params?: unknown;
}
export type Response = { id: number; result: unknown } | { id: number; error: ApiError };
export type Push =
  | { subscription: number; seq: number; snapshot: unknown }
  | { subscription: number; seq: number; delta: unknown }
  | { subscription: number; closed: ClosedReason };
/** Client to server: end a subscription. */
export interface Unsubscribe {
  unsubscribe: number;
}

/** Client to server: the answer to this request is no longer wanted; it ends with error `cancelled`. */
export interface Cancel {
  cancel: number;
}
/**
 * Client to server, MessagePort only: UTF-16 units of messages taken so far. A port has no back-pressure of its own;
 * once a client has sent one, the server counts what is not yet acknowledged as backlog.
 */
export interface Ack {
  ack: number;
}

/** Path of the WebSocket on the console's origin. */
export const WEBSOCKET_PATH = '/api';

/** Limits a transport enforces. Bytes. */
export const MAX_REQUEST_BYTES = 256 * 1024;
export const MAX_RESPONSE_BYTES = 8 * 1024 * 1024;
/** A client with more than this waiting to be sent is shed: its subscriptions close with reason `slow`. */
export const MAX_CLIENT_BACKLOG_BYTES = 4 * 1024 * 1024;

/** A transport is two members; every host provides one. */
export interface Transport {
  send(message: string): void;
  onMessage(listener: (message: string) => void): void;
  onClose(listener: () => void): void;
  close(): void;
  /** Bytes accepted by send and not yet taken by the peer. */
  readonly backlogBytes: number;
}
