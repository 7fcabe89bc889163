/**
 * Picks the best sensor this machine and these rights allow, and says why each better one was refused.
 *
 * Order: eBPF, proc connector, /proc polling; the last always works on Linux. A replay is only ever taken when asked
 * for by name. A sensor asked for by name is used or refused, never replaced by another.
 */
import { loadCore } from '../../native-addon/index.ts';
import { createEbpfSensor } from './ebpf-sensor.ts';
import { ProcConnectorSensor } from './proc-connector.ts';
import { ProcPollSensor } from './proc-poll.ts';
import { replaySensorOf } from './replay.ts';
import type { Sensor, SensorScope, SensorTier } from './types.ts';

export type SensorPreference = 'auto' | 'ebpf' | 'proc' | `replay:${string}`;

export interface SelectOptions {
  prefer: SensorPreference;
  scope: SensorScope;
  /** WalWriter.nativeHandle of the security log: lets the eBPF reader append without a detour through JavaScript. */
  walHandle?: unknown;
  /** eBPF: names whose hooks these are. */
  keeperTag?: string;
  /** eBPF: also record files opened only for reading. */
  readOpens?: boolean;
}

export interface TriedSensor {
  tier: string;
  /** Why it was refused; of the last one, why it was taken. */
  reason: string;
}

export interface SelectedSensor {
  sensor: Sensor;
  tried: TriedSensor[];
}

/** No sensor can run, or the one asked for cannot. The message says why and what to do. */
export class NoSensorError extends Error {
  override name = 'NoSensorError';
  readonly tried: readonly TriedSensor[];
  constructor(message: string, tried: readonly TriedSensor[]) {
    super(message);
    this.tried = tried;
  }
}

/** Makes a sensor or rejects with the reason. `why` tells why better ones were refused. */
export interface SensorFactory {
  tier: SensorTier | 'ebpf';
  preference: 'ebpf' | 'proc';
  create(options: SelectOptions, why: string | undefined): Promise<Sensor>;
}

const FACTORIES: readonly SensorFactory[] = [
  {
    tier: 'ebpf',
    preference: 'ebpf',
    create(options) {
      if (process.platform !== 'linux') return Promise.reject(new Error('eBPF is a part of Linux'));
      return new Promise((resolve) => resolve(createEbpfSensor(options)));
    },
  },
  {
    tier: 'proc-connector',
    preference: 'proc',
    create(options, why) {
      const core = loadCore();
      if (!core.ok) return Promise.reject(new Error(core.reason));
      const refusal = ProcConnectorSensor.refusal(core.addon);
      if (refusal !== undefined) return Promise.reject(new Error(refusal));
      return Promise.resolve(new ProcConnectorSensor({ native: core.addon, scope: options.scope, why }));
    },
  },
  {
    tier: 'proc-poll',
    preference: 'proc',
    create(options, why) {
      if (process.platform !== 'linux') return Promise.reject(new Error('there is no /proc on this system'));
      return Promise.resolve(new ProcPollSensor({ scope: options.scope, why }));
    },
  },
];

/**
 * Makes the sensor; it is not started yet. @throws NoSensorError when none can run, ReplayFileError or RangeError for
 * a wrong `replay:` specification.
 */
export async function selectSensor(
  options: SelectOptions,
  factories: readonly SensorFactory[] = FACTORIES,
): Promise<SelectedSensor> {
  const { prefer } = options;
  if (prefer.startsWith('replay:')) {
    const sensor = replaySensorOf(prefer.slice('replay:'.length));
    return { sensor, tried: [{ tier: 'replay', reason: 'asked for' }] };
  }
  const tried: TriedSensor[] = [];
  for (const factory of factories) {
    if (prefer !== 'auto' && prefer !== factory.preference) continue;
    try {
      const why = tried.map(({ tier, reason }) => `${tier}: ${reason}`).join('; ') || undefined;
      const sensor = await factory.create(options, why);
      tried.push({
        tier: sensor.tier,
        reason: tried.length === 0 ? 'the best there is' : 'the best of what is left',
      });
      return { sensor, tried };
    } catch (error) {
      tried.push({ tier: factory.tier, reason: (error as Error).message });
    }
  }
  const reasons = tried.map(({ tier, reason }) => `${tier}: ${reason}`).join('; ');
  throw new NoSensorError(
    prefer === 'auto'
      ? `no sensor can run here (${reasons}); see sentinel doctor`
      : `the sensor asked for (${prefer}) cannot run here (${reasons}); use --sensor auto to take the best that can`,
    tried,
  );
}
