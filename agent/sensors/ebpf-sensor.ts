/**
 * The eBPF sensor: loads sensor.bpf.o, reads its rings on a native thread and hands batches on.
 *
 * Everything that needs a privilege happens in createEbpfSensor and start; afterwards the process may drop what it
 * has. Security batches have a `firstSeq` when a log handle was given: they are in the log already.
 */
import { join } from 'node:path';
import { type BpfAddon, type BpfHandle, type BpfLoss, loadBpf, nativeDir } from '../../native-addon/index.ts';
import { wallNowNs } from './boot-clock.ts';
import { recordLength } from './decode.ts';
import { ebpfBlindSpots } from './ebpf-blind-spots.ts';
import { snapshotRecords } from './proc-snapshot.ts';
import type { Sensor, SensorScope, SensorSink, SensorStatus, SensorTier } from './types.ts';
import { watchNames } from './watch-names.ts';

export type EbpfFailure = 'no_addon' | 'no_btf' | 'permission' | 'object' | 'scope' | 'kernel';

const REMEDIES: Readonly<Record<EbpfFailure, string>> = {
  no_addon: 'install libbpf (apt install libbpf1) and build the addon again',
  no_btf: 'boot a kernel built with CONFIG_DEBUG_INFO_BTF (Debian kernels are)',
  permission: 'start the agent as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_SYS_ADMIN',
  object: 'build it with clang: npm run build',
  scope: 'name a cgroup v2 directory or a process that exists',
  kernel: 'use kernel 5.17 or newer with eBPF tracing enabled',
};

/** The eBPF sensor cannot run here; `reason` is for programs, the message for people. */
export class EbpfUnavailableError extends Error {
  override name = 'EbpfUnavailableError';
  readonly reason: EbpfFailure;
  constructor(reason: EbpfFailure, what: string) {
    super(`the eBPF sensor cannot run: ${what}; ${REMEDIES[reason]}`);
    this.reason = reason;
  }
}

export interface EbpfSensorOptions {
  scope: SensorScope;
  /** WalWriter.nativeHandle of the security log. */
  walHandle?: unknown;
  /** Default: sensor.bpf.o beside the addons. */
  objectPath?: string;
  /** Names whose hooks these are (the data folder): hooks that outlived an agent are told by it. */
  keeperTag?: string;
  /** Also record read-only opens of ordinary files. Default false: they are most of what a machine does. */
  readOpens?: boolean;
  /** Observability records per process and second, beyond which they are dropped and counted. Default 100,000. */
  rateLimitPerSecond?: number;
  /** Further directory names (not paths) whose contents belong to the security lane. */
  watchDirectories?: readonly string[];
  /** Executables whose file and network records are not wanted, by identity. */
  ignoreExecutables?: readonly { dev: number; inode: number }[];
}

const SCOPE_KINDS = { host: 0, cgroup: 1, pid: 2 } as const;

function failureOf(error: unknown): EbpfFailure {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && code in REMEDIES ? (code as EbpfFailure) : 'kernel';
}

function countRecords(bytes: Buffer): number {
  let count = 0;
  for (let at = 0; ; count++) {
    const length = recordLength(bytes, at);
    if (length === 0) return count;
    at += length;
  }
}

/**
 * Loads and attaches the sensor; events gather in the kernel from here on.
 * @throws EbpfUnavailableError with the reason, so that the caller can fall back.
 */
export function createEbpfSensor(options: EbpfSensorOptions): Sensor {
  const loaded = loadBpf();
  if (!loaded.ok) throw new EbpfUnavailableError('no_addon', loaded.reason);
  const addon = loaded.addon;
  const { scope } = options;
  let handle: BpfHandle;
  try {
    handle = addon.load({
      objectPath: options.objectPath ?? join(nativeDir(), 'sensor.bpf.o'),
      scopeKind: SCOPE_KINDS[scope.kind],
      cgroupPath: scope.kind === 'cgroup' ? scope.path : undefined,
      scopePid: scope.kind === 'pid' ? scope.pid : undefined,
      keeperTag: options.keeperTag,
      readOpens: options.readOpens === true ? 1 : 0,
      rateLimit: options.rateLimitPerSecond ?? 100_000,
      watches: watchNames(options.watchDirectories),
      noise: [...(options.ignoreExecutables ?? [])],
    });
  } catch (error) {
    throw new EbpfUnavailableError(failureOf(error), (error as Error).message);
  }
  return new EbpfSensor(addon, handle, options);
}

class EbpfSensor implements Sensor {
  readonly tier: SensorTier;
  readonly kernel: { addon: BpfAddon; handle: BpfHandle };
  readonly watchingSinceNs: bigint;
  readonly #addon: BpfAddon;
  readonly #handle: BpfHandle;
  readonly #options: EbpfSensorOptions;
  #state: 'loaded' | 'reading' | 'stopped' = 'loaded';
  #ended: (() => void) | undefined;
  #whenEnded: Promise<void> | undefined;

  constructor(addon: BpfAddon, handle: BpfHandle, options: EbpfSensorOptions) {
    this.#addon = addon;
    this.#handle = handle;
    this.#options = options;
    this.watchingSinceNs = wallNowNs();
    this.kernel = { addon, handle };
    this.tier = addon.status(handle).lsm ? 'lsm' : 'tracepoint';
  }

  async start(sink: SensorSink): Promise<void> {
    if (this.#state !== 'loaded') throw new Error('the eBPF sensor was started before; create another one');
    this.#state = 'reading';
    this.#whenEnded = new Promise((resolve) => {
      this.#ended = resolve;
    });
    this.#snapshot(sink);
    const lanes = ['security', 'observability'] as const;
    this.#addon.start(
      this.#handle,
      (ring: number, ...rest: unknown[]): void => {
        if (ring >= 0) {
          const [bytes, count, firstSeq, wallOffsetNs] = rest as [Buffer, number, number, bigint];
          sink.onBatch({ lane: lanes[ring === 0 ? 0 : 1], bytes, count, firstSeq, wallOffsetNs });
        } else if (ring === -1) {
          for (const loss of rest[0] as BpfLoss[]) sink.onLoss(loss);
        } else this.#ended?.();
      },
      this.#options.walHandle,
    );
    return Promise.resolve();
  }

  /** The processes that run now, from the kernel's own list. Not in the log yet: `firstSeq` is 0. */
  #snapshot(sink: SensorSink): void {
    const { wallOffsetNs } = this.#addon.status(this.#handle);
    try {
      const bytes = this.#addon.snapshot(this.#handle);
      const count = countRecords(bytes);
      if (count > 0) sink.onBatch({ lane: 'security', bytes, count, firstSeq: 0, wallOffsetNs });
    } catch {
      // A kernel without the task iterator: /proc knows the same, with start times in ticks.
      const { bytes, count } = snapshotRecords();
      sink.onBatch({ lane: 'security', bytes, count, firstSeq: 0, wallOffsetNs });
    }
  }

  status(): SensorStatus {
    const status = this.#addon.status(this.#handle);
    return {
      tier: this.tier,
      hooks: status.hooks,
      blindSpots: ebpfBlindSpots(status.hooks, this.#options.readOpens === true),
      rings: status.rings.map(({ name, usedBytes, sizeBytes, lost }) => ({
        name,
        usedBytes,
        sizeBytes,
        lost,
      })),
    };
  }

  async stop(): Promise<void> {
    if (this.#state === 'reading') this.#addon.stop(this.#handle);
    this.#state = 'stopped';
    await this.#whenEnded;
  }
}
