/**
 * Text by number within one partition. Two small generations of a cache decide whether a text was seen: at most
 * 2 * CACHE_ENTRIES strings are held for each group, whatever comes in. A text that fell out gets a second row, which
 * costs space and nothing else: every reader treats numbers as many-to-one.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { prepared } from './database.ts';
import { fold } from './query-pattern.ts';
import { FIRST_SMALL_KIND, KIND_ESCAPED, KIND_LONG, KIND_MASK, Kind } from './schema.ts';

const CACHE_ENTRIES = 4096;
const OTHER_ENTRIES = 2048;
/** Texts above this many characters are not indexed; searches look at them one by one. */
const MAX_INDEXED = 8192;
/** Strings above this are not kept in the cache: 2 * 4096 * 1 KiB bounds the memory of each group. */
const MAX_CACHED = 1024;

/** A map that forgets: when one generation is full the one before it is dropped. */
export class GenerationCache<K, V> {
  private readonly limit: number;
  private young = new Map<K, V>();
  private old = new Map<K, V>();
  /** Entries forgotten since the start. */
  evicted = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get(key: K): V | undefined {
    const found = this.young.get(key);
    if (found !== undefined) return found;
    const older = this.old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: K, value: V): void {
    if (this.young.size >= this.limit) {
      this.evicted += this.old.size;
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(key, value);
  }

  clear(): void {
    this.young.clear();
    this.old.clear();
  }
}

/** A row's text as it was given. */
export function storedText(kind: number, text: string): string {
  return (kind & KIND_ESCAPED) !== 0 ? (JSON.parse(text) as string) : text;
}

/** What a row's text means to a search: arguments are joined by spaces. */
function plainText(kind: number, text: string): string {
  const stored = storedText(kind, text);
  return (kind & KIND_MASK) === Kind.argv ? (JSON.parse(stored) as string[]).join(' ') : stored;
}

/** Text as the index holds it: folded, without NUL, which would end it there. */
export function indexText(text: string): string {
  const folded = fold(text);
  return folded.includes('\0') ? folded.replaceAll('\0', '\ufffd') : folded;
}

export class DictionaryWriter {
  private readonly insert: StatementSync;
  private readonly index: StatementSync;
  private next: number;
  private readonly texts = new GenerationCache<string, number>(CACHE_ENTRIES);
  private readonly commands = new GenerationCache<string, number>(CACHE_ENTRIES);
  /** By kind: few values each, but a container host may have many. */
  private readonly others: GenerationCache<string, number>[] = [];
  private context: readonly (string | undefined)[] = [];
  private contextId: number | null = null;

  constructor(db: DatabaseSync, partition: number) {
    this.insert = db.prepare(`INSERT INTO d${partition}(id, kind, text) VALUES (?, ?, ?)`);
    this.index = db.prepare(`INSERT INTO f${partition}(rowid, text) VALUES (?, ?)`);
    const last = db.prepare(`SELECT max(id) AS id FROM d${partition}`).get() as { id: number | null };
    this.next = (last.id ?? 0) + 1;
  }

  /** After a rollback numbers that were given out may not exist: forget them. */
  forget(): void {
    this.texts.clear();
    this.commands.clear();
    this.others.length = 0;
    this.contextId = null;
  }

  private add(kind: number, text: string): number {
    const id = this.next;
    this.next = id + 1;
    let stored = kind;
    let body = text;
    if (!text.isWellFormed()) {
      stored |= KIND_ESCAPED;
      body = JSON.stringify(text);
    }
    if (kind < FIRST_SMALL_KIND) {
      if (text.length > MAX_INDEXED) stored |= KIND_LONG;
      else this.index.run(id, indexText(plainText(kind, text)));
    }
    this.insert.run(id, stored, body);
    return id;
  }

  private lookup(cache: GenerationCache<string, number>, key: string, kind: number, text: string): number {
    const found = cache.get(key);
    if (found !== undefined) return found;
    const id = this.add(kind, text);
    if (text.length <= MAX_CACHED) cache.set(key, id);
    return id;
  }

  /** A path, name, message or other long-tailed text. */
  text(value: string | undefined): number | null {
    return value === undefined ? null : this.lookup(this.texts, value, Kind.text, value);
  }

  argv(value: readonly string[] | undefined): number | null {
    if (value === undefined) return null;
    const json = JSON.stringify(value);
    return this.lookup(this.commands, json, Kind.argv, json);
  }

  /** Text of one of the other kinds. */
  kind(kind: number, value: string | undefined): number | null {
    if (value === undefined) return null;
    const cache = (this.others[kind] ??= new GenerationCache(OTHER_ENTRIES));
    return this.lookup(cache, value, kind, value);
  }

  /** Boot, device and tenant, which hardly ever change. */
  contextOf(boot: string | undefined, device: string | undefined, tenant: string | undefined): number | null {
    if (boot === undefined && device === undefined && tenant === undefined) return null;
    const { context } = this;
    if (this.contextId === null || context[0] !== boot || context[1] !== device || context[2] !== tenant) {
      this.context = [boot, device, tenant];
      this.contextId = this.kind(
        Kind.context,
        JSON.stringify([boot ?? null, device ?? null, tenant ?? null]),
      );
    }
    return this.contextId;
  }
}

/** Reads texts of one partition back; keeps what one answer needs and no more. */
export class DictionaryReader {
  private readonly select: () => StatementSync;
  private readonly seen = new Map<number, string>();

  constructor(db: DatabaseSync, partition: number) {
    this.select = prepared(db, `SELECT kind, text FROM d${partition} WHERE id = ?`);
  }

  /** The text as it was given (arguments as JSON), undefined for no number. */
  raw(id: number | undefined): string | undefined {
    if (id === undefined) return undefined;
    const known = this.seen.get(id);
    if (known !== undefined) return known;
    const row = this.select().get(id) as { kind: number; text: string } | undefined;
    if (!row) return undefined;
    const text = storedText(row.kind, row.text);
    if (this.seen.size > 4096) this.seen.clear();
    this.seen.set(id, text);
    return text;
  }

  argv(id: number | undefined): string[] | undefined {
    const json = this.raw(id);
    return json === undefined ? undefined : (JSON.parse(json) as string[]);
  }
}
