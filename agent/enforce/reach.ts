/**
 * What this machine can promise, found out by trying: at start a program of the agent's own is denied and run, and a
 * connection of its own is denied and attempted. Nothing else can be touched: the entries name that program and come
 * from one child, and are gone before the agent watches anything.
 */
import { copyFileSync, existsSync, mkdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CoreAddon } from '../../native-addon/index.ts';
import {
  type Action,
  type Guardian,
  type KernelPolicyRef,
  NO_KERNEL_SETS,
  type Reach,
} from '../policy/types.ts';
import type { KernelGuardian } from './kernel-guardian.ts';

/** Names the agent's own trial in the kernel's records; no policy has it. */
export const TRIAL_HANDLE = 0xffffffff;

const TRIAL: KernelPolicyRef = {
  handle: TRIAL_HANDLE,
  policyId: 'sentinel-trial',
  policyVersion: 1,
  policyHash: '',
  failMode: 'open',
};
const NOTHING: Reach = { mechanism: 'none', guarantee: 'alert only', reason: '' };

/** What the kernel guardian comes to, by action. */
export type KernelReach = Readonly<Record<Action, Reach>>;

/** Which child may try: one that is in the sensor's scope. */
export interface Trial {
  core: Pick<CoreAddon, 'tryOut'>;
  guardian: KernelGuardian;
  /** A folder of the agent's. */
  directory: string;
  /** cgroup.procs of the scope; '' when the whole host is watched, undefined when no child can be in scope. */
  cgroupProcs: string | undefined;
  /** Why the kernel does not refuse executions itself. */
  whyNoLsm: string;
  /** Why there is no deny_open; undefined when there is. */
  whyNoOpens: string | undefined;
}

function none(reason: string): Reach {
  return { ...NOTHING, reason };
}

/** Of a machine or sensor without a kernel side. */
export function noKernelReach(reason: string): KernelReach {
  const all = none(reason);
  return {
    deny_exec: all,
    deny_connect: all,
    deny_open: all,
    kill: all,
    freeze: all,
    quarantine: all,
    cut_network: all,
    alert: none('an alert does nothing'),
  };
}

/** Tries what can be tried. Never throws: what fails is not promised. */
export function tryKernelReach(trial: Trial): KernelReach {
  const { whyNoOpens } = trial;
  const deny_connect = guarded(() => tryConnect(trial));
  return {
    deny_exec: guarded(() => tryExec(trial)),
    deny_connect,
    cut_network: cutReach(deny_connect, whyNoOpens),
    deny_open: openReach(whyNoOpens),
    kill: none('the kernel side refuses; it does not end what already runs'),
    freeze: none('the kernel side refuses; it does not stop what already runs'),
    quarantine: none('a file is looked at in user space'),
    alert: none('an alert does nothing'),
  };
}

/** Of deny_open: `whyNot` is undefined where the kernel lets the agent answer. */
export function openReach(whyNot: string | undefined): Reach {
  return whyNot === undefined
    ? {
        mechanism: 'fanotify_deny',
        guarantee: 'prevented',
        reason: 'while the agent runs; when it is killed everybody passes, whatever failMode says',
      }
    : none(whyNot);
}

/** Of cut_network for files in folders that are guarded: who opens one waits until it is cut off. */
function cutReach(connect: Reach, whyNoOpens: string | undefined): Reach {
  if (connect.mechanism !== 'cgroup_deny') return none(`connections cannot be refused: ${connect.reason}`);
  if (whyNoOpens !== undefined) return none(whyNoOpens);
  return {
    mechanism: 'cgroup_cut',
    guarantee: 'cut off before it could read',
    reason:
      'connections that were open before stay open; when the agent is killed nobody is cut off any more',
  };
}

function guarded(attempt: () => Reach): Reach {
  try {
    return attempt();
  } catch (error) {
    return none(`the trial did not work: ${(error as Error).message}`);
  }
}

function tryExec({ core, guardian, directory, cgroupProcs, whyNoLsm }: Trial): Reach {
  if (cgroupProcs === undefined) return none('no process of the agent can be in the scope that it watches');
  const folder = join(realpathSync(directory), 'trial');
  const program = join(folder, 'denied-program');
  const marker = join(folder, 'it-ran');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  try {
    copyFileSync('/bin/sh', program);
    if (core.tryOut(cgroupProcs, 'exec', program, marker) !== 'ran' || !existsSync(marker))
      return none(`programs cannot be run in ${directory}, so nothing could be tried`);
    rmSync(marker);
    guardian.apply(
      { ...NO_KERNEL_SETS, executables: [{ policy: TRIAL, by: 'path', value: program }] },
      false,
    );
    const outcome = core.tryOut(cgroupProcs, 'exec', program, marker);
    if (existsSync(marker) || outcome === 'ran') return none('a denied program ran in the trial');
    if (outcome === 'refused') return { mechanism: 'lsm_deny', guarantee: 'prevented', reason: '' };
    if (outcome === 'killed')
      return {
        mechanism: 'exec_sigkill',
        guarantee: 'killed before its first instruction',
        reason: whyNoLsm,
      };
    return none('the trial did not work');
  } finally {
    guardian.apply(NO_KERNEL_SETS, false);
    rmSync(folder, { recursive: true, force: true });
  }
}

function tryConnect({ core, guardian, cgroupProcs }: Trial): Reach {
  if (cgroupProcs === undefined) return none('no process of the agent can be in the scope that it watches');
  try {
    if (core.tryOut(cgroupProcs, 'connect', '', '') !== 'ran') return none('the trial did not work');
    const ports = [{ from: 9, to: 9 }];
    guardian.apply(
      { ...NO_KERNEL_SETS, destinations: [{ policy: TRIAL, cidr: '127.0.0.1/32', ports, protocol: 'udp' }] },
      false,
    );
    if (core.tryOut(cgroupProcs, 'connect', '', '') === 'refused')
      return { mechanism: 'cgroup_deny', guarantee: 'prevented', reason: '' };
    return none('a denied connection was made in the trial');
  } finally {
    guardian.apply(NO_KERNEL_SETS, false);
  }
}

/** What the agent guardian comes to: it hears of things once they began. */
export function agentReach(
  action: Action,
  canKill: boolean,
  whyNoFreeze: string | undefined,
  whyNoCut: string | undefined,
): Reach {
  if (action === 'alert') return none('an alert does nothing');
  if (action === 'quarantine')
    return {
      mechanism: 'quarantine_move',
      guarantee: 'moved away after it was written',
      reason: 'a file is looked at once it was written',
    };
  if (action === 'freeze')
    return whyNoFreeze === undefined
      ? {
          mechanism: 'cgroup_freeze',
          guarantee: 'frozen after start',
          reason: 'the condition is decided in user space, after the fact',
        }
      : none(whyNoFreeze);
  if (action === 'cut_network')
    return whyNoCut === undefined
      ? {
          mechanism: 'cgroup_cut',
          guarantee: 'cut off soon after the read',
          reason: 'the condition is decided in user space, after the open',
        }
      : none(whyNoCut);
  if (!canKill) return none('this build cannot signal processes');
  return {
    mechanism: 'pidfd_sigkill',
    guarantee: 'killed after start',
    reason: 'the condition is decided in user space, after the fact',
  };
}

/** Of an action, by who serves it. */
export function reachOf(
  kernel: KernelReach,
  action: Action,
  guardian: Guardian,
  canKill: boolean,
  whyNoFreeze: string | undefined,
): Reach {
  const { deny_connect: connect } = kernel;
  const whyNoCut =
    connect.mechanism === 'cgroup_deny' ? undefined : `connections cannot be refused: ${connect.reason}`;
  return guardian === 'kernel' ? kernel[action] : agentReach(action, canKill, whyNoFreeze, whyNoCut);
}
