/** Opening the database file: settings, versions, and what to do with a file that is damaged. */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { BlockError } from './column-pack.ts';
import { TimelineCorruptError, TimelineOpenError } from './errors.ts';
import { APPLICATION_ID, DECISION_SCHEMA, SCHEMA_VERSION, createGlobal } from './schema.ts';

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
/** Damaged files kept for a person to look at; older ones are deleted. */
const KEPT_ASIDE = 2;

/** Whether an error means that the file's content is damaged (not that the disk is full or busy). */
export function isCorruption(error: unknown): boolean {
  if (error instanceof BlockError) return true;
  const code = (error as { errcode?: unknown } | null)?.errcode;
  if (typeof code !== 'number') return false;
  return (code & 0xff) === SQLITE_CORRUPT || (code & 0xff) === SQLITE_NOTADB;
}

/** BUSY, READONLY, IOERR, FULL, CANTOPEN: the file may be sound but could not be written now. */
const WRITE_FAILURES: ReadonlySet<number> = new Set([5, 8, 10, 13, 14]);

/** Whether an error means that a write could not be done, for a reason outside the file's content. */
export function isWriteFailure(error: unknown): boolean {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' && WRITE_FAILURES.has(code & 0xff);
}

/** Renames the database and its journal out of the way and returns the new name. */
export function moveAside(path: string): string {
  const stamp = new Date().toISOString().replaceAll(/[-:.]/g, '');
  let target = `${path}.damaged-${stamp}`;
  for (let n = 1; existsSync(target); n += 1) target = `${path}.damaged-${stamp}-${n}`;
  renameSync(path, target);
  for (const suffix of ['-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
  }
  const prefix = `${basename(path)}.damaged-`;
  const aside = readdirSync(dirname(path)).filter(
    (name) => name.startsWith(prefix) && !/-(wal|shm)$/.test(name),
  );
  for (const name of aside.sort().slice(0, -KEPT_ASIDE)) {
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(dirname(path), name + suffix), { force: true });
  }
  return target;
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? { value: 0 })[0]);
}

/** Enough reading to meet the usual damage without reading it all: header, schema, catalogue, both ends of it. */
function look(db: DatabaseSync): void {
  const application = pragma(db, 'application_id');
  if (application !== APPLICATION_ID) throw new Error('it is not a timeline');
  const version = pragma(db, 'user_version');
  if (version !== SCHEMA_VERSION)
    throw new Error(`it has layout ${version}, this version reads ${SCHEMA_VERSION}`);
  const rows = db.prepare('SELECT n FROM part ORDER BY n').all() as { n: number }[];
  for (const n of new Set([rows[0]?.n, rows.at(-1)?.n])) {
    if (n === undefined) continue;
    for (const table of ['c', 'p']) db.prepare(`SELECT max(k) FROM ${table}${n}`).get();
    db.prepare(`SELECT max(id) FROM d${n}`).get();
  }
}

function configure(db: DatabaseSync, readOnly: boolean, cacheKiB: number): void {
  db.exec(`PRAGMA cache_size = -${Math.max(256, Math.floor(cacheKiB))}`);
  if (readOnly) return;
  // Has to come before the first table. NORMAL: after a power cut the last transactions may be missing, together with
  // their cursors, and are read from the log again.
  if (pragma(db, 'page_count') === 0) db.exec('PRAGMA auto_vacuum = INCREMENTAL');
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 16777216');
  // Pages that change often are then copied into the database once for many changes.
  db.exec('PRAGMA wal_autocheckpoint = 4000');
}

/** The open database; a new one gets its global tables. */
export function openDatabase(path: string, readOnly: boolean, cacheKiB: number): { db: DatabaseSync } {
  const existed = existsSync(path);
  if (readOnly && !existed) {
    throw new TimelineOpenError(
      `there is no timeline at ${path}: check the data folder, or start the agent once`,
    );
  }
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly, timeout: 2000 });
    configure(db, readOnly, cacheKiB);
    if (!readOnly && pragma(db, 'page_count') <= 1 && pragma(db, 'application_id') === 0) createGlobal(db);
    look(db);
    if (!readOnly) db.exec(DECISION_SCHEMA);
    return { db };
  } catch (error) {
    if (db?.isOpen) db.close();
    const sqlite = (error as { code?: unknown }).code === 'ERR_SQLITE_ERROR';
    const missing = sqlite && /no such table/.test((error as Error).message);
    if (sqlite && !isCorruption(error) && !missing) {
      const reason = (error as Error).message;
      throw new TimelineOpenError(
        `cannot open the timeline ${path} (${reason}): check its permissions and the disk`,
        {
          cause: error,
        },
      );
    }
    throw new TimelineCorruptError(path, readOnly || !existed ? undefined : moveAside(path), error);
  }
}

/**
 * A statement that is prepared when it is first used: an answer opens many partitions and asks few of them everything.
 */
export function prepared(db: DatabaseSync, sql: string, bigInts = false): () => StatementSync {
  let statement: StatementSync | undefined;
  return () => {
    if (statement) return statement;
    statement = db.prepare(sql);
    if (bigInts) statement.setReadBigInts(true);
    return statement;
  };
}
