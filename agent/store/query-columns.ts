/** Where the store keeps each field that a query may name. Fields without a place are tested on the decoded event. */
import { FIELDS } from './query-fields.ts';
import { KIND_MASK, Kind } from './schema.ts';

/** A column whose values are numbers into the dictionary. */
export interface TextColumn {
  kind: 'text';
  /** SQL over alias `s` (snapshot) or `e` (event). */
  sql: string;
  /** Kinds that its numbers can have. */
  kinds: readonly number[];
  /** An index finds rows by it. */
  indexed: boolean;
}
export interface NumberColumn {
  kind: 'number';
  sql: string;
}
/** Not in a column: SQL that holds for every event that can match. */
export interface RowColumn {
  kind: 'row';
  sql: string;
}
/** A column that holds its text itself. */
export interface ValueColumn {
  kind: 'value';
  sql: string;
}
export type Column = TextColumn | NumberColumn | ValueColumn | RowColumn;

const INDEXED: ReadonlySet<string> = new Set(['e.path', 'e.path2', 'e.dst', 'e.dns', 'e.msg']);
const text = (sql: string, ...kinds: number[]): TextColumn => ({
  kind: 'text',
  sql,
  kinds,
  // Snapshots are few: even without an index of its own such a column finds them fast.
  indexed: INDEXED.has(sql) || sql.includes('s.'),
});
const number = (sql: string): NumberColumn => ({ kind: 'number', sql });
const row = (sql: string): RowColumn => ({ kind: 'row', sql });

const SNAPSHOT: Readonly<Record<string, Column>> = {
  image: text('s.exe', Kind.text),
  name: text('s.name', Kind.name),
  cmd: text('s.cmd', Kind.argv),
  pid: number('s.pid'),
  ppid: number('coalesce(s.ppid, s.rpid)'),
  parent: text('coalesce(s.rexe, s.rname)', Kind.text, Kind.name),
  'parent.name': text('s.rname', Kind.name),
  'parent.cmd': text('s.rcmd', Kind.argv),
  user: text('s.user', Kind.user),
  uid: number('s.uid'),
  euid: number('s.euid'),
  gid: number('s.gid'),
  loginuid: number('s.luid'),
  cwd: text('s.cwd', Kind.text),
  sha256: text('coalesce(s.hashes, s.ident)', Kind.hashes, Kind.identity),
  blake3: text('coalesce(s.hashes, s.ident)', Kind.hashes, Kind.identity),
  container: text('s.container', Kind.container),
  cgroup: text('s.cgroup', Kind.cgroup),
  session: number('s.session'),
  integrity: text('s.integ', Kind.integrity),
  flag: text('s.flags', Kind.flags),
};

const OF_REST = row('e.rest IS NOT NULL');

const EVENT: Readonly<Record<string, Column>> = {
  file: text('e.path', Kind.text),
  'file.old': text('e.path2', Kind.text),
  ip: text('e.dst', Kind.ip),
  'src.ip': text('e.src', Kind.ip),
  port: number('e.dport'),
  'src.port': number('e.sport'),
  dns: text('e.dns', Kind.text),
  message: text('e.msg', Kind.text),
  boot: text('e.ctx', Kind.context),
  severity: number('e.sev'),
  seq: number('(e.id >> 1)'),
  id: number('e.id'),
  bytes: number('e.bytes'),
  inode: { kind: 'value', sql: 'e.inode' },
  device: text('e.dev', Kind.label),
  mode: number('e.mode'),
  proto: text('e.proto', Kind.label),
  direction: text('e.dir', Kind.label),
  sent: number('e.sent'),
  received: number('e.recv'),
  verdict: text('e.verdict', Kind.label),
  'dns.type': text('e.rtype', Kind.label),
  exit: number('e.xcode'),
  signal: number('e.xsignal'),
  target: OF_REST,
  'target.pid': OF_REST,
  'gap.cause': OF_REST,
  'gap.count': OF_REST,
  metric: OF_REST,
  detail: OF_REST,
  truncated: OF_REST,
};

/** Compiled by hand: type, action, lane, synthetic, and what detections hold. */
export const SPECIAL: ReadonlySet<string> = new Set([
  'type',
  'action',
  'lane',
  'synthetic',
  'rule',
  'attack',
  'rule.source',
]);

/** Column of a field in the snapshot, if it is kept there. */
export function snapshotColumn(field: string): Column | undefined {
  return SNAPSHOT[field];
}

/** Column of a field in the event's row. Every field has one, there, in the snapshot, or a special place. */
export function eventColumn(field: string): Column {
  const found = EVENT[field];
  if (!found) throw new RangeError(`field ${field} has no place in the store`);
  return found;
}

/** Fields the table above forgot; must be empty. */
export function fieldsWithoutColumn(): string[] {
  return FIELDS.map((field) => field.name).filter(
    (name) => !SNAPSHOT[name] && !EVENT[name] && !SPECIAL.has(name),
  );
}

/**
 * The texts that a dictionary row stands for when it is looked at through a field, or undefined when it stands for
 * none (an identity whose hashes are not known).
 */
export function textsOf(
  field: string,
  kind: number,
  raw: string,
  hashes: (identity: string) => { sha256: string; blake3: string } | undefined,
): readonly string[] {
  switch (kind & KIND_MASK) {
    case Kind.argv:
      return [(JSON.parse(raw) as string[]).join(' ')];
    case Kind.flags:
      return JSON.parse(raw) as string[];
    case Kind.context: {
      const [boot] = JSON.parse(raw) as (string | null)[];
      return boot === null || boot === undefined ? [] : [boot];
    }
    case Kind.hashes:
    case Kind.identity: {
      const found =
        (kind & KIND_MASK) === Kind.hashes
          ? (JSON.parse(raw) as { sha256: string; blake3: string })
          : hashes(raw);
      const value = found?.[field === 'blake3' ? 'blake3' : 'sha256'];
      return value === undefined ? [] : [value];
    }
    default:
      return [raw];
  }
}
