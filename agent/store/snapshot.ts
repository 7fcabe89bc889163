/**
 * Process snapshots: the state of a process and its parent as an event showed them, stored once for the run of events
 * that show the same.
 */
import type { FileIdentity, Hashes, ProcessInfo, ProcessRef, SentinelEvent } from '../event.ts';
import type { StagedSnapshots } from './blocks.ts';
import { joinHalves, splitHigh, splitLow, type Column } from './column-pack.ts';
import type { DictionaryReader, DictionaryWriter } from './dictionary.ts';
import { packJson, unpackJson } from './json.ts';
import { Kind, SNAP } from './schema.ts';

/** Members of ProcessInfo that have a column, or that belong to the event rather than the process. */
export const KNOWN_PROCESS: ReadonlySet<string> = new Set(
  (
    'pid startNs ppid parentStartNs name executable argv cwd uid euid gid loginuid sessionId user integrityLevel ' +
    'cgroupId containerId hashes flags exitCode exitSignal tid exeIdentity'
  ).split(' '),
);
const KNOWN_REF: ReadonlySet<string> = new Set('pid startNs name executable argv cwd uid user'.split(' '));

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

const ABSENT = Number.NaN;

/**
 * Writes the event's process context into the next row of the staged chunk. Returns the JSON of what has no column,
 * if there is such.
 */
export function encodeSnapshot(
  event: SentinelEvent,
  words: DictionaryWriter,
  staged: StagedSnapshots,
): string | undefined {
  const { process, parent } = event;
  const { columns, rows: row } = staged;
  const put = (column: number, value: number | undefined | null): void => {
    const target = columns[column];
    if (target) target[row] = value ?? ABSENT;
  };
  const putBig = (column: number, value: bigint | undefined): void => {
    put(column, value === undefined ? ABSENT : splitHigh(value));
    put(column + 1, value === undefined ? ABSENT : splitLow());
  };
  put(SNAP.pid, process?.pid);
  putBig(SNAP.startHi, process?.startNs);
  put(SNAP.ppid, process?.ppid);
  putBig(SNAP.pstartHi, process?.parentStartNs);
  put(SNAP.name, words.kind(Kind.name, process?.name));
  put(SNAP.exe, words.text(process?.executable));
  put(SNAP.cmd, words.argv(process?.argv));
  put(SNAP.cwd, words.text(process?.cwd));
  put(SNAP.uid, process?.uid);
  put(SNAP.euid, process?.euid);
  put(SNAP.gid, process?.gid);
  put(SNAP.loginuid, process?.loginuid);
  put(SNAP.session, process?.sessionId);
  put(SNAP.user, words.kind(Kind.user, process?.user));
  put(SNAP.integrity, words.kind(Kind.integrity, process?.integrityLevel));
  put(SNAP.cgroup, words.kind(Kind.cgroup, process?.cgroupId));
  put(SNAP.container, words.kind(Kind.container, process?.containerId));
  put(SNAP.flags, process?.flags ? words.kind(Kind.flags, JSON.stringify(process.flags)) : ABSENT);
  put(SNAP.hashes, process?.hashes ? words.kind(Kind.hashes, JSON.stringify(process.hashes)) : ABSENT);
  const identity = process?.exeIdentity;
  put(SNAP.identity, identity ? words.kind(Kind.identity, identityKey(identity)) : ABSENT);
  put(SNAP.rpid, parent?.pid);
  putBig(SNAP.rstartHi, parent?.startNs);
  put(SNAP.rname, words.kind(Kind.name, parent?.name));
  put(SNAP.rexe, words.text(parent?.executable));
  put(SNAP.rcmd, words.argv(parent?.argv));
  put(SNAP.rcwd, words.text(parent?.cwd));
  put(SNAP.ruid, parent?.uid);
  put(SNAP.ruser, words.kind(Kind.user, parent?.user));
  put(SNAP.ancestry, event.ancestry ? words.kind(Kind.ancestry, JSON.stringify(event.ancestry)) : ABSENT);
  const own = process && strangers(process, KNOWN_PROCESS);
  const others = parent && strangers(parent, KNOWN_REF);
  put(SNAP.more, own || others ? 1 : 0);
  staged.rows += 1;
  return own || others ? packJson([own ?? null, others ?? null]) : undefined;
}

/** What a snapshot says, ready to be copied into events. Hashes that came later are joined by identity. */
export interface Snapshot {
  process?: ProcessInfo;
  parent?: ProcessRef;
  ancestry?: string[];
}

export type HashLookup = (identity: string) => Hashes | undefined;

/** Sets the members that are not absent. */
export function assignPresent(target: object, values: Record<string, unknown>): void {
  for (const key in values) {
    const value = values[key];
    if (value !== undefined) (target as Record<string, unknown>)[key] = value;
  }
}

function decodeParent(
  columns: readonly Column[],
  row: number,
  words: DictionaryReader,
): ProcessRef | undefined {
  const number = (column: number): number | undefined => columns[column]?.get(row);
  const pid = number(SNAP.rpid);
  if (pid === undefined) return undefined;
  const text = (column: number): string | undefined => words.raw(number(column));
  const parent: ProcessRef = {
    pid,
    startNs: joinHalves(number(SNAP.rstartHi) ?? 0, number(SNAP.rstartLo) ?? 0),
    name: text(SNAP.rname) ?? '',
  };
  assignPresent(parent, {
    executable: text(SNAP.rexe),
    argv: words.argv(number(SNAP.rcmd)),
    cwd: text(SNAP.rcwd),
    uid: number(SNAP.ruid),
    user: text(SNAP.ruser),
  });
  return parent;
}

function decodeProcess(
  columns: readonly Column[],
  row: number,
  words: DictionaryReader,
  hashes: HashLookup,
): ProcessInfo | undefined {
  const number = (column: number): number | undefined => columns[column]?.get(row);
  const pid = number(SNAP.pid);
  if (pid === undefined) return undefined;
  const text = (column: number): string | undefined => words.raw(number(column));
  const big = (column: number): bigint | undefined => {
    const high = number(column);
    return high === undefined ? undefined : joinHalves(high, number(column + 1) ?? 0);
  };
  const process: ProcessInfo = { pid, startNs: big(SNAP.startHi) ?? 0n, name: text(SNAP.name) ?? '' };
  const flags = text(SNAP.flags);
  const identity = text(SNAP.identity);
  const own = text(SNAP.hashes);
  assignPresent(process, {
    ppid: number(SNAP.ppid),
    parentStartNs: big(SNAP.pstartHi),
    executable: text(SNAP.exe),
    argv: words.argv(number(SNAP.cmd)),
    cwd: text(SNAP.cwd),
    uid: number(SNAP.uid),
    euid: number(SNAP.euid),
    gid: number(SNAP.gid),
    loginuid: number(SNAP.loginuid),
    sessionId: number(SNAP.session),
    user: text(SNAP.user),
    integrityLevel: text(SNAP.integrity),
    cgroupId: text(SNAP.cgroup),
    containerId: text(SNAP.container),
    flags: flags === undefined ? undefined : (JSON.parse(flags) as string[]),
    exeIdentity: identity === undefined ? undefined : identityOf(identity),
    hashes: own === undefined ? (identity && hashes(identity)) || undefined : (JSON.parse(own) as Hashes),
  });
  return process;
}

/** Decodes one row of a chunk of snapshots; `more` gives the JSON that belongs to it. */
export function decodeSnapshot(
  columns: readonly Column[],
  row: number,
  words: DictionaryReader,
  hashes: HashLookup,
  more: () => string | undefined,
): Snapshot {
  const snapshot: Snapshot = {};
  const process = decodeProcess(columns, row, words, hashes);
  const parent = decodeParent(columns, row, words);
  const ancestry = words.raw(columns[SNAP.ancestry]?.get(row));
  if (columns[SNAP.more]?.at(row) === 1) {
    const [own, others] = unpackJson(more() ?? '[]') as [object?, object?];
    if (process && own) Object.assign(process, own);
    if (parent && others) Object.assign(parent, others);
  }
  if (process) snapshot.process = process;
  if (parent) snapshot.parent = parent;
  if (ancestry !== undefined) snapshot.ancestry = JSON.parse(ancestry) as string[];
  return snapshot;
}
