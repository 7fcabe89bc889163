/** Joins the guardians to the sensor, the log and health. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CoreAddon } from '../native-addon/index.ts';
import { CgroupFreezer, whyNoFreezer } from './enforce/cgroup-freezer.ts';
import { GuardianEnforcer } from './enforce/enforcer.ts';
import { endFormerHolders } from './enforce/former-hooks.ts';
import { KernelGuardian, type KernelTrouble } from './enforce/kernel-guardian.ts';
import { NetworkCutter } from './enforce/network-cutter.ts';
import { OpenGuard } from './enforce/open-guard.ts';
import { noKernelReach, openReach, tryKernelReach } from './enforce/reach.ts';
import { inCgroup } from './enforce/running.ts';
import type { FileIdentity, Hashes, SentinelEvent } from './event.ts';
import { bootNowNs } from './sensors/boot-clock.ts';
import { containerIdOfCgroup, findCgroup2 } from './sensors/containers.ts';
import type { Sensor, SensorScope } from './sensors/types.ts';

/** Makes the enforcer of this machine; tries out what it can promise, which takes some ten milliseconds. */
export function createEnforcer(parts: {
  core: CoreAddon | undefined;
  sensor: Sensor;
  scope: SensorScope;
  dataDir: string;
  nowNs: () => bigint;
  /** Shows the files whose hashes are known. */
  known?: (visit: (identity: FileIdentity, hashes: Hashes) => void) => void;
  /** What is refused in user space, as an event for the log. */
  onAct: (event: SentinelEvent) => void;
}): GuardianEnforcer {
  const { core, sensor, scope, dataDir } = parts;
  const { kernel } = sensor;
  const { known, nowNs, onAct } = parts;
  const inScope = (pid: number): boolean =>
    scope.kind === 'host' || (scope.kind === 'cgroup' && inCgroup(pid, cgroupName(scope.path)));
  const mount = findCgroup2();
  const whyNoFreeze = core === undefined ? 'the core addon did not load' : whyNoFreezer(mount);
  const freezer =
    whyNoFreeze === undefined && core !== undefined && mount !== undefined
      ? new CgroupFreezer({
          mount,
          stateFile: join(dataDir, 'policy-state', 'frozen.json'),
          containerOf: containerIdOfCgroup,
          protectedReason: (pid) => core.protectedReason(pid),
          nowMs: Date.now,
          onFrozen: (files) => kernel?.addon.policyFrozen(kernel.handle, [...files]),
        })
      : undefined;
  const common = { core, known, inScope, nowNs, onAct, freezer, whyNoFreeze };
  const { opens, whyNoOpens } = openGuard(parts);
  if (core === undefined || kernel === undefined) {
    const reason = `the ${sensor.tier} sensor has no kernel side to enforce with`;
    const reach = { ...noKernelReach(reason), deny_open: openReach(whyNoOpens) };
    return new GuardianEnforcer({ ...common, guardian: undefined, opens, reach });
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
    whyNoOpens,
  });
  guardian.trialEnded();
  return new GuardianEnforcer({
    ...common,
    guardian,
    cutter: new NetworkCutter({ ...kernel, nowMs: Date.now, bootNowNs }),
    opens,
    reach,
    endFormer: () => void endFormerHolders(core, dataDir, kernel.addon.policyCheck(kernel.handle).keeperPid),
  });
}

function openGuard(parts: Parameters<typeof createEnforcer>[0]): {
  opens?: OpenGuard;
  whyNoOpens: string | undefined;
} {
  const { core, scope, nowNs, onAct } = parts;
  if (core === undefined) return { whyNoOpens: 'the core addon did not load' };
  if (scope.kind === 'pid') return { whyNoOpens: 'files are guarded for the host or a cgroup only' };
  try {
    const cgroup = scope.kind === 'cgroup' ? cgroupName(scope.path) : '';
    return { opens: new OpenGuard(core, cgroup, nowNs, onAct), whyNoOpens: undefined };
  } catch (error) {
    return { whyNoOpens: (error as Error).message };
  }
}

/** A cgroup as /proc/PID/cgroup names it: below the mount of the hierarchy. */
function cgroupName(path: string): string {
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, directory = '', type] = line.split(' ');
    if (type === 'cgroup2' && path.startsWith(`${directory}/`))
      return path.slice(directory.length).replace(/\/$/, '');
  }
  return path;
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
