/**
 * The timeline's database: SQLite in WAL journal mode, one file, rebuildable from the write-ahead log.
 *
 * Events lie in partitions of at most `partitionRows` rows, filled one after the other; retention drops whole
 * partitions. Everything that a partition's rows refer to by number lies in the same partition, so numbers stay
 * small, indexes stay local (inserts touch few pages) and no reference counts are needed:
 *
 *   eN  events: what is filtered and sorted in typed columns, the remainder as JSON in `rest`
 *   dN  dictionary: text once (mostly: a small cache decides, duplicates are legal) with its kind
 *   fN  FTS5 over the dictionary's searchable texts, folded, trigrams: finds any part of a text of 3 characters up
 *   sN  process snapshots: a process as its events showed it, with its parent; a new row when anything changed
 *   tN  detections of events, inline ones and those added later
 *   rN, mN  rollups: rows by second and by minute, cell = time << 8 | type << 4 | severity << 1 | lane
 *
 * Global tables: `part` (catalogue with time span and size), `act` (type and action by number; 64 and above are the
 * rare ones, which have an index), `process` (identity, lifetime, counts), `gap`, `hash`, `pending` (detections that
 * came before their event), `meta` (schema version, cursors).
 *
 * Invariants: a partition's `min_ts`..`max_ts` covers its rows; partitions may overlap in time because the two lanes
 * arrive apart; rollups always equal a count over the events; cursors move in the transaction that stores the events.
 */
import type { DatabaseSync } from 'node:sqlite';
import { EVENT_TYPES } from '../event.ts';

export const SCHEMA_VERSION = 1;
/** Marks the file as ours: "SNTL". */
export const APPLICATION_ID = 0x534e_544c;

export const GLOBAL_SCHEMA = `
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE part(n INTEGER PRIMARY KEY, min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL,
  rows INTEGER NOT NULL, min0 INTEGER NOT NULL, max0 INTEGER NOT NULL, min1 INTEGER NOT NULL, max1 INTEGER NOT NULL);
CREATE TABLE act(id INTEGER PRIMARY KEY, type INTEGER NOT NULL, action TEXT NOT NULL);
CREATE TABLE part_act(n INTEGER, ta INTEGER, rows INTEGER NOT NULL, PRIMARY KEY(n, ta)) WITHOUT ROWID;
CREATE TABLE process(start INTEGER, pid INTEGER, pstart INTEGER, ppid INTEGER, first_ts INTEGER NOT NULL,
  last_ts INTEGER NOT NULL, end_ts INTEGER, exit_code INTEGER, exit_signal INTEGER, sev INTEGER NOT NULL,
  part INTEGER, snap INTEGER, info TEXT, ${EVENT_TYPES.map((_, index) => `n${index} INTEGER NOT NULL`).join(', ')},
  PRIMARY KEY(start, pid)) WITHOUT ROWID;
CREATE INDEX process_pid ON process(pid, start);
CREATE INDEX process_parent ON process(pstart, ppid);
CREATE TABLE gap(id INTEGER PRIMARY KEY, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, count INTEGER,
  info TEXT NOT NULL);
CREATE INDEX gap_to ON gap(to_ns);
CREATE TABLE hash(id INTEGER PRIMARY KEY, ident TEXT UNIQUE NOT NULL, path TEXT, sha256 TEXT NOT NULL,
  blake3 TEXT NOT NULL);
CREATE INDEX hash_sha256 ON hash(sha256);
CREATE INDEX hash_blake3 ON hash(blake3);
CREATE TABLE pending(event INTEGER, seq INTEGER, json TEXT NOT NULL, PRIMARY KEY(event, seq)) WITHOUT ROWID;
`;

/** First number of the rare actions in `act`. */
export const RARE_ACTIONS = 64;

/** Tables of partition `n`. */
export function partitionSchema(n: number): string {
  return `
CREATE TABLE e${n}(id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, ta INTEGER NOT NULL, sev INTEGER NOT NULL,
  fl INTEGER NOT NULL, snap INTEGER, path INTEGER, path2 INTEGER, dst INTEGER, src INTEGER, dport INTEGER,
  sport INTEGER, dns INTEGER, msg INTEGER, ctx INTEGER, sq INTEGER, tid INTEGER, xcode INTEGER, xsignal INTEGER,
  bytes INTEGER, mode INTEGER, oflags INTEGER, inode, dev INTEGER, proto INTEGER, dir INTEGER, verdict INTEGER,
  sent INTEGER, recv INTEGER, rtype INTEGER, rest TEXT);
CREATE INDEX e${n}_ts ON e${n}(ts);
CREATE INDEX e${n}_snap ON e${n}(snap) WHERE snap IS NOT NULL;
CREATE INDEX e${n}_path ON e${n}(path) WHERE path IS NOT NULL;
CREATE INDEX e${n}_path2 ON e${n}(path2) WHERE path2 IS NOT NULL;
CREATE INDEX e${n}_dst ON e${n}(dst) WHERE dst IS NOT NULL;
CREATE INDEX e${n}_dns ON e${n}(dns) WHERE dns IS NOT NULL;
CREATE INDEX e${n}_msg ON e${n}(msg) WHERE msg IS NOT NULL;
CREATE INDEX e${n}_sev ON e${n}(ts) WHERE sev >= 1;
CREATE INDEX e${n}_rare ON e${n}(ta, ts) WHERE ta >= ${RARE_ACTIONS};
CREATE TABLE d${n}(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX d${n}_kind ON d${n}(kind) WHERE kind >= ${FIRST_SMALL_KIND};
CREATE VIRTUAL TABLE f${n} USING fts5(text, content='', columnsize=0, detail=none,
  tokenize='trigram case_sensitive 1');
INSERT INTO f${n}(f${n}, rank) VALUES ('crisismerge', 32);
INSERT INTO f${n}(f${n}, rank) VALUES ('automerge', 16);
CREATE TABLE s${n}(id INTEGER PRIMARY KEY, ${SNAPSHOT_COLUMNS.map((name) => `${name} ${name === 'rest' ? 'TEXT' : 'INTEGER'}`).join(', ')});
CREATE INDEX s${n}_pid ON s${n}(pid);
CREATE INDEX s${n}_exe ON s${n}(exe);
CREATE INDEX s${n}_cmd ON s${n}(cmd);
CREATE TABLE t${n}(event INTEGER, seq INTEGER, k INTEGER, rule TEXT NOT NULL, title TEXT NOT NULL,
  attack TEXT NOT NULL, source TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY(event, seq, k)) WITHOUT ROWID;
CREATE TABLE r${n}(cell INTEGER PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE m${n}(cell INTEGER PRIMARY KEY, n INTEGER NOT NULL);
`;
}

/** Statements that remove partition `n`, one by one so that none takes long. */
export function partitionDrops(n: number): string[] {
  return ['e', 'd', 'f', 's', 't', 'r', 'm'].map((prefix) => `DROP TABLE IF EXISTS ${prefix}${n}`);
}

/**
 * What a dictionary row's text is. Kinds below FIRST_SMALL_KIND are numerous and indexed for search; the others have
 * few distinct values and are searched by walking them. `escaped` is added when the text is JSON of itself because
 * UTF-8 cannot hold it (lone surrogates); `long` when it was too long to index.
 */
export const Kind = {
  text: 0,
  /** Arguments, JSON array. */
  argv: 1,
  ip: 2,
  name: 8,
  user: 9,
  container: 10,
  cgroup: 11,
  integrity: 12,
  /** JSON array. */
  flags: 13,
  /** JSON {sha256, blake3}. */
  hashes: 14,
  /** dev:inode:mtimeNs:ctimeNs:size of an executable. */
  identity: 15,
  /** JSON array of entity ids. */
  ancestry: 16,
  /** JSON [bootId, deviceId, tenantId]. */
  context: 17,
  /** Protocols, directions, verdicts, devices, record types. */
  label: 18,
} as const;
export const FIRST_SMALL_KIND = 8;
export const KIND_MASK = 31;
export const KIND_ESCAPED = 32;
export const KIND_LONG = 64;

/** Columns of a snapshot after its id, in the order in which it is encoded. */
export const SNAPSHOT_COLUMNS = [
  'pid',
  'start',
  'ppid',
  'pstart',
  'name',
  'exe',
  'cmd',
  'cwd',
  'uid',
  'euid',
  'gid',
  'luid',
  'session',
  'user',
  'integ',
  'cgroup',
  'container',
  'flags',
  'hashes',
  'ident',
  'rpid',
  'rstart',
  'rname',
  'rexe',
  'rcmd',
  'rcwd',
  'ruid',
  'ruser',
  'anc',
  'rest',
] as const;

/** Columns of an event, in the order in which it is encoded. `inode` is a number, or text that is not one. */
export const EVENT_COLUMNS = [
  'id',
  'ts',
  'ta',
  'sev',
  'fl',
  'snap',
  'path',
  'path2',
  'dst',
  'src',
  'dport',
  'sport',
  'dns',
  'msg',
  'ctx',
  'sq',
  'tid',
  'xcode',
  'xsignal',
  'bytes',
  'mode',
  'oflags',
  'inode',
  'dev',
  'proto',
  'dir',
  'verdict',
  'sent',
  'recv',
  'rtype',
  'rest',
] as const;
/** All columns of alias `e`, for SELECT. */
export const EVENT_ROW = EVENT_COLUMNS.map((name) => `e.${name}`).join(', ');

/** Bits of `fl`. */
export const Flag = {
  observability: 1,
  synthetic: 2,
  /** Has rows in tN. */
  detections: 4,
  /** `detections` was present and empty. */
  noDetections: 8,
  file: 16,
  network: 32,
  dns: 64,
} as const;

export function createGlobal(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  db.exec(GLOBAL_SCHEMA);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  db.exec('COMMIT');
}
