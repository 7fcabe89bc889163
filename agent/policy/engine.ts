/**
 * The agent guardian: the policies in force against one event at a time, on the thread that decides.
 *
 * Only policies whose condition can hold for the event's type and action are looked at (applicable.ts). `match` is what
 * every event pays; a decision with its rationale is only made for what matched.
 */
import type { SentinelEvent, Severity } from '../event.ts';
import { canHold } from './applicable.ts';
import { pathOf, visit, type Node } from './ast.ts';
import { clausesOf, type Clauses } from './clauses.ts';
import type { ExpressionCompiler } from './expression.ts';
import { hashText, sharePercent } from './hash.ts';
import type { LoadedPolicy } from './parse.ts';
import type { Action, Decision, Effect, Guardian, PolicyState, Rationale } from './types.ts';

/** A policy that is looked at, and how far it may go. */
export interface ServedPolicy {
  loaded: LoadedPolicy;
  state: Extract<PolicyState, 'simulating' | 'canary' | 'active'>;
  /** False: records what it would do and does nothing, whatever its state. */
  mayAct: boolean;
  /** `kernel`: the kernel acts on it, and only what the kernel says it did is decided here. */
  guardian: Guardian;
  /** Of its entries in the kernel's sets; 0 for the agent guardian. */
  handle: number;
}

/** Counts of one policy since the engine first saw its text. */
export interface PolicyCounters {
  /** Events that were looked at. */
  evaluated: number;
  matched: number;
  /** Matches that an exception let pass. */
  excepted: number;
  acted: number;
  failed: number;
  lastMatchMs: number | undefined;
  /** By place in the text. */
  exceptionHits: number[];
}

interface Slot {
  served: ServedPolicy;
  counters: PolicyCounters;
  clauses: Clauses | undefined;
  /** Its condition looks at the executable's hash, which may be known only after the start. */
  readsHash: boolean;
}

export interface EngineOptions {
  compile: ExpressionCompiler;
  /** Milliseconds since the epoch, for the expiry of exceptions. */
  nowMs: () => number;
  deviceId: string;
}

const NO_SLOTS: readonly Slot[] = [];
/** Types times actions there can be; a record with an action nobody knows must not fill memory. */
const MAX_KINDS = 1024;

/** What each action is about; the others are about every event. */
const SUBJECTS: Readonly<Partial<Record<Action, readonly string[]>>> = {
  deny_exec: ['process/exec'],
  deny_connect: ['network/connect', 'network/send'],
  deny_open: ['file/open', 'file/create'],
  cut_network: ['dlp/read'],
  quarantine: ['dlp/match', 'dlp/unscannable', 'file/write', 'file/rename'],
};

/** Effect of a decision that asks for none. */
export const NO_EFFECT: Effect = { state: 'none', mechanism: 'none', guarantee: 'alert only' };

export class PolicyEngine {
  readonly #options: EngineOptions;
  readonly #counters = new Map<string, PolicyCounters>();
  #slots: Slot[] = [];
  #byHandle = new Map<number, Slot>();
  #kinds = new Map<string, Map<string, readonly Slot[]>>();
  #kindCount = 0;
  #awaitsHashes = false;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Puts another set in force between two events. Counters stay with the text they belong to. */
  use(served: readonly ServedPolicy[]): void {
    this.#slots = served
      .filter(({ loaded }) => {
        const { devices } = loaded.policy.scope;
        return devices.length === 0 || devices.includes(this.#options.deviceId);
      })
      .map((policy) => ({
        served: policy,
        counters: this.#countersOf(policy),
        clauses: undefined,
        readsHash: policy.guardian === 'agent' && readsHash(policy.loaded.when.root),
      }));
    this.#awaitsHashes = this.#slots.some((slot) => slot.readsHash);
    this.#byHandle = new Map(
      this.#slots.filter(({ served: { handle } }) => handle !== 0).map((slot) => [slot.served.handle, slot]),
    );
    const kept = new Set(served.map(({ loaded }) => loaded.policy.hash));
    for (const hash of this.#counters.keys()) if (!kept.has(hash)) this.#counters.delete(hash);
    this.#kinds = new Map();
    this.#kindCount = 0;
  }

  #countersOf({ loaded }: ServedPolicy): PolicyCounters {
    const { hash } = loaded.policy;
    let counters = this.#counters.get(hash);
    if (!counters) {
      const exceptionHits = loaded.exceptions.map(() => 0);
      counters = {
        evaluated: 0,
        matched: 0,
        excepted: 0,
        acted: 0,
        failed: 0,
        lastMatchMs: undefined,
        exceptionHits,
      };
      this.#counters.set(hash, counters);
    }
    return counters;
  }

  get size(): number {
    return this.#slots.length;
  }

  counters(hash: string): PolicyCounters | undefined {
    return this.#counters.get(hash);
  }

  /** Whether some policy could hold for events of this kind: what ordinary records are decoded for. */
  hasPoliciesFor(type: string, action: string): boolean {
    return this.#slotsFor(type, action).length > 0;
  }

  #slotsFor(type: string, action: string): readonly Slot[] {
    if (this.#slots.length === 0) return NO_SLOTS;
    const found = this.#kinds.get(type)?.get(action);
    if (found) return found;
    const kind = `${type}/${action}`;
    const slots = this.#slots.filter(({ served: { loaded, guardian } }) => {
      if (guardian === 'kernel') return false;
      const subjects = SUBJECTS[loaded.policy.action];
      return (!subjects || subjects.includes(kind)) && canHold(loaded.when.root, type, action);
    });
    if (this.#kindCount < MAX_KINDS) {
      let actions = this.#kinds.get(type);
      if (!actions) this.#kinds.set(type, (actions = new Map()));
      actions.set(action, slots);
      this.#kindCount += 1;
    }
    return slots;
  }

  /** The policies that hold for the event and that no exception lets pass; undefined for none. */
  match(event: SentinelEvent): ServedPolicy[] | undefined {
    const slots = this.#slotsFor(event.type, event.action);
    let matched: ServedPolicy[] | undefined;
    for (const slot of slots) {
      const { served, counters } = slot;
      counters.evaluated += 1;
      if (!inScope(served.loaded, event)) continue;
      const answer = served.loaded.when.test(event);
      if (answer !== true || this.#excepted(slot, event)) continue;
      counters.matched += 1;
      counters.lastMatchMs = this.#options.nowMs();
      (matched ??= []).push(served);
    }
    return matched;
  }

  /** Whether a hash that comes late could make a policy hold. */
  get awaitsHashes(): boolean {
    return this.#awaitsHashes;
  }

  /** As `match`, once the hashes of an event came: only policies that look at them, and none of those that held before. */
  matchLate(event: SentinelEvent, before: readonly string[]): ServedPolicy[] | undefined {
    let matched: ServedPolicy[] | undefined;
    for (const slot of this.#slotsFor(event.type, event.action)) {
      const { served, counters } = slot;
      if (!slot.readsHash || before.includes(served.loaded.policy.hash) || !inScope(served.loaded, event))
        continue;
      if (served.loaded.when.test(event) !== true || this.#excepted(slot, event)) continue;
      counters.matched += 1;
      counters.lastMatchMs = this.#options.nowMs();
      (matched ??= []).push(served);
    }
    return matched;
  }

  #excepted({ served: { loaded }, counters }: Slot, event: SentinelEvent): boolean {
    if (loaded.exceptions.length === 0) return false;
    const nowMs = this.#options.nowMs();
    for (const [index, exception] of loaded.exceptions.entries()) {
      if ((loaded.policy.exceptions[index]?.expiresMs ?? 0) < nowMs) continue;
      if (exception.test(event) !== true) continue;
      counters.excepted += 1;
      counters.exceptionHits[index] = (counters.exceptionHits[index] ?? 0) + 1;
      return true;
    }
    return false;
  }

  /** The decision of a policy that matched. The event has its id by now; the effect is not yet known. */
  decide(served: ServedPolicy, event: SentinelEvent, nowNs: bigint): Decision {
    const wouldBe = !this.#acts(served, event.eventId);
    return this.#decision(served, event, nowNs, wouldBe, NO_EFFECT);
  }

  /** The decision behind an act of the kernel; undefined when the handle belongs to no policy in force. */
  kernelDecision(
    handle: number,
    event: SentinelEvent,
    effect: Effect,
    nowNs: bigint,
    evidence: readonly string[] = [],
  ): Decision | undefined {
    const slot = this.#byHandle.get(handle);
    if (!slot) return undefined;
    slot.counters.matched += 1;
    slot.counters.acted += 1;
    slot.counters.lastMatchMs = this.#options.nowMs();
    const decision = this.#decision(slot.served, event, nowNs, false, effect);
    return { ...decision, evidence: [...decision.evidence, ...evidence], guardian: 'kernel' };
  }

  /** Counts what came of a decision. */
  settled(decision: Decision): void {
    const counters = this.#counters.get(decision.policyHash);
    if (!counters) return;
    if (decision.effect.state === 'applied') counters.acted += 1;
    else if (decision.effect.state === 'failed') counters.failed += 1;
  }

  /** Why a policy holds for an event or does not, also for one that is not in force. */
  explain(loaded: LoadedPolicy, event: SentinelEvent): Rationale & { holds: boolean } {
    const holds = loaded.when.test(event) === true && inScope(loaded, event);
    return { ...clausesOf(loaded.when, this.#options.compile).explain(event, true), holds };
  }

  #acts({ state, mayAct, loaded }: ServedPolicy, eventId: number): boolean {
    if (!mayAct || state === 'simulating') return false;
    return state === 'active' || sharePercent(eventId) < loaded.policy.canaryPercent;
  }

  #decision(
    served: ServedPolicy,
    event: SentinelEvent,
    nowNs: bigint,
    wouldBe: boolean,
    effect: Effect,
  ): Decision {
    const { policy } = served.loaded;
    const slot = this.#slots.find((each) => each.served === served);
    let clauses = slot?.clauses;
    if (!clauses) {
      clauses = clausesOf(served.loaded.when, this.#options.compile);
      if (slot) slot.clauses = clauses;
    }
    return {
      decisionId: hashText(`${policy.hash} ${event.eventId} ${event.tsNs} ${event.process?.pid ?? 0}`).slice(
        0,
        32,
      ),
      policyId: policy.id,
      policyVersion: policy.version,
      policyHash: policy.hash,
      policyTitle: policy.title,
      policyState: served.state,
      severity: policy.severity,
      eventId: event.eventId,
      evidence: (event.detections ?? []).map(({ ruleId }) => `rule:${ruleId}`),
      action: policy.action,
      failMode: policy.failMode,
      wouldBe,
      guardian: served.guardian,
      effect,
      rationale: clauses.explain(event, false),
      latencyNs: { eventToDecision: Math.max(0, Number(nowNs - event.tsNs)) },
      aheadOfRecord: false,
      tsNs: nowNs,
    };
  }
}

/** Whether the event's user and container are ones that the policy is about. */
export function inScope({ policy: { scope } }: LoadedPolicy, event: SentinelEvent): boolean {
  const { process } = event;
  if (scope.users.length > 0) {
    const user = process?.user ?? (process?.uid === 0 ? 'root' : undefined);
    if (user === undefined || !scope.users.includes(user)) return false;
  }
  if (scope.containers.length > 0) {
    const container = process?.containerId;
    if (container === undefined || !scope.containers.some((id) => container.startsWith(id))) return false;
  }
  return true;
}

function readsHash(root: Node): boolean {
  let found = false;
  visit(root, (node) => (found ||= pathOf(node)?.startsWith('process.hash') ?? false));
  return found;
}

/** High and critical policies need approvals before they may act. */
export function needsApprovals(severity: Severity): boolean {
  return severity === 'high' || severity === 'critical';
}
