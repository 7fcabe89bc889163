/**
 * What both fallback sensors see beside processes: connections by polling /proc/net, and changes in a few directories
 * by inotify. Costs at most COST_SHARE of a core.
 */
import { homedir } from 'node:os';
import type { SentinelEvent } from '../event.ts';
import { refreshBootClock } from './boot-clock.ts';
import { type ConnectionChange, ConnectionPoller } from './proc-net.ts';
import type { ProcReader } from './proc-reader.ts';
import type { RecordBatcher } from './record-batcher.ts';
import type { BlindSpot, HookStatus } from './types.ts';
import { FileWatcher, homeDirectories, WATCHED_DIRECTORIES } from './watch-files.ts';

const NET_MS = 1_000;
const COST_SHARE = 0.02;

export interface SideOptions {
  reader: ProcReader;
  batcher: RecordBatcher;
  /** Whether an event is to be told. */
  wanted: (event: SentinelEvent) => boolean;
  /** Pids there now, ascending. */
  pids: () => readonly number[];
  /** inotify knows no author, so files are watched for the whole host or not at all. */
  watchFiles: boolean;
  watchDirectories?: readonly string[];
}

export class SideSensors {
  readonly #options: SideOptions;
  readonly #net: ConnectionPoller;
  readonly #files: FileWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #connections = 0;
  #changes = 0;

  constructor(options: SideOptions) {
    this.#options = options;
    this.#net = new ConnectionPoller(options.reader.root);
    if (options.watchFiles) {
      const directories = options.watchDirectories ?? [...WATCHED_DIRECTORIES, ...homeDirectories(homedir())];
      this.#files = new FileWatcher(directories, (event) => {
        this.#changes += 1;
        options.batcher.add(event);
        options.batcher.flush();
      });
    }
    this.#schedule(0);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#files?.close();
  }

  hooks(): HookStatus[] {
    const files = this.#files;
    return [
      {
        name: 'connections',
        attach: '/proc/net',
        state: 'replaced',
        detail: `polled every ${NET_MS} ms`,
        events: this.#connections,
        lost: 0,
      },
      {
        name: 'file changes',
        attach: 'inotify',
        state: files === undefined ? 'missing' : 'replaced',
        detail:
          files === undefined
            ? 'only with the scope of the whole host'
            : `${files.directories.length} directories`,
        events: this.#changes,
        lost: files?.dropped ?? 0,
      },
    ];
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => {
      const startedMs = performance.now();
      refreshBootClock();
      for (const change of this.#net.poll(this.#options.pids())) this.#emit(change);
      this.#options.batcher.flush();
      if (this.#timer !== undefined)
        this.#schedule(Math.max(NET_MS, (performance.now() - startedMs) / COST_SHARE));
    }, delayMs);
  }

  #emit(change: ConnectionChange): void {
    const { reader, batcher, wanted } = this.#options;
    const found = change.pid === undefined ? undefined : reader.stat(change.pid);
    const { uid } = change;
    const process =
      found === undefined
        ? { pid: 0, startNs: 0n, name: '', uid }
        : { pid: found.pid, startNs: found.startNs, name: found.comm, uid };
    const event: SentinelEvent = {
      eventId: 0,
      type: 'network',
      action: change.action,
      lane: 'observability',
      tsNs: 0n,
      process,
      network: change.network,
      severity: 'info',
    };
    if (!wanted(event)) return;
    this.#connections += 1;
    batcher.add(event);
  }
}

/** What makes room for the eBPF sensor. */
export const KERNEL_REMEDY = 'Run the agent as root on a kernel with BTF (/sys/kernel/btf/vmlinux).';

/** What neither fallback sensor sees. */
export function sideBlindSpots(): BlindSpot[] {
  return [
    {
      what: 'File reads and writes, except changes in a few system directories, and who made those',
      why: 'inotify tells that a file changed, not who changed it.',
      remedy: KERNEL_REMEDY,
    },
    {
      what: 'Short connections, DNS questions, bytes sent, other network namespaces',
      why: '/proc/net is looked at once a second and shows this network namespace only.',
      remedy: KERNEL_REMEDY,
    },
    {
      what: 'Memory made writable and executable, memfd creation, module and BPF loads, mounts, namespaces, io_uring',
      why: 'Nothing but kernel probes shows them.',
      remedy: KERNEL_REMEDY,
    },
  ];
}
