import { describe, expect, it } from 'vitest';
import { NoSensorError, type SensorFactory, selectSensor } from './select-sensor.ts';
import type { Sensor } from './types.ts';

const scope = { kind: 'host' } as const;

function factory(tier: 'ebpf' | 'proc-connector' | 'proc-poll', failure?: string): SensorFactory {
  return {
    tier,
    preference: tier === 'ebpf' ? 'ebpf' : 'proc',
    create: (_, why) =>
      failure === undefined
        ? Promise.resolve({ tier: tier === 'ebpf' ? 'tracepoint' : tier, why } as unknown as Sensor)
        : Promise.reject(new Error(failure)),
  };
}

describe('selectSensor', () => {
  it('takes the first that can run and tells it, and the caller, why better ones cannot', async () => {
    const { sensor, tried } = await selectSensor({ prefer: 'auto', scope }, [
      factory('ebpf', 'not root'),
      factory('proc-connector', 'no CAP_NET_ADMIN'),
      factory('proc-poll'),
    ]);
    expect(sensor).toMatchObject({
      tier: 'proc-poll',
      why: 'ebpf: not root; proc-connector: no CAP_NET_ADMIN',
    });
    expect(tried.map(({ tier, reason }) => `${tier}: ${reason}`)).toEqual([
      'ebpf: not root',
      'proc-connector: no CAP_NET_ADMIN',
      'proc-poll: the best of what is left',
    ]);
  });

  it('does not replace the sensor that was asked for', async () => {
    const chosen = selectSensor({ prefer: 'ebpf', scope }, [factory('ebpf', 'no BTF'), factory('proc-poll')]);
    await expect(chosen).rejects.toThrow(/ebpf\) cannot run here \(ebpf: no BTF\).*--sensor auto/);
    const proc = await selectSensor({ prefer: 'proc', scope }, [factory('ebpf'), factory('proc-poll')]);
    expect(proc.sensor.tier).toBe('proc-poll');
  });

  it('says so when nothing can run', async () => {
    await expect(selectSensor({ prefer: 'auto', scope }, [])).rejects.toThrow(NoSensorError);
  });

  it('names what is wrong with a replay', async () => {
    await expect(selectSensor({ prefer: 'replay:/nowhere/file', scope })).rejects.toThrow(
      /nowhere.*cannot be read/,
    );
  });

  it.skipIf(process.platform !== 'linux')('finds a sensor on this machine', async () => {
    const { sensor, tried } = await selectSensor({ prefer: 'proc', scope });
    expect(sensor.tier).toMatch(/^proc-/);
    expect(sensor.status().blindSpots.length).toBeGreaterThan(0);
    expect(tried.length).toBeGreaterThan(0);
  });
});
