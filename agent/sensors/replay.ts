/**
 * A sensor that feeds recorded records at a chosen pace, for tests, demos and benches. Its status says so: nothing of
 * this machine is seen.
 *
 * Own cost: records stay encoded; a batch is one copy per lane and a few additions per record (stamps are shifted).
 * Invariants: every record is delivered exactly once per loop and in order within its lane; with `rebase`, all
 * times of a loop move by the same amount, so pid + start time stays an identity and each loop has its own.
 */
import { bootNowNs, refreshBootClock, wallOffsetNs } from './boot-clock.ts';
import { Fork, Header, Proc, Rare, Type } from './layout.ts';
import { type LaneRecords, readReplayFile, type ReplayRecords } from './replay-file.ts';
import type { Sensor, SensorSink, SensorStatus } from './types.ts';

/** Events per second from which the native reader gathers records for a shorter time (bpf-reader.h, kBusyRate). */
const BUSY_RATE = 3000;

export interface ReplayOptions {
  records: ReplayRecords;
  /** Name for status: the file. */
  name: string;
  /** Events per second, `original` for the recorded timing, `fast` for as fast as the sink takes them. */
  rate: number | 'original' | 'fast';
  /** Times to go through the records. Default 1. */
  loops?: number;
  /** Move all times so that the first record happens now. Default true. */
  rebase?: boolean;
  /** How often a batch is made. Default as the native reader does it under load: 10 ms, 4 ms from 3,000 events/s on. */
  tickMs?: number;
  /** Records per batch at most. Default 4,096. */
  maxBatch?: number;
  /** With `fast`: asked before each batch; true makes it wait a tick. */
  isBusy?: () => boolean;
}

export interface ReplayCounts {
  security: number;
  observability: number;
  bytes: number;
}

/**
 * Adds a delta (two's complement, two 32-bit halves) to the u64 at `at`. Left alone are 0, which means unknown, and
 * what would come to lie before this machine's boot: a start time keeps its recorded value then.
 */
function shift(bytes: Buffer, at: number, low: number, high: number): void {
  const oldLow = bytes.readUInt32LE(at);
  const oldHigh = bytes.readUInt32LE(at + 4);
  if (oldLow === 0 && oldHigh === 0) return;
  const lowSum = oldLow + low;
  const highSum = oldHigh + high + (lowSum > 0xffffffff ? 1 : 0);
  if (high > 0x7fffffff && highSum <= 0xffffffff) return;
  bytes.writeUInt32LE(lowSum >>> 0, at);
  bytes.writeUInt32LE(highSum >>> 0, at + 4);
}

/** Shifts every boot time of the record at `offset`: stamp, start times of process, parent, creator, target. */
function shiftTimes(bytes: Buffer, offset: number, low: number, high: number): void {
  shift(bytes, offset + Header.ts, low, high);
  shift(bytes, offset + Header.start, low, high);
  const type = bytes[offset + Header.type] as number;
  if (type === Type.FORK) {
    shift(bytes, offset + Fork.parent_start, low, high);
    shift(bytes, offset + Fork.creator_start, low, high);
  } else if (type === Type.EXEC || type === Type.SNAPSHOT)
    shift(bytes, offset + Proc.parent_start, low, high);
  else if (type >= Type.PTRACE) shift(bytes, offset + Rare.target_start, low, high);
}

function stampAt(lane: LaneRecords, index: number): bigint {
  return lane.bytes.readBigUInt64LE((lane.offsets[index] as number) + Header.ts);
}

export class ReplaySensor implements Sensor {
  readonly tier = 'replay';
  readonly counts: ReplayCounts = { security: 0, observability: 0, bytes: 0 };
  /** Resolves when the last record was delivered or the sensor was stopped. */
  readonly finished: Promise<void>;
  readonly #options: ReplayOptions;
  readonly #records: ReplayRecords;
  readonly #loops: number;
  readonly #rebase: boolean;
  readonly #maxBatch: number;
  readonly #tickMs: number;
  #finish: () => void = () => undefined;
  #sink: SensorSink | undefined;
  #timer: NodeJS.Timeout | undefined;
  #loop = 0;
  /** Position in the loop: overall, and in each lane. */
  #index = 0;
  #securityIndex = 0;
  #observabilityIndex = 0;
  #startedMs = 0;
  #loopStartedMs = 0;
  #delivered = 0;
  #shiftNs = 0n;
  #wallOffsetNs = 0n;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#records = options.records;
    this.#loops = options.loops ?? 1;
    this.#rebase = options.rebase ?? true;
    this.#maxBatch = options.maxBatch ?? 4096;
    const calm = typeof options.rate === 'number' && options.rate < BUSY_RATE;
    this.#tickMs = options.tickMs ?? (calm ? 10 : 4);
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  start(sink: SensorSink): Promise<void> {
    this.#sink = sink;
    this.#startedMs = performance.now();
    this.#beginLoop();
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
    return Promise.resolve();
  }

  status(): SensorStatus {
    const { rate, name } = this.#options;
    const pace = typeof rate === 'number' ? `${rate} events/s` : `${rate} timing`;
    return {
      tier: this.tier,
      hooks: [
        {
          name: 'replay',
          attach: name,
          state: 'active',
          detail: `${this.#delivered} of ${this.#records.count * this.#loops} records, ${pace}`,
          events: this.#delivered,
          lost: 0,
        },
      ],
      blindSpots: [
        {
          what: 'Everything that happens on this machine',
          why: 'A recording is being replayed instead of watching the machine.',
          remedy: 'Start without --sensor replay:…',
        },
      ],
      rings: [],
    };
  }

  stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#finish();
    return Promise.resolve();
  }

  #beginLoop(): void {
    this.#index = 0;
    this.#securityIndex = 0;
    this.#observabilityIndex = 0;
    this.#loopStartedMs = performance.now();
    if (this.#rebase) {
      refreshBootClock();
      this.#shiftNs = bootNowNs() - this.#records.bootNs;
      this.#wallOffsetNs = wallOffsetNs();
    } else this.#wallOffsetNs = this.#records.wallNs - this.#records.bootNs;
  }

  #tick(): void {
    const { rate } = this.#options;
    if (rate === 'fast') {
      // Until the next timer is due, so that the sink's own timers and I/O get their turn.
      const until = performance.now() + this.#tickMs;
      while (this.#timer !== undefined && performance.now() < until && this.#options.isBusy?.() !== true) {
        this.#deliver(this.#maxBatch);
      }
      return;
    }
    const due = typeof rate === 'number' ? this.#dueByRate(rate) : this.#dueByStamps();
    for (let left = due; left > 0 && this.#timer !== undefined; left -= this.#maxBatch) {
      this.#deliver(Math.min(left, this.#maxBatch));
    }
  }

  #dueByRate(rate: number): number {
    return Math.floor(((performance.now() - this.#startedMs) * rate) / 1000) - this.#delivered;
  }

  /** Records of this loop whose time has come; stamps of the two lanes are followed side by side. */
  #dueByStamps(): number {
    const { bootNs, lanes, security, observability, count } = this.#records;
    const until = bootNs + BigInt(Math.floor((performance.now() - this.#loopStartedMs) * 1e6));
    let security_ = this.#securityIndex;
    let observability_ = this.#observabilityIndex;
    let due = 0;
    for (let index = this.#index; index < count; index++, due++) {
      const isSecurity = lanes[index] === 1;
      const stamp = isSecurity ? stampAt(security, security_) : stampAt(observability, observability_);
      if (stamp > until) break;
      if (isSecurity) security_ += 1;
      else observability_ += 1;
    }
    return due;
  }

  /** Delivers the next `wanted` records or those left in this loop. */
  #deliver(wanted: number): void {
    const { lanes, count, security, observability } = this.#records;
    const end = Math.min(count, this.#index + wanted);
    let securityCount = 0;
    for (let index = this.#index; index < end; index++) securityCount += lanes[index] as number;
    const observabilityCount = end - this.#index - securityCount;
    this.#index = end;
    this.#delivered += securityCount + observabilityCount;
    this.#send('security', security, this.#securityIndex, securityCount);
    this.#securityIndex += securityCount;
    this.#send('observability', observability, this.#observabilityIndex, observabilityCount);
    this.#observabilityIndex += observabilityCount;
    if (end < count) return;
    this.#loop += 1;
    if (this.#loop < this.#loops) this.#beginLoop();
    else void this.stop();
  }

  #send(lane: 'security' | 'observability', from: LaneRecords, first: number, count: number): void {
    if (count === 0) return;
    const begin = from.offsets[first] as number;
    const end = from.offsets[first + count] as number;
    const bytes = Buffer.allocUnsafeSlow(end - begin);
    from.bytes.copy(bytes, 0, begin, end);
    if (this.#rebase) {
      const delta = BigInt.asUintN(64, this.#shiftNs);
      const low = Number(delta & 0xffffffffn);
      const high = Number(delta >> 32n);
      for (let index = 0; index < count; index++) {
        shiftTimes(bytes, (from.offsets[first + index] as number) - begin, low, high);
      }
    }
    this.counts[lane] += count;
    this.counts.bytes += bytes.length;
    this.#sink?.onBatch({ lane, bytes, count, firstSeq: 0, wallOffsetNs: this.#wallOffsetNs });
  }
}

/**
 * The sensor of `--sensor replay:FILE`; FILE may end in options: `?rate=50000` (or `original`, `fast`; default
 * `original`), `&loops=3`, `&rebase=0`. @throws ReplayFileError, or RangeError naming the option that is wrong.
 */
export function replaySensorOf(specification: string): ReplaySensor {
  const mark = specification.indexOf('?');
  const path = mark < 0 ? specification : specification.slice(0, mark);
  const options = new URLSearchParams(mark < 0 ? '' : specification.slice(mark + 1));
  for (const key of options.keys()) {
    if (!['rate', 'loops', 'rebase'].includes(key)) {
      throw new RangeError(`replay option ${key} is unknown; there are rate, loops and rebase`);
    }
  }
  const rateText = options.get('rate') ?? 'original';
  const rate = rateText === 'original' || rateText === 'fast' ? rateText : Number(rateText);
  if (typeof rate === 'number' && !(rate > 0)) {
    throw new RangeError(`replay option rate=${rateText} must be a number above 0, original or fast`);
  }
  const loops = Number(options.get('loops') ?? 1);
  if (!Number.isInteger(loops) || loops < 1)
    throw new RangeError(`replay option loops=${options.get('loops')} must be 1 or more`);
  return new ReplaySensor({
    records: readReplayFile(path),
    name: path,
    rate,
    loops,
    rebase: options.get('rebase') !== '0',
  });
}
