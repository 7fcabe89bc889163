/** Keeps both logs within their limits: cursor files, compression of sealed segments, retention, gaps for what it forced. */
import { dataPaths } from './data-dir.ts';
import type { GapInfo, Lane } from './event.ts';
import type { Log } from './log.ts';
import type { CursorFile } from './wal/cursor.ts';
import { type HeaderCache, compressNext, retain } from './wal/retention.ts';

const EVERY_TICKS = 10;
const NS_PER_DAY = 86_400_000_000_000n;
/** The security log keeps its share whatever the other one does. */
const SHARE: Readonly<Record<Lane, number>> = { security: 0.7, observability: 0.3 };

interface RetentionOptions {
  dataDir: string;
  logs: { readonly cursors: Readonly<Record<Lane, CursorFile>> };
  gaps: { record(gap: GapInfo): void };
  /** Of both logs together. */
  maxBytes: number;
  maxAgeDays: number;
  log: Log;
}

export class Retention {
  readonly #options: RetentionOptions;
  readonly #dirs: Readonly<Record<Lane, string>>;
  #cursors: Readonly<Record<Lane, number>> = { security: 0, observability: 0 };
  readonly #headers: Readonly<Record<Lane, HeaderCache>> = { security: new Map(), observability: new Map() };
  #ticks = 0;
  #busy = false;
  #cursorsFailed = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
    const paths = dataPaths(options.dataDir);
    this.#dirs = { security: paths.securityLog, observability: paths.observabilityLog };
  }

  /** How far the timeline has stored each log. */
  stored(cursors: Readonly<Record<Lane, number>>): void {
    this.#cursors = { ...cursors };
  }

  /** To be called each second: writes the cursors, and every ten seconds looks after one lane. */
  tick(): void {
    this.#writeCursors();
    if (this.#ticks++ % EVERY_TICKS !== 0 || this.#busy) return;
    this.#busy = true;
    const lane: Lane = (this.#ticks / EVERY_TICKS) & 1 ? 'security' : 'observability';
    this.#look(lane)
      .catch((error: unknown) =>
        this.#options.log.warn({ lane, error: String(error) }, 'retention of a log failed'),
      )
      .finally(() => {
        this.#busy = false;
      });
  }

  /** A full disk must not end the agent: a stale cursor file costs reading records again, never a record. */
  #writeCursors(): void {
    try {
      for (const lane of ['security', 'observability'] as const) {
        this.#options.logs.cursors[lane].write(this.#cursors[lane]);
      }
      this.#cursorsFailed = false;
    } catch (error) {
      if (!this.#cursorsFailed)
        this.#options.log.warn({ error: String(error) }, 'the cursor files cannot be written');
      this.#cursorsFailed = true;
    }
  }

  async #look(lane: Lane): Promise<void> {
    const dir = this.#dirs[lane];
    await compressNext(dir, this.#headers[lane]);
    const limits = {
      maxBytes: this.#options.maxBytes * SHARE[lane],
      maxAgeNs: BigInt(this.#options.maxAgeDays) * NS_PER_DAY,
      cursors: [this.#cursors[lane]],
      nowNs: BigInt(Date.now()) * 1_000_000n,
    };
    const result = await retain(dir, limits, this.#headers[lane]);
    for (const gap of result.gaps) {
      this.#options.gaps.record({
        lane,
        cause: gap.cause,
        count: gap.toSeq - gap.fromSeq + 1,
        fromNs: gap.fromWallNs,
        toNs: gap.toWallNs,
        fromSeq: gap.fromSeq,
        toSeq: gap.toSeq,
        detail: `segment ${gap.segment}: ${gap.detail}`,
      });
    }
    if (result.removedSegments > 0) {
      this.#options.log.info(
        { lane, segments: result.removedSegments, bytes: result.removedBytes },
        'log segments left',
      );
    }
  }
}
