/**
 * Both guardians behind one face: what the policy engine and the pipeline see of enforcement.
 *
 * The agent guardian ends processes through a descriptor of the process, once it is sure that it is the one the event
 * was about; who is protected is looked up natively at that moment. It acts on a process at most once.
 */
import type { CoreAddon } from '../../native-addon/index.ts';
import { entityId, type FileIdentity, type Hashes, type SentinelEvent } from '../event.ts';
import {
  type Action,
  type CutProcess,
  type Decision,
  type Effect,
  type Enforcer,
  type FrozenCgroup,
  type Guardian,
  type KernelAct,
  type KernelSets,
  type Mechanism,
  NO_KERNEL_SETS,
  type Reach,
} from '../policy/types.ts';
import type { GuardedAct } from '../../native-addon/index.ts';
import type { CgroupFreezer } from './cgroup-freezer.ts';
import type { NetworkCutter } from './network-cutter.ts';
import { ConsoleHosts } from './console-host.ts';
import { attempted } from './attempted.ts';
import type { KernelGuardian, KernelTrouble } from './kernel-guardian.ts';
import type { ContentLook, OpenGuard } from './open-guard.ts';
import { runningProcesses } from './running.ts';
import { type KernelReach, reachOf, TRIAL_HANDLE } from './reach.ts';

/** Processes acted on that are remembered; the oldest is forgotten first, and counted. */
const MAX_ACTED = 1024;

/** Who is protected is looked up this often, which reads all of /proc; without a policy, the hooks this often. */
const PROTECT_TICKS = 5;
const IDLE_TICKS = 5;
const HAND_OVER_TICKS = 3;

const GUARANTEES: Readonly<Record<string, Effect['guarantee']>> = {
  lsm_deny: 'prevented',
  cgroup_deny: 'prevented',
  fanotify_deny: 'prevented',
  exec_sigkill: 'killed before its first instruction',
  pidfd_sigkill: 'killed after start',
};

/** Why the kernel matched and did nothing, by the outcome in its record. */
const INACTION: Readonly<Record<string, string>> = {
  protected_process: 'protected: the process',
  protected_executable: 'protected: the executable',
  agent_silent: 'the agent was silent and the policy fails open',
  not_delivered: 'the kernel refused the signal',
  late_passed: 'not judged in time, and the policy fails open',
};

/** What was refused without a look at who asked. */
const UNJUDGED: Readonly<Record<string, string>> = {
  late_refused: 'not judged in time, and the policy fails closed',
};

export interface EnforcerParts {
  core: Pick<CoreAddon, 'actOnProcess' | 'protectProcess'> | undefined;
  /** Absent without a kernel side. */
  guardian: KernelGuardian | undefined;
  /** Absent where the kernel has no fanotify permission events. */
  opens: OpenGuard | undefined;
  reach: KernelReach;
  /** Absent, with the reason, where control groups cannot be frozen. */
  freezer?: CgroupFreezer | undefined;
  whyNoFreeze?: string | undefined;
  /** Absent without a kernel side. */
  cutter?: NetworkCutter | undefined;
  /** Shows the files whose hashes are known: a policy on a hash is also about those. */
  known?: (visit: (identity: FileIdentity, hashes: Hashes) => void) => void;
  /** Whether a process is one of those watched. */
  inScope: (pid: number) => boolean;
  nowNs: () => bigint;
  /** What was done in user space for a policy of the kernel's, as an event. */
  onAct: (event: SentinelEvent) => void;
  /** Ends the hooks that outlived the agent before this one, for policies that fail closed. */
  endFormer?: () => void;
}

/** What the guardians are doing, for health. */
export interface EnforcementStatus {
  generation: number;
  policies: number;
  reach: { action: Action; guardian: Guardian; reach: Reach }[];
  /** Since the start: matches in the kernel; what the agent guardian did, could not do, and left alone. */
  kernelActs: number;
  agentActs: { applied: number; failed: number; spared: number };
  /** Refusals of opens that were too many at once to be told one by one. */
  opensUntold: number;
  /** Opens of guarded files that were not judged in time, and answered as their policy fails. */
  opensLate: number;
  /** Versions of denied files in the kernel, and those that had to make room for others. */
  versions: number;
  versionsEvicted: number;
  /** Since the sign of life that the kernel last saw; absent while nothing needs one. */
  heartbeatAgeMs?: number;
  frozen: readonly FrozenCgroup[];
  cut: readonly CutProcess[];
  /** Children of processes that are cut off for whom the kernel had no room: they are not. */
  cutsLost: number;
  troubles: readonly KernelTrouble[];
}

export class GuardianEnforcer implements Enforcer {
  readonly #parts: EnforcerParts;
  /** By entity id: what was done to a process. */
  readonly #acted = new Map<string, Effect>();
  #sets: KernelSets = NO_KERNEL_SETS;
  #agentPolicies = 0;
  #counts = { applied: 0, failed: 0, spared: 0 };
  #troubles: readonly KernelTrouble[] = [];
  #ticks = 0;
  readonly #consoles: ConsoleHosts | undefined;

  constructor(parts: EnforcerParts) {
    this.#parts = parts;
    this.#consoles = parts.core && new ConsoleHosts(parts.core);
  }

  reach(action: Action, guardian: Guardian): Reach {
    const { reach, core, freezer, whyNoFreeze } = this.#parts;
    const cannot = freezer === undefined ? (whyNoFreeze ?? 'containers cannot be frozen here') : undefined;
    return reachOf(reach, action, guardian, core !== undefined, cannot);
  }

  apply(sets: KernelSets): { refused: readonly { handle: number; reason: string }[] } {
    this.#sets = sets;
    const { guardian, opens, reach } = this.#parts;
    const cutMs = new Map((sets.cuts ?? []).map(({ policy, minutes }) => [policy.handle, minutes * 60_000]));
    const cutRefused = this.#parts.cutter?.apply(sets.cuts ?? []) ?? [];
    const refused =
      opens?.apply(sets.opens, cutMs) ??
      sets.opens.map(({ policy }) => ({ handle: policy.handle, reason: reach.deny_open.reason }));
    if (guardian !== undefined) refused.push(...guardian.apply(sets, this.#agentPolicies > 0).refused);
    else refused.push(...refuseAll(sets, reach.deny_exec.reason));
    refused.push(...cutRefused);
    if (sets.executables.some(({ by }) => by === 'sha256' || by === 'blake3'))
      this.#parts.known?.((identity, hashes) => this.learned(identity, hashes));
    return { refused };
  }

  /** Who looks into files that may only be opened without protected data in them. */
  useLook(look: ContentLook): void {
    this.#parts.opens?.useLook(look);
  }

  /** Who hears that the reader of a guarded file was cut off from the network. */
  useCut(heard: (act: GuardedAct) => void): void {
    const { opens, cutter } = this.#parts;
    if (cutter !== undefined) opens?.useCut(cutter.map, heard);
  }

  /** What is looked for in files has changed. */
  forgetLooks(): void {
    this.#parts.opens?.forget();
  }

  /** Ends what holds the kernel's attention; before the sensor stops. */
  close(): void {
    this.#parts.opens?.close();
    this.#parts.freezer?.close();
  }

  /** This process shows the console: no policy ends its program. */
  protectConsole(pid: number): void {
    this.#consoles?.add(pid);
    if (this.#parts.guardian?.armed) this.#parts.guardian.beat(true);
  }

  frozen(): readonly FrozenCgroup[] {
    return this.#parts.freezer?.frozen ?? [];
  }

  thaw(cgroup?: string): readonly FrozenCgroup[] {
    return this.#parts.freezer?.thaw((each) => cgroup === undefined || each.cgroup === cgroup) ?? [];
  }

  cutOff(): readonly CutProcess[] {
    return this.#parts.cutter?.list() ?? [];
  }

  release(pid?: number): readonly CutProcess[] {
    return this.#parts.cutter?.release(pid) ?? [];
  }

  /** How many blocking policies the agent guardian serves: while there are any, records that gate a verdict are urgent. */
  serve(agentPolicies: number): void {
    if (agentPolicies === this.#agentPolicies) return;
    this.#agentPolicies = agentPolicies;
    this.apply(this.#sets);
  }

  act(decision: Decision, event: SentinelEvent): Effect {
    const { core } = this.#parts;
    const { process } = event;
    const reach = this.reach(decision.action, 'agent');
    const mechanism = reach.mechanism;
    if (decision.wouldBe || mechanism === 'none')
      return effect('none', mechanism, reach.guarantee, reach.reason);
    if (core === undefined || process === undefined || process.startNs === 0n)
      return this.#count(effect('failed', mechanism, reach.guarantee, 'the event names no process'));
    if (decision.action === 'cut_network') {
      const error = this.#parts.cutter?.cut(event, decision.policyHash) ?? reach.reason;
      return this.#count(effect(stateOf(error), mechanism, reach.guarantee, error));
    }
    const id = entityId(process);
    const known = this.#acted.get(id);
    if (known !== undefined) return known;
    const error =
      decision.action === 'freeze'
        ? (this.#parts.freezer?.freeze(process, decision, decision.failMode ?? 'open') ?? reach.reason)
        : core.actOnProcess(process.pid, process.startNs, 'kill');
    const done = effect(stateOf(error), mechanism, reach.guarantee, error);
    // What is thawed may be frozen again.
    if (decision.action !== 'freeze') this.#acted.set(id, done);
    if (this.#acted.size > MAX_ACTED) this.#acted.delete(this.#acted.keys().next().value as string);
    return this.#count(done);
  }

  /** What the kernel did, by its record; undefined for an event that is none, and for the agent's own trial. */
  kernelAct(event: SentinelEvent): KernelAct | undefined {
    const { action, details } = event;
    const isCut = event.type === 'dlp' && action === 'read';
    if (!(isCut || action.startsWith('deny_')) || details?.['policyHandle'] === undefined) return undefined;
    const handle = Number(details['policyHandle']);
    if (handle === TRIAL_HANDLE) return undefined;
    const mechanism = (details['mechanism'] ?? 'none') as Mechanism;
    const outcome = details['outcome'] ?? '';
    if (isCut) {
      return { handle, attempted: event, effect: this.#guardCut(event, handle) };
    }
    const inaction = INACTION[outcome];
    const state = inaction === undefined ? 'applied' : outcome === 'not_delivered' ? 'failed' : 'none';
    const inode = details['inode'] === undefined ? undefined : BigInt(details['inode']);
    const read = this.#readBehind(event, handle);
    const hashes = inode === undefined ? undefined : this.#parts.guardian?.contentOf(inode, handle);
    return {
      handle,
      attempted: read === undefined ? attempted(event, hashes) : connectedAfter(read, event),
      ...(read !== undefined && { evidence: [`event:${read.eventId}`] }),
      effect: effect(
        state,
        mechanism,
        GUARANTEES[mechanism] ?? 'alert only',
        inaction ?? UNJUDGED[outcome] ?? '',
      ),
    };
  }

  /** What was read by who was refused a connection for it; the read may be known only to the guard yet. */
  #readBehind(event: SentinelEvent, handle: number): SentinelEvent | undefined {
    const { cutter, opens } = this.#parts;
    if (cutter?.policies.has(handle) !== true) return undefined;
    const known = cutter.readBehind(event);
    if (known !== undefined) return known;
    opens?.catchUp();
    return cutter.readBehind(event);
  }

  /** What came of an open whose process was to be cut off first. */
  #guardCut(event: SentinelEvent, handle: number): Effect {
    const { outcome = '', error = '' } = event.details ?? {};
    if (outcome === 'late_refused')
      return effect('applied', 'fanotify_deny', 'prevented', UNJUDGED[outcome] ?? '');
    if (outcome === 'cut') this.#parts.cutter?.note(event, handle);
    const why = error === '' ? (INACTION[outcome] ?? '') : error;
    return effect(stateOf(why), 'cgroup_cut', 'cut off before it could read', why);
  }

  /**
   * A file's hashes became known. If it is denied, the kernel knows it from now on, and what already runs it is ended:
   * the first run of a copy nobody had read yet.
   */
  learned(identity: FileIdentity, hashes: Hashes): void {
    const { guardian, core, inScope, nowNs, onAct } = this.#parts;
    const policy = guardian?.learned(identity, hashes);
    if (policy === undefined || core === undefined) return;
    for (const process of runningProcesses(identity)) {
      if (!inScope(process.pid)) continue;
      const error = core.actOnProcess(process.pid, process.startNs, 'kill');
      if (error !== '' && !error.startsWith('protected')) continue;
      onAct({
        eventId: 0,
        type: 'process',
        action: 'deny_exec',
        lane: 'security',
        tsNs: nowNs(),
        severity: 'info',
        process: { ...process, name: '' },
        details: {
          policyHandle: String(policy.handle),
          inode: String(identity.inode),
          mechanism: 'pidfd_sigkill',
          outcome: error === '' ? 'applied' : 'protected_process',
        },
      });
    }
  }

  /** Signs of life, and a look at the kernel's side; to be called every second. Returns trouble that is new. */
  tick(): readonly KernelTrouble[] {
    const { guardian } = this.#parts;
    this.#ticks += 1;
    // Once the sets of this agent are in force; until then the former hooks enforced.
    if (this.#ticks === HAND_OVER_TICKS) this.#parts.endFormer?.();
    if (this.#sets.opens.length > 0 && this.#ticks % PROTECT_TICKS === 0) this.#parts.opens?.refresh();
    if (this.#ticks % PROTECT_TICKS === 0 && (guardian?.armed === true || this.#agentPolicies > 0))
      this.#consoles?.refresh();
    if (guardian === undefined) return [];
    if (guardian.armed) guardian.beat(this.#ticks % PROTECT_TICKS === 0);
    else if (this.#ticks % IDLE_TICKS !== 0) return [];
    const found = guardian.check();
    const before = new Set(this.#troubles.map(({ detail }) => detail));
    const fresh = found.filter(({ detail }) => !before.has(detail));
    // A detached hook stays away; a map was repaired, and what was done to it stays to be read until the next start.
    const kept = this.#troubles.filter(({ kind }) => kind === 'map_changed').slice(-20);
    this.#troubles = [
      ...found,
      ...kept.filter(({ detail }) => !found.some((each) => each.detail === detail)),
    ];
    return fresh;
  }

  status(): EnforcementStatus {
    const rows = (
      ['deny_exec', 'deny_connect', 'deny_open', 'kill', 'freeze', 'cut_network'] as const
    ).flatMap((action) =>
      (['kernel', 'agent'] as const).map((guardian) => ({
        action,
        guardian,
        reach: this.reach(action, guardian),
      })),
    );
    const { executables, destinations, opens, generation } = this.#sets;
    const { guardian } = this.#parts;
    const handles = [...executables, ...destinations, ...opens, ...(this.#sets.cuts ?? [])].map(
      ({ policy }) => policy.handle,
    );
    return {
      generation,
      policies: new Set(handles).size + this.#agentPolicies,
      reach: rows,
      kernelActs: guardian?.acts ?? 0,
      agentActs: { ...this.#counts },
      opensUntold: this.#parts.opens?.dropped ?? 0,
      opensLate: this.#parts.opens?.late ?? 0,
      versions: guardian?.versions ?? 0,
      versionsEvicted: guardian?.evictedVersions ?? 0,
      ...(guardian?.armed === true ? { heartbeatAgeMs: guardian.heartbeatAgeMs } : {}),
      frozen: this.frozen(),
      cut: this.cutOff(),
      cutsLost: this.#parts.cutter?.lost ?? 0,
      troubles: this.#troubles,
    };
  }

  #count(done: Effect): Effect {
    if (done.state === 'applied') this.#counts.applied += 1;
    else if (done.state === 'failed') this.#counts.failed += 1;
    else this.#counts.spared += 1;
    return done;
  }
}

function effect(
  state: Effect['state'],
  mechanism: Mechanism,
  guarantee: Effect['guarantee'],
  error: string,
): Effect {
  return error === '' ? { state, mechanism, guarantee } : { state, mechanism, guarantee, error };
}

/** What a policy that cuts readers off decided on: the read, by who tried to connect. */
function connectedAfter(read: SentinelEvent, event: SentinelEvent): SentinelEvent {
  const { eventId, tsNs, process, parent, ancestry, network } = event;
  return { ...read, eventId, tsNs, process, parent, ancestry, network };
}

/** Of an act that gave this error; '' for none. */
function stateOf(error: string): Effect['state'] {
  return error === '' ? 'applied' : error.startsWith('protected') ? 'none' : 'failed';
}

function refuseAll(sets: KernelSets, reason: string): { handle: number; reason: string }[] {
  const handles = [...sets.executables, ...sets.destinations].map(({ policy }) => policy.handle);
  return [...new Set(handles)].map((handle) => ({ handle, reason }));
}
