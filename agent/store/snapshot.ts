/**
 * Process snapshots: the state of a process and its parent as an event showed them, stored once for the run of events
 * that show the same. Encoding gives one value for each of SNAPSHOT_COLUMNS.
 */
import type { StatementSync } from 'node:sqlite';
import type { FileIdentity, Hashes, ProcessInfo, ProcessRef, SentinelEvent } from '../event.ts';
import type { DictionaryReader, DictionaryWriter } from './dictionary.ts';
import { packJson, unpackJson } from './json.ts';
import { Kind, SNAPSHOT_COLUMNS } from './schema.ts';

export type Cell = number | bigint | string | null;

/** Members of ProcessInfo that have a column, or that belong to the event rather than the process. */
const KNOWN_PROCESS = new Set([
  'pid',
  'startNs',
  'ppid',
  'parentStartNs',
  'name',
  'executable',
  'argv',
  'cwd',
  'uid',
  'euid',
  'gid',
  'loginuid',
  'sessionId',
  'user',
  'integrityLevel',
  'cgroupId',
  'containerId',
  'hashes',
  'flags',
  'exitCode',
  'exitSignal',
  'tid',
  'exeIdentity',
]);
const KNOWN_REF = new Set(['pid', 'startNs', 'name', 'executable', 'argv', 'cwd', 'uid', 'user']);

/** Key of a file identity in the hash table. */
export function identityKey(identity: FileIdentity): string {
  return `${identity.dev}:${identity.inode}:${identity.mtimeNs}:${identity.ctimeNs}:${identity.size}`;
}

function identityOf(key: string): FileIdentity {
  const [dev = '0', inode = '0', mtime = '0', ctime = '0', size = '0'] = key.split(':');
  return {
    dev: Number(dev),
    inode: BigInt(inode),
    mtimeNs: BigInt(mtime),
    ctimeNs: BigInt(ctime),
    size: Number(size),
  };
}

/** Members outside `known` that hold something, so that what others add to the event survives. */
export function strangers(value: object, known: ReadonlySet<string>): Record<string, unknown> | undefined {
  let found: Record<string, unknown> | undefined;
  for (const key in value) {
    if (known.has(key)) continue;
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    found ??= {};
    found[key] = member;
  }
  return found;
}

const signed = (value: bigint | undefined): bigint | null =>
  value === undefined ? null : BigInt.asIntN(64, value);

/** Fills `into` with the columns of the event's process context. */
export function encodeSnapshot(event: SentinelEvent, words: DictionaryWriter, into: Cell[]): void {
  const { process, parent } = event;
  into[0] = process?.pid ?? null;
  into[1] = signed(process?.startNs);
  into[2] = process?.ppid ?? null;
  into[3] = signed(process?.parentStartNs);
  into[4] = words.kind(Kind.name, process?.name);
  into[5] = words.text(process?.executable);
  into[6] = words.argv(process?.argv);
  into[7] = words.text(process?.cwd);
  into[8] = process?.uid ?? null;
  into[9] = process?.euid ?? null;
  into[10] = process?.gid ?? null;
  into[11] = process?.loginuid ?? null;
  into[12] = process?.sessionId ?? null;
  into[13] = words.kind(Kind.user, process?.user);
  into[14] = words.kind(Kind.integrity, process?.integrityLevel);
  into[15] = words.kind(Kind.cgroup, process?.cgroupId);
  into[16] = words.kind(Kind.container, process?.containerId);
  into[17] = process?.flags ? words.kind(Kind.flags, JSON.stringify(process.flags)) : null;
  into[18] = process?.hashes ? words.kind(Kind.hashes, JSON.stringify(process.hashes)) : null;
  into[19] = process?.exeIdentity ? words.kind(Kind.identity, identityKey(process.exeIdentity)) : null;
  into[20] = parent?.pid ?? null;
  into[21] = signed(parent?.startNs);
  into[22] = parent ? words.kind(Kind.name, parent.name) : null;
  into[23] = words.text(parent?.executable);
  into[24] = words.argv(parent?.argv);
  into[25] = words.text(parent?.cwd);
  into[26] = parent?.uid ?? null;
  into[27] = words.kind(Kind.user, parent?.user);
  into[28] = event.ancestry ? words.kind(Kind.ancestry, JSON.stringify(event.ancestry)) : null;
  const own = process && strangers(process, KNOWN_PROCESS);
  const others = parent ? strangers(parent, KNOWN_REF) : undefined;
  into[29] = own || others ? packJson([own ?? null, others ?? null]) : null;
}

/** What a snapshot says, ready to be copied into events. Hashes that came later are joined by identity. */
export interface Snapshot {
  process?: ProcessInfo;
  parent?: ProcessRef;
  ancestry?: string[];
}

export type HashLookup = (identity: string) => Hashes | undefined;

const unsigned = (value: Cell | undefined): bigint => BigInt.asUintN(64, BigInt(value ?? 0));
const number = (value: Cell | undefined): number | undefined =>
  value === null || value === undefined ? undefined : Number(value);
const index = (value: Cell | undefined): number | null =>
  value === null || value === undefined ? null : Number(value);

/** Decodes a row of `id` and SNAPSHOT_COLUMNS (integers may be bigint). */
export function decodeSnapshot(row: readonly Cell[], words: DictionaryReader, hashes: HashLookup): Snapshot {
  const cell = (column: (typeof SNAPSHOT_COLUMNS)[number]): Cell | undefined => row[COLUMN[column]];
  const text = (column: (typeof SNAPSHOT_COLUMNS)[number]): string | undefined =>
    words.raw(index(cell(column)));
  const process: ProcessInfo = {
    pid: number(cell('pid')) ?? 0,
    startNs: unsigned(cell('start')),
    name: text('name') ?? '',
  };
  const set = <K extends keyof ProcessInfo>(key: K, value: ProcessInfo[K] | undefined): void => {
    if (value !== undefined) process[key] = value;
  };
  set('ppid', number(cell('ppid')));
  if (cell('pstart') !== null) process.parentStartNs = unsigned(cell('pstart'));
  set('executable', text('exe'));
  set('argv', words.argv(index(cell('cmd'))));
  set('cwd', text('cwd'));
  set('uid', number(cell('uid')));
  set('euid', number(cell('euid')));
  set('gid', number(cell('gid')));
  set('loginuid', number(cell('luid')));
  set('sessionId', number(cell('session')));
  set('user', text('user'));
  set('integrityLevel', text('integ'));
  set('cgroupId', text('cgroup'));
  set('containerId', text('container'));
  const flags = text('flags');
  if (flags !== undefined) process.flags = JSON.parse(flags) as string[];
  const identity = text('ident');
  if (identity !== undefined) process.exeIdentity = identityOf(identity);
  const own = text('hashes');
  const found = own === undefined ? identity && hashes(identity) : (JSON.parse(own) as Hashes);
  if (found) process.hashes = found;
  const rest = cell('rest');
  const [extra, extraParent] = (typeof rest === 'string' ? unpackJson(rest) : []) as [object?, object?];
  if (extra) Object.assign(process, extra);
  const snapshot: Snapshot = cell('pid') === null ? {} : { process };
  if (cell('rpid') !== null) {
    const parent: ProcessRef = {
      pid: number(cell('rpid')) ?? 0,
      startNs: unsigned(cell('rstart')),
      name: text('rname') ?? '',
    };
    const executable = text('rexe');
    if (executable !== undefined) parent.executable = executable;
    const argv = words.argv(index(cell('rcmd')));
    if (argv) parent.argv = argv;
    const cwd = text('rcwd');
    if (cwd !== undefined) parent.cwd = cwd;
    const uid = number(cell('ruid'));
    if (uid !== undefined) parent.uid = uid;
    const user = text('ruser');
    if (user !== undefined) parent.user = user;
    if (extraParent) Object.assign(parent, extraParent);
    snapshot.parent = parent;
  }
  const ancestry = text('anc');
  if (ancestry !== undefined) snapshot.ancestry = JSON.parse(ancestry) as string[];
  return snapshot;
}

/** Position of each column in a row that starts with the id. */
const COLUMN = Object.fromEntries(SNAPSHOT_COLUMNS.map((name, position) => [name, position + 1])) as Record<
  (typeof SNAPSHOT_COLUMNS)[number],
  number
>;

/** Binds `id` and the cells; spread of a fixed-length array, once for each new snapshot. */
export function insertSnapshot(statement: StatementSync, id: number, cells: readonly Cell[]): void {
  statement.run(id, ...cells);
}
