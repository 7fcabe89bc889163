/** Where the store keeps each field that a query may name. */
import { FIELDS } from './query-fields.ts';
import { COLD, HOT, KIND_MASK, Kind, SNAP } from './schema.ts';

export type BlockName = 'hot' | 'cold' | 'snapshot';

/** Columns of a block; the first of them that has a value counts. */
export interface ColumnPlace {
  block: BlockName;
  columns: readonly number[];
  /** Kinds that the numbers stand for in the dictionary; undefined for a number that is the value itself. */
  kinds?: readonly number[];
}
/** Not in columns: in the JSON of rows that have some. */
export type Place = ColumnPlace | 'rest' | 'inode';

const text = (block: BlockName, columns: number | readonly number[], ...kinds: number[]): ColumnPlace => ({
  block,
  columns: typeof columns === 'number' ? [columns] : columns,
  kinds,
});
const number = (block: BlockName, ...columns: number[]): ColumnPlace => ({ block, columns });

const PLACES: Readonly<Record<string, Place>> = {
  image: text('snapshot', SNAP.exe, Kind.text),
  name: text('snapshot', SNAP.name, Kind.name),
  cmd: text('snapshot', SNAP.cmd, Kind.argv),
  pid: number('snapshot', SNAP.pid),
  ppid: number('snapshot', SNAP.ppid, SNAP.rpid),
  parent: text('snapshot', [SNAP.rexe, SNAP.rname], Kind.text, Kind.name),
  'parent.name': text('snapshot', SNAP.rname, Kind.name),
  'parent.cmd': text('snapshot', SNAP.rcmd, Kind.argv),
  user: text('snapshot', SNAP.user, Kind.user),
  uid: number('snapshot', SNAP.uid),
  euid: number('snapshot', SNAP.euid),
  gid: number('snapshot', SNAP.gid),
  loginuid: number('snapshot', SNAP.loginuid),
  cwd: text('snapshot', SNAP.cwd, Kind.text),
  sha256: text('snapshot', [SNAP.hashes, SNAP.identity], Kind.hashes, Kind.identity),
  blake3: text('snapshot', [SNAP.hashes, SNAP.identity], Kind.hashes, Kind.identity),
  container: text('snapshot', SNAP.container, Kind.container),
  cgroup: text('snapshot', SNAP.cgroup, Kind.cgroup),
  session: number('snapshot', SNAP.session),
  integrity: text('snapshot', SNAP.integrity, Kind.integrity),
  flag: text('snapshot', SNAP.flags, Kind.flags),
  file: text('hot', HOT.path, Kind.text),
  'file.old': text('hot', HOT.oldPath, Kind.text),
  ip: text('hot', HOT.dst, Kind.ip),
  'src.ip': text('hot', HOT.src, Kind.ip),
  port: number('hot', HOT.dport),
  'src.port': number('hot', HOT.sport),
  dns: text('hot', HOT.dns, Kind.text),
  message: text('hot', HOT.message, Kind.text),
  severity: number('hot', HOT.severity),
  id: number('hot', HOT.id),
  seq: number('hot', HOT.id),
  boot: text('cold', COLD.context, Kind.context),
  bytes: number('cold', COLD.bytes),
  inode: 'inode',
  device: text('cold', COLD.device, Kind.label),
  mode: number('cold', COLD.mode),
  proto: text('cold', COLD.protocol, Kind.label),
  direction: text('cold', COLD.direction, Kind.label),
  sent: number('cold', COLD.sent),
  received: number('cold', COLD.received),
  verdict: text('cold', COLD.verdict, Kind.label),
  'dns.type': text('cold', COLD.recordType, Kind.label),
  exit: number('cold', COLD.exitCode),
  signal: number('cold', COLD.exitSignal),
  tag: 'rest',
  target: 'rest',
  'target.pid': 'rest',
  'gap.cause': 'rest',
  'gap.count': 'rest',
  policy: 'rest',
  'policy.version': 'rest',
  'policy.state': 'rest',
  'policy.hash': 'rest',
  decides: 'rest',
  effect: 'rest',
  mechanism: 'rest',
  would: 'rest',
  'dlp.verdict': 'rest',
  'dlp.rule': 'rest',
  'dlp.index': 'rest',
  'dlp.kind': 'rest',
  'dlp.type': 'rest',
  'dlp.count': 'rest',
  'dlp.confidence': 'rest',
  'dlp.containment': 'rest',
  'dlp.destination': 'rest',
  'dlp.mount': 'rest',
  'dlp.trigger': 'rest',
  'dlp.reason': 'rest',
  'dlp.source': 'rest',
  'dlp.quarantine': 'rest',
  metric: 'rest',
  detail: 'rest',
  truncated: 'rest',
};

/** Made of action and flags, or of what detections hold. */
export const SPECIAL: ReadonlySet<string> = new Set([
  'type',
  'action',
  'lane',
  'synthetic',
  'rule',
  'attack',
  'rule.source',
]);

/** Where a field is kept; undefined for those in SPECIAL. */
export function placeOf(field: string): Place | undefined {
  return PLACES[field];
}

/** Fields without a place; must be empty. */
export function fieldsWithoutPlace(): string[] {
  return FIELDS.map((field) => field.name).filter((name) => !PLACES[name] && !SPECIAL.has(name));
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
