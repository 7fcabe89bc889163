/**
 * Process events from the kernel's netlink connector: complete as to which processes there were (and exact about what
 * was lost), incomplete as to short-lived ones' details, which are read from /proc a moment after the fact.
 */
import type { CoreAddon, NativeProcConnector } from '../../native-addon/index.ts';
import { wallOffsetNs } from './boot-clock.ts';
import { findCgroup2 } from './containers.ts';
import { ProcReader } from './proc-reader.ts';
import { listPids, snapshotEvents } from './proc-snapshot.ts';
import { RecordBatcher } from './record-batcher.ts';
import { inScope, type ScopeFilter, scopeFilter } from './scope.ts';
import { KERNEL_REMEDY, sideBlindSpots, SideSensors } from './side-sensors.ts';
import type { BlindSpot, Sensor, SensorScope, SensorSink, SensorStatus } from './types.ts';

export interface ProcConnectorOptions {
  native: Pick<CoreAddon, 'NativeProcConnector'>;
  scope?: SensorScope;
  /** Why better sensors were refused, for status. */
  why?: string;
  watchDirectories?: readonly string[];
  /** Socket buffer. Default 8 MiB, several tens of thousands of messages. */
  receiveBytes?: number;
}

export class ProcConnectorSensor implements Sensor {
  readonly tier = 'proc-connector';
  readonly #options: ProcConnectorOptions;
  readonly #reader = new ProcReader();
  readonly #scope: ScopeFilter;
  #native: NativeProcConnector | undefined;
  #sink: SensorSink | undefined;
  #side: SideSensors | undefined;

  constructor(options: ProcConnectorOptions) {
    this.#options = options;
    this.#scope = scopeFilter(options.scope ?? { kind: 'host' });
  }

  /** Whether this process may subscribe; undefined if so, else the reason. */
  static refusal(native: Pick<CoreAddon, 'NativeProcConnector'>): string | undefined {
    try {
      const probe = new native.NativeProcConnector({ members: [] }, () => undefined);
      probe.start();
      probe.stop();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  start(sink: SensorSink): Promise<void> {
    this.#sink = sink;
    const batcher = new RecordBatcher(sink);
    const { native, watchDirectories, receiveBytes } = this.#options;
    const host = this.#scope.kind === 'host';
    const reader = this.#reader;
    // The snapshot is taken twice for a scope: who belongs must be known before the first event.
    if (!host) for (const event of snapshotEvents(reader)) inScope(this.#scope, event);
    const members = this.#scope.kind === 'host' ? undefined : [...this.#scope.members];
    const options = { cgroupMount: findCgroup2(), members, receiveBytes };
    this.#native = new native.NativeProcConnector(options, () => this.#deliver());
    this.#native.start();
    // Events wait in the native list until this returns, so the snapshot comes first.
    for (const event of snapshotEvents(reader)) if (inScope(this.#scope, event)) batcher.add(event);
    batcher.flush();
    this.#side = new SideSensors({
      reader,
      batcher,
      wanted: (event) => this.#inScopeNow(event.process?.pid ?? 0),
      pids: () => listPids(reader.root),
      watchFiles: host,
      watchDirectories,
    });
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#side?.stop();
    this.#native?.stop();
    this.#deliver();
    return Promise.resolve();
  }

  status(): SensorStatus {
    const stats = this.#native?.stats();
    const failed = stats !== undefined && stats.failure !== 0;
    const vanished = stats?.vanished ?? 0;
    return {
      tier: this.tier,
      hooks: [
        {
          name: 'processes',
          attach: 'netlink connector',
          state: failed ? 'missing' : 'replaced',
          detail: failed
            ? `the socket failed with errno ${stats.failure}; restart the agent`
            : `${vanished} programs ended before their details could be read`,
          events: stats?.records ?? 0,
          lost: stats?.lost ?? 0,
        },
        ...(this.#side?.hooks() ?? []),
      ],
      blindSpots: connectorBlindSpots(this.#options.why),
      rings: [],
    };
  }

  #deliver(): void {
    const taken = this.#native?.take();
    if (taken === undefined) return;
    const offset = wallOffsetNs();
    for (const { bytes, count } of taken.batches) {
      this.#sink?.onBatch({ lane: 'security', bytes, count, firstSeq: 0, wallOffsetNs: offset });
    }
    for (const { cpu, count, fromBootNs, toBootNs } of taken.losses) {
      this.#sink?.onLoss({
        lane: 'security',
        cause: 'netlink_overrun',
        hook: 'netlink connector',
        ...(cpu === undefined ? {} : { cpu }),
        count,
        fromNs: fromBootNs + offset,
        toNs: toBootNs + offset,
        detail: 'messages about processes and threads',
      });
    }
  }

  /** Connections are few: their process's ancestry is walked instead of tracking members here as well. */
  #inScopeNow(pid: number): boolean {
    if (this.#scope.kind === 'host') return true;
    for (let depth = 0, at = pid; at > 0 && depth < 64; depth++) {
      if (this.#scope.members.has(at)) return true;
      at = this.#reader.stat(at)?.ppid ?? 0;
    }
    return false;
  }
}

const OTHERS: BlindSpot = {
  what: "Executables, hashes, working directories and sockets of other users' processes",
  why: 'Only root may read them.',
  remedy: 'Run the agent as root.',
};

/** What the connector cannot see. */
export function connectorBlindSpots(why: string | undefined): BlindSpot[] {
  const because = why === undefined ? '' : ` ${why}`;
  return [
    {
      what: 'Command lines, paths and working directories of processes that end within about a millisecond',
      why: `The kernel tells only the number of a process; the rest is read from /proc right after.${because}`,
      remedy: KERNEL_REMEDY,
    },
    ...(process.getuid?.() === 0 ? [] : [OTHERS]),
    ...sideBlindSpots(),
  ];
}
