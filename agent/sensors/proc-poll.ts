/**
 * The sensor that needs no rights at all: looks at /proc again and again. It misses what comes and goes between two
 * looks, and says so.
 *
 * Cost: between looks only /proc/loadavg is read (its last pid tells whether anything was forked). The pause after a
 * look is at least 49 times what the look took, so that looking stays within two percent of a core.
 */
import type { SentinelEvent } from '../event.ts';
import { wallNowNs } from './boot-clock.ts';
import { ProcReader } from './proc-reader.ts';
import { listPids, snapshotEvents } from './proc-snapshot.ts';
import { lastPid, ProcWatch } from './proc-watch.ts';
import { RecordBatcher } from './record-batcher.ts';
import { inScope, type ScopeFilter, scopeFilter } from './scope.ts';
import { KERNEL_REMEDY, sideBlindSpots, SideSensors } from './side-sensors.ts';
import type { BlindSpot, Sensor, SensorScope, SensorSink, SensorStatus } from './types.ts';

const MIN_PAUSE_MS = 20;
const MAX_PAUSE_MS = 250;
/** A look without a fork is due this often, for exits and execs of known processes. */
const FULL_LOOK_MS = 1_000;
/** Processes read in one look: about 4 ms, because the decision loop waits meanwhile. */
const MAX_READS = 16;
const CPU_SHARE = 0.02;
/** Unseen short-lived processes are told at most this often. */
const BLIND_REPORT_MS = 60_000;

export interface ProcPollOptions {
  scope?: SensorScope;
  /** Why better sensors were refused, for status. */
  why?: string;
  procRoot?: string;
  watchDirectories?: readonly string[];
}

export class ProcPollSensor implements Sensor {
  readonly tier = 'proc-poll';
  readonly #options: ProcPollOptions;
  readonly #reader: ProcReader;
  readonly #watch: ProcWatch;
  readonly #scope: ScopeFilter;
  #batcher: RecordBatcher | undefined;
  #sink: SensorSink | undefined;
  #side: SideSensors | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastPid: number | undefined;
  #pids: number[] = [];
  #pauseMs = MIN_PAUSE_MS;
  #nextFullMs = 0;
  #unseen = 0;
  #unseenSinceNs = 0n;
  #nextBlindMs = 0;
  #told = 0;

  constructor(options: ProcPollOptions = {}) {
    this.#options = options;
    this.#reader = new ProcReader({ root: options.procRoot });
    this.#watch = new ProcWatch(this.#reader);
    this.#scope = scopeFilter(options.scope ?? { kind: 'host' });
  }

  start(sink: SensorSink): Promise<void> {
    this.#sink = sink;
    this.#batcher = new RecordBatcher(sink);
    for (const event of snapshotEvents(this.#reader)) {
      this.#watch.prime(event);
      this.#emit(event);
    }
    this.#lastPid = lastPid(this.#reader.root);
    this.#unseenSinceNs = wallNowNs();
    this.#batcher.flush();
    this.#side = new SideSensors({
      reader: this.#reader,
      batcher: this.#batcher,
      wanted: (event) => inScope(this.#scope, event),
      pids: () => (this.#pids.length > 0 ? this.#pids : listPids(this.#reader.root)),
      watchFiles: this.#scope.kind === 'host',
      watchDirectories: this.#options.watchDirectories,
    });
    this.#schedule();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#batcher !== undefined) this.#look(performance.now(), Infinity, lastPid(this.#reader.root));
    this.#side?.stop();
    this.#reportBlind(Infinity);
    this.#batcher?.flush();
    return Promise.resolve();
  }

  status(): SensorStatus {
    return {
      tier: this.tier,
      hooks: [
        {
          name: 'processes',
          attach: '/proc',
          state: 'replaced',
          detail: `polled every ${this.#pauseMs.toFixed(0)} ms`,
          events: this.#told,
          lost: this.#unseen,
        },
        ...(this.#side?.hooks() ?? []),
      ],
      blindSpots: pollBlindSpots(this.#options.why),
      rings: [],
    };
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#tick();
      if (this.#timer !== undefined) this.#schedule();
    }, this.#pauseMs);
  }

  #tick(): void {
    const startedMs = performance.now();
    const pid = lastPid(this.#reader.root);
    const forked = pid === undefined || pid !== this.#lastPid;
    if (forked || startedMs >= this.#nextFullMs) this.#look(startedMs, MAX_READS, pid);
    this.#reportBlind(startedMs);
    this.#batcher?.flush();
    const spentMs = performance.now() - startedMs;
    const floor = forked ? MIN_PAUSE_MS : Math.min(MAX_PAUSE_MS, this.#pauseMs * 1.5);
    this.#pauseMs = Math.min(1_000, Math.max(floor, spentMs * (1 / CPU_SHARE - 1)));
  }

  #look(nowMs: number, maxReads: number, pid: number | undefined): void {
    const { events, pids, deferred, young } = this.#watch.look(maxReads);
    this.#pids = pids;
    // What was left over, and programs that may be about to change, make the next look due at once.
    this.#nextFullMs = deferred + young > 0 ? 0 : nowMs + FULL_LOOK_MS;
    let arrived = deferred;
    for (const event of events) {
      if (event.action === 'fork') arrived += 1;
      this.#emit(event);
    }
    const before = this.#lastPid;
    this.#lastPid = pid;
    // Threads take numbers too, so this is an upper bound; once numbers wrap, nothing can be said.
    if (pid !== undefined && before !== undefined && pid > before)
      this.#unseen += Math.max(0, pid - before - arrived);
  }

  #emit(event: SentinelEvent): void {
    const info = event.process;
    if (info === undefined || !inScope(this.#scope, event)) return;
    this.#told += 1;
    // A start is older than the look that found it.
    this.#batcher?.add(event, event.action === 'fork' ? info.startNs : undefined);
  }

  /** States how many processes may have come and gone unseen. */
  #reportBlind(nowMs: number): void {
    if (this.#unseen === 0 || nowMs < this.#nextBlindMs) return;
    this.#nextBlindMs = nowMs + BLIND_REPORT_MS;
    const toNs = wallNowNs();
    this.#sink?.onLoss({
      lane: 'security',
      cause: 'sensor_blind',
      hook: 'processes',
      fromNs: this.#unseenSinceNs,
      toNs,
      detail: `up to ${this.#unseen} processes or threads began and ended between two looks at /proc`,
    });
    this.#unseen = 0;
    this.#unseenSinceNs = toNs;
  }
}

/** What polling cannot see. */
export function pollBlindSpots(why: string | undefined): BlindSpot[] {
  const because = why === undefined ? '' : ` ${why}`;
  return [
    {
      what: 'Processes that live for less than about 20 ms, and what they did',
      why: `/proc is looked at again and again instead of being told by the kernel.${because}`,
      remedy: KERNEL_REMEDY,
    },
    {
      what: "Executables, working directories and sockets of other users' processes",
      why: 'Only root may read them.',
      remedy: 'Run the agent as root.',
    },
    {
      what: 'ptrace, privilege changes without a new program, most exit codes',
      why: '/proc does not show them.',
      remedy: KERNEL_REMEDY,
    },
    ...sideBlindSpots(),
  ];
}
