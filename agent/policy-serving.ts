/** Puts in force what the states say: which guardian serves which policy, and the sets that the kernel gets. */
import { needsApprovals, type PolicyEngine, type ServedPolicy } from './policy/engine.ts';
import type { VersionState } from './policy/lifecycle-state.ts';
import type { LoadedPolicy } from './policy/parse.ts';
import { reduce, type Reduction } from './policy/reduce.ts';
import {
  NO_KERNEL_SETS,
  type Enforcer,
  type KernelCut,
  type KernelPolicyRef,
  type KernelSets,
  type PolicyReach,
} from './policy/types.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

export class PolicyServing {
  readonly #enforcer: Enforcer;
  readonly #engine: PolicyEngine;
  #reach = new Map<string, PolicyReach>();
  #sets: KernelSets = NO_KERNEL_SETS;

  constructor(enforcer: Enforcer, engine: PolicyEngine) {
    this.#enforcer = enforcer;
    this.#engine = engine;
  }

  /** Serves the versions that are neither drafts nor deprecated. `onRefused` hears what the kernel would not take. */
  apply(
    versions: readonly VersionState[],
    textOf: (hash: string) => LoadedPolicy | undefined,
    onRefused: (id: string, reason: string) => void,
  ): void {
    const served: ServedPolicy[] = [];
    const cuts: KernelCut[] = [];
    const sets = { executables: [], destinations: [], opens: [], cuts } as unknown as Mutable<KernelSets>;
    this.#reach = new Map();
    let handle = 0;
    for (const { hash, state } of versions) {
      if (state === 'draft' || state === 'deprecated') continue;
      const loaded = textOf(hash);
      if (!loaded) continue;
      const reach = this.reachOf(loaded);
      const mayAct = state === 'active' || (state === 'canary' && !needsApprovals(loaded.policy.severity));
      const inKernel = state === 'active' && reach.guardian === 'kernel';
      const { cut } = loaded.policy;
      handle += inKernel ? 1 : 0;
      const ownHandle = cut !== undefined && mayAct ? cutHandle(hash) : inKernel ? handle : 0;
      if (cut !== undefined && mayAct) cuts.push({ policy: refOf(ownHandle, loaded), ...cut });
      if (inKernel) addTo(sets, refOf(ownHandle, loaded), reduced(loaded));
      served.push({
        loaded,
        state,
        mayAct,
        guardian: inKernel ? 'kernel' : 'agent',
        handle: ownHandle,
      });
    }
    sets.generation = this.#sets.generation + 1;
    const { refused } = this.#enforcer.apply(sets);
    this.#sets = sets;
    for (const { handle: refusedHandle, reason } of refused) {
      const policy = served.find((each) => each.handle === refusedHandle);
      if (!policy) continue;
      policy.guardian = 'agent';
      const { id, hash, action } = policy.loaded.policy;
      this.#reach.set(hash, { guardian: 'agent', ...this.#enforcer.reach(action, 'agent'), reason });
      onRefused(id, reason);
    }
    this.#engine.use(served);
    const acting = served.filter(
      ({ mayAct, guardian, loaded }) => mayAct && guardian === 'agent' && loaded.policy.action !== 'alert',
    );
    this.#enforcer.serve?.(acting.length);
  }

  /** Who decides a policy and what that comes to here. */
  reachOf(loaded: LoadedPolicy): PolicyReach {
    const { hash } = loaded.policy;
    const known = this.#reach.get(hash);
    if (known) return known;
    const reach = this.reachOfDraft(loaded);
    this.#reach.set(hash, reach);
    return reach;
  }

  /** As `reachOf`, for a text that is not kept. */
  reachOfDraft(loaded: LoadedPolicy): PolicyReach {
    const { action, scope } = loaded.policy;
    const reduction = reduced(loaded);
    let reason = reduction.ok ? '' : reduction.reason;
    if (scope.users.length + scope.containers.length > 0) reason ||= 'the kernel does not look at its scope';
    if (loaded.exceptions.length > 0) reason ||= 'the kernel does not look at its exceptions';
    const reach: PolicyReach = { guardian: 'kernel', ...this.#enforcer.reach(action, 'kernel') };
    if (reason === '' && reach.mechanism !== 'none') return reach;
    const byAgent = this.#enforcer.reach(action, 'agent');
    return { guardian: 'agent', ...byAgent, reason: reason || reach.reason || byAgent.reason };
  }
}

const reductions = new WeakMap<LoadedPolicy, Reduction>();

function reduced(loaded: LoadedPolicy): Reduction {
  let found = reductions.get(loaded);
  if (!found)
    reductions.set(loaded, (found = reduce(loaded.when.root, loaded.when.text, loaded.policy.action)));
  return found;
}

/** Who was cut off stays so while other policies come and go: this handle depends on nothing but the text. */
function cutHandle(hash: string): number {
  return (0x8000_0000 | (Number.parseInt(hash.slice(0, 8), 16) & 0x7fff_fffe)) >>> 0;
}

function refOf(handle: number, { policy }: LoadedPolicy): KernelPolicyRef {
  const { id, version, hash, failMode } = policy;
  return { handle, policyId: id, policyVersion: version, policyHash: hash, failMode };
}

function addTo(sets: Mutable<KernelSets>, policy: KernelPolicyRef, reduction: Reduction): void {
  if (!reduction.ok) return;
  sets.executables.push(...reduction.sets.executables.map((entry) => ({ policy, ...entry })));
  sets.destinations.push(...reduction.sets.destinations.map((entry) => ({ policy, ...entry })));
  sets.opens.push(...reduction.sets.opens.map((entry) => ({ policy, ...entry })));
}
