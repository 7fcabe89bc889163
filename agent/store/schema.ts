/**
 * The timeline's database: SQLite in WAL journal mode, one file, rebuildable from the write-ahead log.
 *
 * Events lie in partitions of at most `partitionRows` rows, filled one after the other; retention drops whole
 * partitions. Everything that a partition's rows refer to by number lies in the same partition, so numbers stay
 * small and no reference counts are needed:
 *
 *   cN  chunks of CHUNK_ROWS events: two blocks of packed columns (column-pack.ts), `hot` for what queries look at
 *       most and `cold` for the rest. The last chunk is written again with each transaction until it is full
 *   hN, bN  for skipping chunks: their bounds, and which numbers of texts, snapshots and actions may occur (bloom.ts)
 *   pN  chunks of SNAPSHOT_ROWS process snapshots, the same way: a process as its events showed it, with its parent;
 *       a new one when anything changed. Snapshot ids count from 1 without holes
 *   xN, yN  what events and snapshots have beyond their columns, as JSON
 *   dN  dictionary: text once (mostly: a small cache decides, duplicates are legal) with its kind
 *   fN  FTS5 over the dictionary's searchable texts, folded, trigrams: finds any part of a text of 3 characters up
 *   tN  detections of events, inline ones and those added later
 *   rN, mN  rollups: events by second and by minute, cell = time << 8 | type << 4 | severity << 1 | lane
 *
 * Global tables: `part` (catalogue with bounds), `act` (type and action by number), `process` (identity, lifetime,
 * counts), `gap`, `decision`, `hash`, `pending` (detections that came before their event), `meta` (cursors).
 *
 * Invariants: the bounds of a chunk and of a partition cover their rows; both may overlap others in time, because the
 * two lanes arrive apart; rollups always equal a count over the events; cursors move in the transaction that stores
 * the events; an event id is stored once.
 */
import type { DatabaseSync } from 'node:sqlite';
import { EVENT_TYPES } from '../event.ts';

export const SCHEMA_VERSION = 3;
/** Marks the file as ours: "SNTL". */
export const APPLICATION_ID = 0x534e_544c;

export const CHUNK_ROWS = 2048;
export const SNAPSHOT_ROWS = 1024;

/** Bounds of a set of events: time, ids of each lane (min > max when it has none), bit sets of types and severities. */
export const ZONE_COLUMNS = 'rows, min_ts, max_ts, min0, max0, min1, max1, types, sevs';
const ZONE_SCHEMA = `rows INTEGER NOT NULL, min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL, min0 INTEGER NOT NULL,
  max0 INTEGER NOT NULL, min1 INTEGER NOT NULL, max1 INTEGER NOT NULL, types INTEGER NOT NULL, sevs INTEGER NOT NULL`;

/** Decisions by the event they are about; came later than the rest, so a timeline may have to be given it. */
export const DECISION_SCHEMA = `
CREATE TABLE IF NOT EXISTS decision(id INTEGER PRIMARY KEY, of INTEGER NOT NULL, policy TEXT NOT NULL,
  ts INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS decision_of ON decision(of);
CREATE INDEX IF NOT EXISTS decision_policy ON decision(policy, id);
`;

const GLOBAL_SCHEMA = `
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE part(n INTEGER PRIMARY KEY, ${ZONE_SCHEMA});
CREATE TABLE act(id INTEGER PRIMARY KEY, type INTEGER NOT NULL, action TEXT NOT NULL);
CREATE TABLE process(start INTEGER, pid INTEGER, pstart INTEGER, ppid INTEGER, first_ts INTEGER NOT NULL,
  last_ts INTEGER NOT NULL, end_ts INTEGER, exit_code INTEGER, exit_signal INTEGER, sev INTEGER NOT NULL,
  det INTEGER NOT NULL, part INTEGER, snap INTEGER, info TEXT, ${EVENT_TYPES.map((_, index) => `n${index} INTEGER NOT NULL`).join(', ')},
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
${DECISION_SCHEMA}`;

/** Tables of partition `n`. */
export function partitionSchema(n: number): string {
  return `
CREATE TABLE h${n}(k INTEGER PRIMARY KEY, ${ZONE_SCHEMA});
CREATE TABLE b${n}(k INTEGER PRIMARY KEY, bloom BLOB NOT NULL);
CREATE TABLE c${n}(k INTEGER PRIMARY KEY, hot BLOB NOT NULL, cold BLOB NOT NULL);
CREATE TABLE p${n}(k INTEGER PRIMARY KEY, block BLOB NOT NULL);
CREATE TABLE x${n}(id INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE y${n}(id INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE d${n}(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX d${n}_kind ON d${n}(kind) WHERE kind >= ${FIRST_SMALL_KIND};
CREATE VIRTUAL TABLE f${n} USING fts5(text, content='', columnsize=0, detail=none,
  tokenize='trigram case_sensitive 1');
INSERT INTO f${n}(f${n}, rank) VALUES ('crisismerge', 32);
INSERT INTO f${n}(f${n}, rank) VALUES ('automerge', 16);
CREATE TABLE t${n}(event INTEGER, seq INTEGER, k INTEGER, rule TEXT NOT NULL, title TEXT NOT NULL,
  attack TEXT NOT NULL, source TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY(event, seq, k)) WITHOUT ROWID;
CREATE TABLE r${n}(cell INTEGER PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE m${n}(cell INTEGER PRIMARY KEY, n INTEGER NOT NULL);
`;
}

/** Statements that remove partition `n`, one by one so that none takes long. */
export function partitionDrops(n: number): string[] {
  return Array.from('hbcpxydftrm', (prefix) => `DROP TABLE IF EXISTS ${prefix}${n}`);
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

/** Columns of the hot block of a chunk. 64-bit numbers are two columns, `Hi` and `Lo`. */
export const HOT = {
  tsHi: 0,
  tsLo: 1,
  id: 2,
  action: 3,
  severity: 4,
  flags: 5,
  snap: 6,
  path: 7,
  oldPath: 8,
  dst: 9,
  src: 10,
  dport: 11,
  sport: 12,
  dns: 13,
  message: 14,
} as const;
export const HOT_COLUMNS = 15;

export const COLD = {
  context: 0,
  seqHi: 1,
  seqLo: 2,
  tid: 3,
  exitCode: 4,
  exitSignal: 5,
  bytes: 6,
  mode: 7,
  oflags: 8,
  inode: 9,
  device: 10,
  protocol: 11,
  direction: 12,
  verdict: 13,
  sent: 14,
  received: 15,
  recordType: 16,
} as const;
export const COLD_COLUMNS = 17;

/** Columns of a snapshot; those from `rpid` on say what its events told of the parent. */
export const SNAP = {
  pid: 0,
  startHi: 1,
  startLo: 2,
  ppid: 3,
  pstartHi: 4,
  pstartLo: 5,
  name: 6,
  exe: 7,
  cmd: 8,
  cwd: 9,
  uid: 10,
  euid: 11,
  gid: 12,
  loginuid: 13,
  session: 14,
  user: 15,
  integrity: 16,
  cgroup: 17,
  container: 18,
  flags: 19,
  hashes: 20,
  identity: 21,
  rpid: 22,
  rstartHi: 23,
  rstartLo: 24,
  rname: 25,
  rexe: 26,
  rcmd: 27,
  rcwd: 28,
  ruid: 29,
  ruser: 30,
  ancestry: 31,
  /** 1 when yN has more. */
  more: 32,
} as const;
export const SNAP_COLUMNS = 33;

/** Bits of `flags`. */
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
  /** Has a row in xN. */
  more: 128,
} as const;

export function createGlobal(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  db.exec(GLOBAL_SCHEMA);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  db.exec('COMMIT');
}
