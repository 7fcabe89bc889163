/** Joins the guardians to the sensor, the log and health. */
import { join } from 'node:path';
import type { CoreAddon } from '../native-addon/index.ts';
import { GuardianEnforcer } from './enforce/enforcer.ts';
import { KernelGuardian, type KernelTrouble } from './enforce/kernel-guardian.ts';
import { noKernelReach, tryKernelReach } from './enforce/reach.ts';
import type { SentinelEvent } from './event.ts';
import type { Sensor, SensorScope } from './sensors/types.ts';

/** Makes the enforcer of this machine; tries out what it can promise, which takes some ten milliseconds. */
export function createEnforcer(parts: {
  core: CoreAddon | undefined;
  sensor: Sensor;
  scope: SensorScope;
  dataDir: string;
}): GuardianEnforcer {
  const { core, sensor, scope, dataDir } = parts;
  const { kernel } = sensor;
  if (core === undefined || kernel === undefined) {
    const reason = `the ${sensor.tier} sensor has no kernel side to enforce with`;
    return new GuardianEnforcer({ core, guardian: undefined, reach: noKernelReach(reason) });
  }
  const guardian = new KernelGuardian(kernel.addon, kernel.handle, core.protectedExecutables());
  const lsm = sensor.status().hooks.find(({ name }) => name === 'lsm/bprm_check_security');
  const reach = tryKernelReach({
    core,
    guardian,
    directory: dataDir,
    cgroupProcs:
      scope.kind === 'host' ? '' : scope.kind === 'cgroup' ? join(scope.path, 'cgroup.procs') : undefined,
    whyNoLsm: lsm?.detail ?? 'the kernel has no such hook',
    whyNoOpens: 'files are not guarded in this version',
  });
  return new GuardianEnforcer({ core, guardian, reach });
}

/** The security event of somebody else's hand on the kernel's side. */
export function tamperEvent(trouble: KernelTrouble, nowNs: bigint): SentinelEvent {
  return {
    eventId: 0,
    type: 'health',
    action: 'enforcement_tampered',
    lane: 'security',
    tsNs: nowNs,
    severity: 'critical',
    message: trouble.detail,
    details: { kind: trouble.kind },
  };
}
