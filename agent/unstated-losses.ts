/**
 * Losses in the kernel's security ring that the last run could not state any more. The kernel numbers the records it
 * tries to emit, CPU by CPU, so a record that found no room is a hole in the numbers of the log's tail; a run that ends
 * between the loss and its gap record (an eighth of a second, or a second while losses go on) leaves the hole and no
 * gap. What was lost after the last record of a CPU leaves no hole: where losses of that moment are known at all, the
 * blind interval to the next run starts with the first of them.
 */
import { readGap } from './audit/gap.ts';
import type { GapInfo } from './event.ts';
import { RecordType, type WalRecord } from './wal/types.ts';

/** In the sensor's record header, native-addon/src/linux/events.h. */
const SEQ_OFFSET = 16;
const HEADER_BYTES = 64;
const N_BITS = 40n;
const N_MASK = (1n << N_BITS) - 1n;
const SECURITY_RING = 0n;
/** Records of one CPU may swap places when one hook interrupts another; further back is a new count. */
const MOST_LATE = 64;
/** Losses counted at the same poll of the counters belong together, although their clocks were read apart. */
const SLACK_NS = 1_000_000n;

interface Hole {
  count: number;
  /** Time of the records around it. */
  fromNs: bigint;
  toNs: bigint;
}

interface Cpu {
  last: number;
  lastNs: bigint;
  holes: Hole[];
  /** Losses stated before the record after them came. */
  credit: { count: number; toNs: bigint }[];
}

/** Feed it the records of the tail in order. */
export class UnstatedLosses {
  readonly #cpus = new Map<number, Cpu>();
  /** Of runs whose next run ended before it stated anything. */
  #earlier: GapInfo[] = [];

  add(record: WalRecord): void {
    if (record.type === RecordType.epoch) {
      this.#earlier = this.gaps();
      this.#cpus.clear();
    } else if (record.type === RecordType.sensor) this.#sensor(record);
    else if (record.type === RecordType.gap) this.#gap(record.payload);
  }

  /** The run has stated everything before it. */
  beginWatch(): void {
    this.#earlier = [];
  }

  #sensor({ payload, wallNs }: WalRecord): void {
    if (payload.length < HEADER_BYTES) return;
    const seq = payload.readBigUInt64LE(SEQ_OFFSET);
    // 0: made in user space.
    if (seq === 0n || ((seq >> N_BITS) & 0xffn) !== SECURITY_RING) return;
    const id = Number(seq >> 48n);
    const n = Number(seq & N_MASK);
    const cpu = this.#cpus.get(id);
    if (cpu === undefined) {
      this.#cpus.set(id, { last: n, lastNs: wallNs, holes: [], credit: [] });
      return;
    }
    if (n <= cpu.last) {
      if (n > cpu.last - MOST_LATE) take(cpu.holes, 1);
      else cpu.last = n;
      return;
    }
    const missing = n - cpu.last - 1;
    if (missing > 0) {
      let left = missing;
      for (const credit of cpu.credit) {
        // A gap that ended before the last record that did arrive is about an earlier hole.
        if (credit.toNs + SLACK_NS < cpu.lastNs) continue;
        const used = Math.min(left, credit.count);
        credit.count -= used;
        left -= used;
      }
      if (left > 0) cpu.holes.push({ count: left, fromNs: cpu.lastNs, toNs: wallNs });
    }
    cpu.credit = [];
    cpu.last = n;
    if (wallNs > cpu.lastNs) cpu.lastNs = wallNs;
  }

  #gap(payload: Buffer): void {
    let gap: GapInfo;
    try {
      gap = readGap(payload);
    } catch {
      return;
    }
    if (gap.lane !== 'security' || gap.cpu === undefined || gap.count === undefined) return;
    if (gap.cause !== 'ring_full' && gap.cause !== 'sensor_blind') return;
    const cpu = this.#cpus.get(gap.cpu);
    if (cpu === undefined) return;
    const left = gap.count - take(cpu.holes, gap.count, gap.toNs + SLACK_NS);
    if (left > 0) cpu.credit.push({ count: left, toNs: gap.toNs });
  }

  /** When the first loss that nobody stated may have happened; 0 when there is none. */
  get sinceNs(): bigint {
    let since = 0n;
    for (const { holes } of this.#cpus.values()) {
      const from = holes[0]?.fromNs ?? 0n;
      if (from > 0n && (since === 0n || from < since)) since = from;
    }
    return since;
  }

  /** One gap for each run and CPU that lost records. */
  gaps(): GapInfo[] {
    const gaps = [...this.#earlier];
    for (const [cpu, { holes }] of this.#cpus) {
      const [first] = holes;
      const last = holes.at(-1);
      if (first === undefined || last === undefined) continue;
      gaps.push({
        lane: 'security',
        cause: 'ring_full',
        count: holes.reduce((sum, hole) => sum + hole.count, 0),
        cpu,
        fromNs: first.fromNs,
        toNs: last.toNs,
        detail: 'numbers missing at the end of the last run, which ended before it could state them',
      });
    }
    return gaps;
  }
}

/** Removes up to `count` from the oldest holes that began by `untilNs`; returns how many. */
function take(holes: Hole[], count: number, untilNs?: bigint): number {
  let taken = 0;
  while (taken < count && holes.length > 0) {
    const hole = holes[0] as Hole;
    if (untilNs !== undefined && hole.fromNs > untilNs) break;
    const part = Math.min(hole.count, count - taken);
    hole.count -= part;
    taken += part;
    if (hole.count === 0) holes.shift();
  }
  return taken;
}
