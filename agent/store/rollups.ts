/**
 * Counts by second and by minute for the histogram. A cell is time << 8 | type << 4 | severity << 1 | lane, so a
 * range of time is a range of cells. Deltas collect in memory during a transaction and are added at its end.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';

const NS_PER_SECOND = 1_000_000_000n;
export const CLASSES = 256;

/** type (0..14), severity (0..4) and lane of a row as one number below CLASSES. */
export function classOf(type: number, severity: number, observability: boolean): number {
  return (type << 4) | (severity << 1) | (observability ? 1 : 0);
}

/** Second of a moment as a plain number (exact: 34 bits). */
export function secondOf(tsNs: bigint): number {
  return Number(tsNs / NS_PER_SECOND);
}

const UPSERT = 'ON CONFLICT(cell) DO UPDATE SET n = n + excluded.n';

export class RollupWriter {
  private readonly seconds: StatementSync;
  private readonly minutes: StatementSync;
  private readonly deltas = new Map<number, number>();
  /** The second of the last event: dividing big integers for each one would be slow. */
  private second = -1;
  private secondNs = -NS_PER_SECOND;

  constructor(db: DatabaseSync, partition: number) {
    this.seconds = db.prepare(`INSERT INTO r${partition}(cell, n) VALUES (?, ?) ${UPSERT}`);
    this.minutes = db.prepare(`INSERT INTO m${partition}(cell, n) VALUES (?, ?) ${UPSERT}`);
  }

  add(tsNs: bigint, cls: number, count: number): void {
    if (tsNs < this.secondNs || tsNs >= this.secondNs + NS_PER_SECOND) {
      this.second = secondOf(tsNs);
      this.secondNs = BigInt(this.second) * NS_PER_SECOND;
    }
    const cell = this.second * CLASSES + cls;
    this.deltas.set(cell, (this.deltas.get(cell) ?? 0) + count);
  }

  flush(): void {
    const minutes = new Map<number, number>();
    for (const [cell, count] of this.deltas) {
      if (count === 0) continue;
      this.seconds.run(cell, count);
      const minute = Math.floor(cell / CLASSES / 60) * CLASSES + (cell % CLASSES);
      minutes.set(minute, (minutes.get(minute) ?? 0) + count);
    }
    for (const [cell, count] of minutes) if (count !== 0) this.minutes.run(cell, count);
    this.deltas.clear();
  }
}
