/**
 * Which dictionary rows of a partition pass a test. Resolved when first asked: where the index offers few candidates
 * the set is closed, a short list; otherwise rows are looked up one by one, each once, as columns refer to them.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Hashes } from '../event.ts';
import { prepared } from './database.ts';
import { storedText } from './dictionary.ts';
import { textsOf } from './query-columns.ts';
import { fold, type FoldedTest } from './query-pattern.ts';
import { FIRST_SMALL_KIND, KIND_ESCAPED, KIND_LONG, KIND_MASK } from './schema.ts';
import { matchExpression } from './trigrams.ts';

/** Texts looked at one by one before the index is asked. */
const MAX_LOOKED = 100;
/** Above this many candidates a set stays open. */
const MAX_CANDIDATES = 2000;

const UNKNOWN = 0;
const NO = 1;
const YES = 2;

interface Word {
  id: number;
  kind: number;
  text: string;
}

/** The dictionary of one partition as far as a query asks for it. */
export class Texts {
  private readonly db: DatabaseSync;
  private readonly n: number;
  readonly hashes: (identity: string) => Hashes | undefined;
  private readonly select: (id: number) => Word | undefined;
  /** Candidates by index expression; several fields of one query ask for the same. */
  private readonly offered = new Map<string, Word[] | undefined>();

  constructor(db: DatabaseSync, n: number, hashes: (identity: string) => Hashes | undefined) {
    this.db = db;
    this.n = n;
    this.hashes = hashes;
    const statement = prepared(db, `SELECT id, kind, text FROM d${n} WHERE id = ?`);
    this.select = (id) => statement().get(id) as unknown as Word | undefined;
  }

  word(id: number): Word | undefined {
    return this.select(id);
  }

  private where(condition: string): Word[] | undefined {
    const rows = this.db
      .prepare(`SELECT id, kind, text FROM d${this.n} WHERE ${condition} LIMIT ${MAX_CANDIDATES + 1}`)
      .all() as unknown as Word[];
    return rows.length > MAX_CANDIDATES ? undefined : rows;
  }

  /** Rows of kinds with few values, all of them. */
  ofKinds(kinds: readonly number[]): Word[] | undefined {
    const all = kinds.flatMap((kind) => [kind, kind | KIND_ESCAPED]);
    return this.where(`kind >= ${FIRST_SMALL_KIND} AND kind IN (${all.join(',')})`);
  }

  /** Rows that the text index offers, and those too long to be in it. */
  holding(literals: readonly string[]): Word[] | undefined {
    const expression = matchExpression(literals);
    if (expression === undefined) return undefined;
    if (this.offered.has(expression)) return this.offered.get(expression);
    const { db, n } = this;
    const ids = db
      .prepare(`SELECT rowid AS id FROM f${n} WHERE f${n} MATCH ? LIMIT ${MAX_CANDIDATES + 1}`)
      .all(expression) as { id: number }[];
    let rows: Word[] | undefined;
    if (ids.length <= MAX_CANDIDATES) {
      const indexed = ids.length === 0 ? [] : this.where(`id IN (${ids.map(({ id }) => id).join(',')})`);
      const long = this.where(`kind >= ${KIND_LONG} AND kind >= ${FIRST_SMALL_KIND}`);
      rows = indexed && long && [...indexed, ...long];
    }
    this.offered.set(expression, rows);
    return rows;
  }
}

export interface TextTest {
  field: string;
  kinds: readonly number[];
  test: FoldedTest;
  /** Folded parts that a passing text must hold. */
  literals: readonly string[];
  /** The test takes the text as it is. */
  verbatim: boolean;
}

export class TextSet {
  private readonly texts: Texts;
  private readonly asked: TextTest;
  private memo = new Uint8Array(1024);
  private list: number[] | undefined;
  private resolved = false;
  private looked = 0;

  constructor(texts: Texts, asked: TextTest) {
    this.texts = texts;
    this.asked = asked;
  }

  private passes({ kind, text }: Word): boolean {
    const { field, kinds, test, verbatim } = this.asked;
    if (!kinds.includes(kind & KIND_MASK)) return false;
    for (const one of textsOf(field, kind, storedText(kind, text), this.texts.hashes)) {
      if (test(verbatim ? one : fold(one))) return true;
    }
    return false;
  }

  private resolve(): void {
    this.resolved = true;
    const { kinds, literals } = this.asked;
    const small = kinds.filter((kind) => kind >= FIRST_SMALL_KIND);
    const some = small.length === 0 ? [] : this.texts.ofKinds(small);
    const others = small.length === kinds.length ? [] : some && this.texts.holding(literals);
    if (!some || !others) return;
    this.list = [...some, ...others].filter((word) => this.passes(word)).map(({ id }) => id);
    for (const id of this.list) this.remember(id, YES);
  }

  private remember(id: number, answer: number): void {
    if (id >= this.memo.length) {
      const larger = new Uint8Array(Math.max(id + 1, this.memo.length * 2));
      larger.set(this.memo);
      this.memo = larger;
    }
    this.memo[id] = answer;
  }

  /** All numbers that pass, when those are known. */
  get ids(): readonly number[] | undefined {
    if (!this.resolved) this.resolve();
    return this.list;
  }

  has(id: number): boolean {
    const known = this.memo[id] ?? UNKNOWN;
    if (known !== UNKNOWN) return known === YES;
    if (!this.resolved && this.looked > MAX_LOOKED) this.resolve();
    if (this.list) return this.memo[id] === YES;
    this.looked += 1;
    const word = this.texts.word(id);
    const answer = word !== undefined && this.passes(word);
    this.remember(id, answer ? YES : NO);
    return answer;
  }
}
