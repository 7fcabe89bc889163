/**
 * Counts what the observability lane did not write, by cause, level and stream, and turns it into one report for each
 * of them and interval. Bounded: the lane caps the number of streams.
 */

export const SHED_CAUSES = ['shed', 'wal_full', 'wal_failed', 'oversize'] as const;
/**
 * shed: overload, debug and info only; wal_full: the log takes nothing more for now and the buffer is full of records
 * that are not shed; wal_failed: the log refused the batch for good; oversize: larger than a record may be.
 */
export type ShedCause = (typeof SHED_CAUSES)[number];

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

/** Becomes an IntegrityGap of the observability lane. Times are those of the records that were lost. */
export interface ShedReport {
  cause: ShedCause;
  count: number;
  level: Level;
  stream: string;
  fromNs: bigint;
  toNs: bigint;
}

class Tally {
  readonly cause: number;
  readonly level: number;
  readonly stream: number;
  total = 0;
  count = 0;
  from = 0;
  to = 0;

  constructor(cause: number, level: number, stream: number) {
    this.cause = cause;
    this.level = level;
    this.stream = stream;
  }
}

export class ShedLedger {
  private readonly tallies = new Map<number, Tally>();
  private readonly streamName: (stream: number) => string;
  private readonly baseNs: bigint;
  /** Records not yet reported. */
  unreported = 0;
  total = 0;

  constructor(baseNs: bigint, streamName: (stream: number) => string) {
    this.baseNs = baseNs;
    this.streamName = streamName;
  }

  /** One record lost; `rel` is its time in ns from the base. */
  add(cause: ShedCause, level: number, stream: number, rel: number): void {
    const causeIndex = SHED_CAUSES.indexOf(cause);
    const key = (stream * SHED_CAUSES.length + causeIndex) * LEVELS.length + level;
    let tally = this.tallies.get(key);
    if (tally === undefined) {
      tally = new Tally(causeIndex, level, stream);
      this.tallies.set(key, tally);
    }
    if (tally.count === 0 || rel < tally.from) tally.from = rel;
    if (tally.count === 0 || rel > tally.to) tally.to = rel;
    tally.count += 1;
    tally.total += 1;
    this.unreported += 1;
    this.total += 1;
  }

  /** Reports everything counted since the last call. */
  report(each: (report: ShedReport) => void): void {
    if (this.unreported === 0) return;
    this.unreported = 0;
    for (const tally of this.tallies.values()) {
      if (tally.count === 0) continue;
      const count = tally.count;
      tally.count = 0;
      each({
        cause: SHED_CAUSES[tally.cause] ?? 'shed',
        count,
        level: LEVELS[tally.level] ?? 'info',
        stream: this.streamName(tally.stream),
        fromNs: this.baseNs + BigInt(Math.round(tally.from)),
        toNs: this.baseNs + BigInt(Math.round(tally.to)),
      });
    }
  }

  /** Totals since start, keyed `cause/level/stream`. */
  totals(): Record<string, number> {
    const totals: Record<string, number> = {};
    for (const tally of this.tallies.values()) {
      totals[`${SHED_CAUSES[tally.cause]}/${LEVELS[tally.level]}/${this.streamName(tally.stream)}`] =
        tally.total;
    }
    return totals;
  }
}
