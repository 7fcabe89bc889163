/**
 * Which dictionary rows of a partition a test of text can mean, as a list of numbers. The index offers candidates, the
 * test itself decides; where that would be too many, the answer is that no list should be made.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { LeafTest, LeafTests } from './leaf-tests.ts';
import type { TextColumn } from './query-columns.ts';
import { FIRST_SMALL_KIND, KIND_ESCAPED, KIND_LONG, KIND_MASK } from './schema.ts';
import { matchExpression } from './trigrams.ts';

/** More dictionary rows, snapshots or detections than this are not put into a list. */
export const MAX_LIST = 5000;
/** More texts than this from the index are tested where rows meet them. */
const MAX_CANDIDATES = 2000;
/** Dictionary rows looked at for lists by one query; further terms are tested row by row. */
const MAX_LOOKED = 50_000;

interface Word {
  id: number;
  kind: number;
  text: string;
}

/** Numbers from a query, or undefined when there are more than a list should hold. */
export function listOf(
  db: DatabaseSync,
  sql: string,
  limit: number,
  ...parameters: string[]
): number[] | undefined {
  const select = db.prepare(`${sql} LIMIT ${limit + 1}`);
  select.setReturnArrays(true);
  const rows = select.all(...parameters) as unknown as number[][];
  return rows.length > limit ? undefined : rows.map(([id]) => id ?? 0);
}

export class TextResolver {
  private readonly db: DatabaseSync;
  private readonly n: number;
  private readonly tests: LeafTests;
  private looked = 0;
  /** Rows by index expression; several fields of one query ask for the same. */
  private readonly offered = new Map<string, Word[] | undefined>();

  constructor(db: DatabaseSync, partition: number, tests: LeafTests) {
    this.db = db;
    this.n = partition;
    this.tests = tests;
  }

  /** Dictionary rows that pass the test, or undefined when there are too many to list. */
  resolve(column: TextColumn, leaf: LeafTest, literals: readonly string[]): number[] | undefined {
    if (this.looked > MAX_LOOKED) return undefined;
    const small = column.kinds.filter((kind) => kind >= FIRST_SMALL_KIND);
    const rows: Word[] = [];
    if (small.length > 0) {
      const kinds = small.flatMap((kind) => [kind, kind | KIND_ESCAPED]);
      const found = this.dictionary(`kind >= ${FIRST_SMALL_KIND} AND kind IN (${kinds.join(',')})`);
      if (!found) return undefined;
      rows.push(...found);
    }
    if (small.length < column.kinds.length) {
      const expression = matchExpression(literals);
      if (expression === undefined) return undefined;
      const candidates = this.candidates(expression);
      if (!candidates) return undefined;
      rows.push(...candidates);
    }
    this.looked += rows.length;
    const passing = rows.filter(
      (row) => column.kinds.includes(row.kind & KIND_MASK) && this.tests.passes(leaf, row.kind, row.text),
    );
    return passing.map((row) => row.id);
  }

  private dictionary(where: string): Word[] | undefined {
    const rows = this.db
      .prepare(`SELECT id, kind, text FROM d${this.n} WHERE ${where} LIMIT ${MAX_LIST + 1}`)
      .all() as unknown as Word[];
    return rows.length > MAX_LIST ? undefined : rows;
  }

  /** Rows that the text index offers, and those too long to be in it. */
  private candidates(expression: string): Word[] | undefined {
    if (this.offered.has(expression)) return this.offered.get(expression);
    const ids = listOf(
      this.db,
      `SELECT rowid FROM f${this.n} WHERE f${this.n} MATCH ?`,
      MAX_CANDIDATES,
      expression,
    );
    const indexed = ids && this.dictionary(`id IN (${ids.join(',')})`);
    const long = indexed && this.dictionary(`kind >= ${KIND_LONG} AND kind >= ${FIRST_SMALL_KIND}`);
    const rows = long && [...indexed, ...long];
    this.offered.set(expression, rows);
    return rows;
  }
}
