/**
 * Tests of text that SQL calls back into: `leaf(k, id)` tells whether dictionary row `id` passes test `k` of the query
 * that runs now, and `found(k, …)` whether a detection does. Answers are remembered by number, so each text is looked
 * at once however many rows share it. Both also watch the clock: a statement that outlives its budget is ended.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Hashes } from '../event.ts';
import { storedText } from './dictionary.ts';
import { BudgetError } from './errors.ts';
import { fold, type FoldedTest } from './query-pattern.ts';
import { textsOf } from './query-columns.ts';

/** What one test looks at: texts of a field, or the texts of a detection. */
export interface LeafTest {
  field: string;
  test: FoldedTest;
  /** Folding would change addresses' meaning for nothing; networks see the text as it is. */
  verbatim: boolean;
}

export type DetectionTest = (ruleId: string, title: string, attack: string, source: string) => boolean;

const UNKNOWN = 0;
const NO = 1;
const YES = 2;
/** Calls between two looks at the clock. */
const CLOCK_EVERY = 2048;

export class LeafTests {
  private readonly db: DatabaseSync;
  private readonly selectHash: StatementSync;
  private tests: LeafTest[] = [];
  private detections: DetectionTest[] = [];
  private memos: Uint8Array[] = [];
  private select: StatementSync | undefined;
  private calls = 0;
  private deadline = Number.POSITIVE_INFINITY;

  constructor(db: DatabaseSync) {
    this.db = db;
    this.selectHash = db.prepare('SELECT sha256, blake3 FROM hash WHERE ident = ?');
    db.function('leaf', (k, id) => (id === null ? 0 : this.leaf(Number(k), Number(id)) ? 1 : 0));
    db.function('value', (k, value) =>
      value !== null && this.tests[Number(k)]?.test(fold(String(value))) === true ? 1 : 0,
    );
    db.function('found', (k, rule, title, attack, source) =>
      this.detections[Number(k)]?.(String(rule), String(title), String(attack), String(source)) === true
        ? 1
        : 0,
    );
  }

  /** Statements that call back are ended once `deadlineMs` (of performance.now) has passed. */
  setDeadline(deadlineMs: number): void {
    this.deadline = deadlineMs;
  }

  /** Moves on to a partition: numbers mean other texts there. */
  enter(partition: number): void {
    this.tests = [];
    this.detections = [];
    this.memos = [];
    this.select = this.db.prepare(`SELECT kind, text FROM d${partition} WHERE id = ?`);
  }

  /** Registers a test for the current partition and returns its number. */
  add(test: LeafTest): number {
    this.memos.push(new Uint8Array(1024));
    return this.tests.push(test) - 1;
  }

  addDetection(test: DetectionTest): number {
    return this.detections.push(test) - 1;
  }

  hashes = (identity: string): Hashes | undefined => {
    const row = this.selectHash.get(identity) as unknown as Hashes | undefined;
    return row && { sha256: row.sha256, blake3: row.blake3 };
  };

  /** Whether a dictionary row passes. */
  passes(test: LeafTest, kind: number, stored: string): boolean {
    for (const text of textsOf(test.field, kind, storedText(kind, stored), this.hashes)) {
      if (test.test(test.verbatim ? text : fold(text))) return true;
    }
    return false;
  }

  /** Throws BudgetError once the deadline has passed. */
  checkClock(): void {
    if (performance.now() > this.deadline) throw new BudgetError('the query ran out of time');
  }

  private leaf(k: number, id: number): boolean {
    this.calls += 1;
    if (this.calls % CLOCK_EVERY === 0) this.checkClock();
    let memo = this.memos[k];
    const test = this.tests[k];
    if (!memo || !test) return false;
    if (id >= memo.length) {
      const larger = new Uint8Array(Math.max(id + 1, memo.length * 2));
      larger.set(memo);
      memo = larger;
      this.memos[k] = larger;
    }
    const known = memo[id] ?? UNKNOWN;
    if (known !== UNKNOWN) return known === YES;
    const row = this.select?.get(id) as { kind: number; text: string } | undefined;
    const answer = row !== undefined && this.passes(test, row.kind, row.text);
    memo[id] = answer ? YES : NO;
    return answer;
  }
}
