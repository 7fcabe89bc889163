/** What else could keep records durably, measured the same way: better-sqlite3 with synchronous=FULL, classic-level. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Latency, percentiles } from './wal-floor.ts';

const root = join(import.meta.dirname, '..', '..');
const PAYLOAD = Buffer.alloc(300, 'sentinel wal bench ');

const PEERS = ['better-sqlite3', 'classic-level'];

type Peer = { closedLoopUs: Latency; perSecond: number } | undefined;

/** Installs the peers (both carry their binaries) into out/peers; false if that is not possible here. */
function installPeer(name: string): boolean {
  const prefix = join(root, 'out', 'peers');
  const there = (): boolean => existsSync(join(prefix, 'node_modules', name, 'package.json'));
  if (there()) return true;
  mkdirSync(prefix, { recursive: true });
  // All at once: npm removes what it was not told of.
  const args = ['install', '--prefix', prefix, '--no-audit', '--no-fund', '--no-save', '--ignore-scripts'];
  spawnSync('npm', [...args, ...PEERS], { stdio: 'ignore', timeout: 120_000 });
  return there();
}

interface SqliteDb {
  pragma(text: string): unknown;
  exec(text: string): unknown;
  prepare(text: string): { run(...values: unknown[]): unknown };
  close(): void;
}

/** Undefined when it could not be installed or loaded. */
export function betterSqlite(dir: string, forMs: number): Peer {
  if (!installPeer('better-sqlite3')) return undefined;
  try {
    const Database = createRequire(join(root, 'out', 'peers', 'x.js'))('better-sqlite3') as new (
      path: string,
    ) => SqliteDb;
    const db = new Database(join(dir, 'peer.db'));
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.exec('CREATE TABLE r (seq INTEGER PRIMARY KEY, body BLOB)');
    const insert = db.prepare('INSERT INTO r (body) VALUES (?)');
    const samples: number[] = [];
    for (const end = performance.now() + forMs; performance.now() < end;) {
      const started = performance.now();
      insert.run(PAYLOAD);
      samples.push((performance.now() - started) * 1000);
    }
    let rows = 0;
    const started = performance.now();
    while (performance.now() - started < forMs) {
      db.exec('BEGIN');
      for (let i = 0; i < 1000; i++) insert.run(PAYLOAD);
      db.exec('COMMIT');
      rows += 1000;
    }
    const perSecond = (rows / (performance.now() - started)) * 1000;
    db.close();
    return { closedLoopUs: percentiles(samples), perSecond };
  } catch {
    return undefined;
  }
}

interface LevelDb {
  open(): Promise<void>;
  put(key: string, value: Buffer, options: object): Promise<void>;
  batch(operations: object[], options: object): Promise<void>;
  close(): Promise<void>;
}

/** Undefined when it could not be installed or loaded. */
export async function classicLevel(dir: string, forMs: number): Promise<Peer> {
  if (!installPeer('classic-level')) return undefined;
  try {
    const { ClassicLevel } = createRequire(join(root, 'out', 'peers', 'x.js'))('classic-level') as {
      ClassicLevel: new (path: string, options: object) => LevelDb;
    };
    const db = new ClassicLevel(join(dir, 'peer-level'), { valueEncoding: 'buffer' });
    await db.open();
    let key = 0;
    const samples: number[] = [];
    for (const end = performance.now() + forMs; performance.now() < end;) {
      const started = performance.now();
      await db.put(String(key++).padStart(12, '0'), PAYLOAD, { sync: true });
      samples.push((performance.now() - started) * 1000);
    }
    let rows = 0;
    const started = performance.now();
    while (performance.now() - started < forMs) {
      const batch = Array.from({ length: 1000 }, () => ({
        type: 'put',
        key: String(key++).padStart(12, '0'),
        value: PAYLOAD,
      }));
      await db.batch(batch, { sync: true });
      rows += 1000;
    }
    const perSecond = (rows / (performance.now() - started)) * 1000;
    await db.close();
    return { closedLoopUs: percentiles(samples), perSecond };
  } catch {
    return undefined;
  }
}
