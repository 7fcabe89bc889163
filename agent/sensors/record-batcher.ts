/** Collects the events of a user-space sensor and hands them on as encoded batches, one per lane. */
import type { Lane, SentinelEvent } from '../event.ts';
import { bootNowNs, wallOffsetNs } from './boot-clock.ts';
import { encodeEvent } from './encode.ts';
import type { SensorSink } from './types.ts';

export class RecordBatcher {
  readonly #sink: SensorSink;
  readonly #pending: Record<Lane, Buffer[]> = { security: [], observability: [] };

  constructor(sink: SensorSink) {
    this.#sink = sink;
  }

  /** `bootNs` is when it happened, as far as known; default now. */
  add(event: SentinelEvent, bootNs = bootNowNs()): void {
    this.#pending[event.lane].push(encodeEvent(event, bootNs));
  }

  flush(): void {
    for (const lane of ['security', 'observability'] as const) {
      const records = this.#pending[lane];
      if (records.length === 0) continue;
      this.#pending[lane] = [];
      const bytes = Buffer.concat(records);
      this.#sink.onBatch({ lane, bytes, count: records.length, firstSeq: 0, wallOffsetNs: wallOffsetNs() });
    }
  }
}
