/**
 * The policies of one data folder: texts, states and what is in force of them. Everything that may change a state comes
 * through here, whether over the Local API, from a command without an agent, or by time.
 */
import type { PolicyOverview, PolicyPendingJson, PolicyStep, PolicyVersionJson } from './api/contract.ts';
import { describeError } from './errors.ts';
import type { Identity } from './identity/identity.ts';
import { approverKeyId, REQUIRED_APPROVALS, type Approval, type Approver } from './policy/approval.ts';
import type { CanaryRules } from './policy/canary.ts';
import { needsApprovals, PolicyEngine, type ServedPolicy } from './policy/engine.ts';
import { hashText } from './policy/hash.ts';
import { Lifecycle, PolicyRefusedError, type LifecycleClock } from './policy/lifecycle.ts';
import type { Signed, VersionState } from './policy/lifecycle-state.ts';
import { parsePolicies, type LoadedPolicy } from './policy/parse.ts';
import { reduce, type Reduction } from './policy/reduce.ts';
import {
  NO_KERNEL_SETS,
  type Enforcer,
  type KernelPolicyRef,
  type KernelSets,
  type PolicyReach,
} from './policy/types.ts';
import { loadAllPolicies, type PolicyTexts } from './policy-files.ts';
import { policyCompiler } from './policy-compiler.ts';
import { PolicyStore } from './policy-store.ts';

export interface PolicyServiceParts {
  dataDir: string;
  identity: Identity;
  rules: CanaryRules;
  enforcer: Enforcer;
  clock: LifecycleClock;
  /** What is looked at changed: decode accordingly. */
  onChange?: () => void;
  /** A state changed, or did not, by itself: for the log. */
  onNotice?: (notice: string) => void;
}

const OVERLAP_MS = 7 * 86_400_000;
const MAX_NOTICES = 100;
/** Between saves of what only time changes: canaries, and the clock while approvals are collected. */
const SAVE_MS = 600_000;
const MAX_APPROVERS = 100;

/** The rules of canaries as the settings have them. */
export function canaryRules(settings: {
  'policy.windowMinutes': number;
  'policy.stableMinutes': number;
  'policy.falsePositivePercent': number;
}): CanaryRules {
  return {
    windowMs: settings['policy.windowMinutes'] * 60_000,
    stableMs: settings['policy.stableMinutes'] * 60_000,
    falsePositivePercent: settings['policy.falsePositivePercent'],
  };
}

export class PolicyService {
  readonly compile = policyCompiler();
  readonly engine: PolicyEngine;
  readonly #parts: PolicyServiceParts;
  readonly #store: PolicyStore;
  readonly #life: Lifecycle;
  #texts: PolicyTexts = { policies: [], problems: [], warnings: [] };
  /** Every text that is known, by hash: of files and of versions in force. */
  #loaded = new Map<string, LoadedPolicy>();
  #reach = new Map<string, PolicyReach>();
  #notices: string[] = [];
  #sets: KernelSets = NO_KERNEL_SETS;
  #savedCounter = -1;
  #savedMs = 0;

  constructor(parts: PolicyServiceParts) {
    this.#parts = parts;
    this.#store = new PolicyStore(parts.dataDir, parts.identity);
    const { state, problem } = this.#store.load();
    this.#savedCounter = problem === undefined ? state.counter : -1;
    this.#life = new Lifecycle(state, parts.rules, parts.clock);
    this.engine = new PolicyEngine({
      compile: this.compile,
      nowMs: () => this.#life.nowMs(),
      deviceId: parts.identity.deviceId,
    });
    if (problem !== undefined) this.#notice(problem);
    this.reload();
  }

  /** Reads the files again. */
  reload(): void {
    this.#texts = loadAllPolicies(this.#parts.dataDir, this.compile);
    const loaded = new Map<string, LoadedPolicy>();
    const kept: LoadedPolicy[] = [];
    for (const { hash, state } of this.#life.state.versions) {
      if (state === 'draft') continue;
      const text = this.#store.keptText(hash);
      const found = text && parsePolicies(text.file, text.text, this.compile).policies[0];
      if (found?.policy.hash === hash) kept.push(found);
    }
    for (const each of [...kept, ...this.#texts.policies]) loaded.set(each.policy.hash, each);
    this.#loaded = loaded;
    const notices = this.#life.sync(
      this.#texts.policies.map(({ policy }) => policy),
      kept.map(({ policy }) => policy),
    );
    for (const notice of notices) this.#notice(notice);
    if (this.#life.state.counter !== this.#savedCounter) this.#trySave();
    this.#apply();
  }

  /** To be called each second or so: canaries age, stable ones become active, bad ones are rolled back. */
  tick(): void {
    const isChanged = this.#life.tick();
    const nowMs = this.#parts.clock.monotonicMs();
    if (isChanged || (nowMs - this.#savedMs > SAVE_MS && this.#life.isWaiting())) this.#trySave();
    if (!isChanged) return;
    const last = this.#life.state.history.at(-1);
    if (last) this.#notice(`${last.id}: ${last.from} -> ${last.to}: ${last.reason}`);
    this.#apply();
  }

  /** One step in the life of a policy. @throws PolicyRefusedError */
  step(id: string, step: PolicyStep, by: string, reason = 'asked for'): PolicyVersionJson {
    const version = this.#changing(() => this.#stepped(id, step, by, reason));
    this.#apply();
    return this.#versionJson(version);
  }

  #stepped(id: string, step: PolicyStep, by: string, reason: string): VersionState {
    switch (step) {
      case 'simulate':
        return this.#life.simulate(id, by);
      case 'canary':
        return this.#life.canary(id, by);
      case 'activate':
        return this.#life.activate(id, by);
      case 'rollback':
        return this.#life.rollback(id, reason, by);
      case 'deprecate':
        return this.#life.deprecate(id, by);
    }
  }

  request(id: string): PolicyPendingJson {
    return this.#pendingJson(this.#changing(() => this.#life.request(id)));
  }

  approve(nonce: string, approval: Approval): PolicyPendingJson {
    return this.#pendingJson(this.#changing(() => this.#life.approve(nonce, approval)));
  }

  /** Sets the approvers, or says what has to be signed first. @throws SentinelError for a key that is none. */
  setApprovers(approvers: readonly { name: string; key: string }[]): PolicyPendingJson | undefined {
    return this.#changing(() => this.#setApprovers(approvers));
  }

  #setApprovers(approvers: readonly { name: string; key: string }[]): PolicyPendingJson | undefined {
    const { state } = this.#life;
    const named = approvers.map(({ name, key }) => ({ name, key, keyId: approverKeyId(key) }));
    if (
      new Set(named.map(({ keyId }) => keyId)).size < named.length ||
      new Set(named.map(({ name }) => name)).size < named.length
    )
      throw new PolicyRefusedError('two approvers have the same key or name', 'give each their own');
    if (state.approvers.length > 0) {
      const hash = hashText(JSON.stringify(named.map(({ name, keyId }) => [name, keyId])));
      const waiting = state.pending.find(({ manifest }) => manifest.kind === 'approver-rotation');
      if (waiting?.manifest.hash !== hash || this.#life.approvedBy(waiting).length < REQUIRED_APPROVALS) {
        const pending = waiting?.manifest.hash === hash ? waiting : this.#life.requestRotation(hash);
        return this.#pendingJson(pending);
      }
      this.#life.useRotation(hash);
    }
    const untilMs = this.#life.nowMs() + OVERLAP_MS;
    const keep = new Set(named.map(({ keyId }) => keyId));
    const replaced: Approver[] = state.approvers
      .filter(({ key }) => !keep.has(approverKeyId(key)))
      .map((approver) => ({ ...approver, untilMs: Math.min(approver.untilMs ?? untilMs, untilMs) }));
    state.approvers = [...named.map(({ name, key }) => ({ name, key })), ...replaced].slice(0, MAX_APPROVERS);
    state.counter += 1;
    return undefined;
  }

  approvers(): PolicyOverview['approvers'] {
    return this.#life.state.approvers.map(({ name, key, untilMs }) => ({
      name,
      keyId: approverKeyId(key),
      untilMs,
    }));
  }

  overview(): PolicyOverview {
    const { problems, warnings } = this.#texts;
    return {
      policies: this.#life.state.versions
        .filter((version) => version.state !== 'deprecated' && this.#isShown(version))
        .map((version) => this.#versionJson(version)),
      problems,
      warnings,
      notices: [...this.#notices],
      pending: this.#life.state.pending.map((signed) => this.#pendingJson(signed)),
      approvers: this.approvers(),
    };
  }

  /** Drafts whose text was edited again are only history. */
  #isShown({ hash, state }: VersionState): boolean {
    return state !== 'draft' || this.#texts.policies.some(({ policy }) => policy.hash === hash);
  }

  get(id: string): { versions: PolicyVersionJson[]; text: string; history: PolicyOverviewHistory[] } {
    const { hash } = this.#life.target(id);
    return {
      versions: this.#life.versionsOf(id).map((version) => this.#versionJson(version)),
      text: this.#loaded.get(hash)?.policy.text ?? '',
      history: this.#life.state.history
        .filter((entry) => entry.id === id)
        .map(({ signed, chain: _chain, ...entry }) =>
          signed ? { ...entry, approvedBy: this.#life.approvedBy(signed) } : entry,
        ),
    };
  }

  /** The text to simulate for `id`, and the one that is active if that is another. */
  texts(id: string): { target: LoadedPolicy; active?: LoadedPolicy } {
    const target = this.#loaded.get(this.#life.target(id).hash);
    if (!target) throw new PolicyRefusedError(`the text of ${id} is not there`, 'put its file back');
    const version = this.#life.versionsOf(id).find(({ state }) => state === 'active');
    const active =
      version && version.hash !== target.policy.hash ? this.#loaded.get(version.hash) : undefined;
    return active ? { target, active } : { target };
  }

  /** Canonical text of a policy by its hash. */
  textOf(hash: string): string | undefined {
    return this.#loaded.get(hash)?.policy.text ?? this.#store.keptText(hash)?.text;
  }

  loadedPolicy(hash: string): LoadedPolicy | undefined {
    return this.#loaded.get(hash);
  }

  decided(hash: string, eventId: number): void {
    this.#life.decided(hash, eventId);
  }

  labelled(eventId: number, label: string): void {
    this.#life.labelled(eventId, label === 'false_positive');
  }

  /** Puts in force what the states say. The texts were kept and the state was saved before. */
  #apply(): void {
    const served: ServedPolicy[] = [];
    const sets = { executables: [], destinations: [], opens: [] } as unknown as Mutable<KernelSets>;
    this.#reach = new Map();
    let handle = 0;
    for (const { hash, state } of this.#life.state.versions) {
      if (state === 'draft' || state === 'deprecated') continue;
      const loaded = this.#loaded.get(hash);
      if (!loaded) continue;
      const reach = this.#reachOf(loaded);
      const mayAct = state === 'active' || (state === 'canary' && !needsApprovals(loaded.policy.severity));
      const inKernel = state === 'active' && reach.guardian === 'kernel';
      handle += inKernel ? 1 : 0;
      if (inKernel) addTo(sets, refOf(handle, loaded), reduced(loaded));
      served.push({
        loaded,
        state,
        mayAct,
        guardian: inKernel ? 'kernel' : 'agent',
        handle: inKernel ? handle : 0,
      });
    }
    sets.generation = this.#sets.generation + 1;
    const { refused } = this.#parts.enforcer.apply(sets);
    this.#sets = sets;
    for (const { handle: refusedHandle, reason } of refused) {
      const policy = served.find((each) => each.handle === refusedHandle);
      if (!policy) continue;
      policy.guardian = 'agent';
      const { id, hash, action } = policy.loaded.policy;
      this.#reach.set(hash, { guardian: 'agent', ...this.#parts.enforcer.reach(action, 'agent'), reason });
      this.#notice(`${id}: the kernel cannot act on it: ${reason}`);
    }
    this.engine.use(served);
    const acting = served.filter(
      ({ mayAct, guardian, loaded }) => mayAct && guardian === 'agent' && loaded.policy.action !== 'alert',
    );
    this.#parts.enforcer.serve?.(acting.length);
    this.#parts.onChange?.();
  }

  #reachOf(loaded: LoadedPolicy): PolicyReach {
    const known = this.#reach.get(loaded.policy.hash);
    if (known) return known;
    const { action, scope } = loaded.policy;
    const { enforcer } = this.#parts;
    const reduction = reduced(loaded);
    let reason = reduction.ok ? '' : reduction.reason;
    if (scope.users.length + scope.containers.length > 0) reason ||= 'the kernel does not look at its scope';
    if (loaded.exceptions.length > 0) reason ||= 'the kernel does not look at its exceptions';
    let reach: PolicyReach = { guardian: 'kernel', ...enforcer.reach(action, 'kernel') };
    if (reason !== '' || reach.mechanism === 'none') {
      const byAgent = enforcer.reach(action, 'agent');
      reach = { guardian: 'agent', ...byAgent, reason: reason || reach.reason || byAgent.reason };
    }
    this.#reach.set(loaded.policy.hash, reach);
    return reach;
  }

  /** Does something that changes the state; when the disk refuses it, nothing has changed. */
  #changing<T>(work: () => T): T {
    const before = structuredClone(this.#life.state);
    try {
      const result = work();
      this.#save();
      return result;
    } catch (error) {
      Object.assign(this.#life.state, before);
      throw error;
    }
  }

  /** What comes by itself stays in force also when the disk refuses it: then it comes again after a restart. */
  #trySave(): void {
    try {
      this.#save();
    } catch (error) {
      this.#savedMs = this.#parts.clock.monotonicMs();
      this.#notice(`the state of policies could not be saved: ${describeError(error)}`);
    }
  }

  /** The texts of what is in force first, then the state. */
  #save(): void {
    this.#life.noteTime();
    for (const { hash, state } of this.#life.state.versions) {
      const text = state === 'draft' ? undefined : this.#loaded.get(hash)?.policy.text;
      if (text !== undefined) this.#store.keepText(hash, text);
    }
    this.#store.save(this.#life.state);
    this.#savedCounter = this.#life.state.counter;
    this.#savedMs = this.#parts.clock.monotonicMs();
  }

  #notice(notice: string): void {
    this.#notices.push(notice);
    if (this.#notices.length > MAX_NOTICES) this.#notices.shift();
    this.#parts.onNotice?.(notice);
  }

  #versionJson(version: VersionState): PolicyVersionJson {
    const { id, version: number, hash, title, severity, action, state, sinceMs, canary } = version;
    const loaded = this.#loaded.get(hash);
    const none = {
      guardian: 'agent',
      mechanism: 'none',
      guarantee: 'alert only',
      reason: 'its text is not there',
    } as const;
    const counters = this.engine.counters(hash);
    return {
      id,
      version: number,
      hash,
      title,
      severity: loaded?.policy.severity ?? severity,
      action,
      state,
      sinceMs,
      inFiles: this.#texts.policies.some(({ policy }) => policy.hash === hash),
      reach: loaded ? this.#reachOf(loaded) : none,
      approvalsNeeded: needsApprovals(loaded?.policy.severity ?? severity) ? REQUIRED_APPROVALS : 0,
      hits: counters
        ? { ...counters, exceptionHits: [...counters.exceptionHits] }
        : { evaluated: 0, matched: 0, excepted: 0, acted: 0, failed: 0, exceptionHits: [] },
      ...(canary && state === 'canary' ? { canary: structuredClone(canary) } : {}),
    };
  }

  #pendingJson(signed: Signed): PolicyPendingJson {
    return {
      manifest: signed.manifest,
      approvedBy: this.#life.approvedBy(signed),
      needed: REQUIRED_APPROVALS,
    };
  }
}

type PolicyOverviewHistory = Omit<Lifecycle['state']['history'][number], 'signed' | 'chain'> & {
  approvedBy?: string[];
};
type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

const reductions = new WeakMap<LoadedPolicy, Reduction>();

function reduced(loaded: LoadedPolicy): Reduction {
  let found = reductions.get(loaded);
  if (!found)
    reductions.set(loaded, (found = reduce(loaded.when.root, loaded.when.text, loaded.policy.action)));
  return found;
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
