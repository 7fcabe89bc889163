/**
 * The policies of one data folder: texts, states and what is in force of them. Everything that may change a state comes
 * through here, whether over the Local API, from a command without an agent, or by time.
 */
import type {
  PolicyDifferenceJson,
  PolicyExceptionDraft,
  PolicyOverview,
  PolicyPendingJson,
  PolicyStep,
  PolicyVersionJson,
} from './api/contract.ts';
import { describeError } from './errors.ts';
import type { SentinelEvent } from './event.ts';
import type { Identity } from './identity/identity.ts';
import { approverKeyId, REQUIRED_APPROVALS, type Approval, type Approver } from './policy/approval.ts';
import type { CanaryRules } from './policy/canary.ts';
import { needsApprovals, PolicyEngine } from './policy/engine.ts';
import { hashText } from './policy/hash.ts';
import { Lifecycle, PolicyRefusedError, type LifecycleClock } from './policy/lifecycle.ts';
import type { Signed, VersionState } from './policy/lifecycle-state.ts';
import { parsePolicies, type LoadedPolicy } from './policy/parse.ts';
import type { Enforcer, FrozenCgroup, PolicyReach } from './policy/types.ts';
import { loadAllPolicies, type PolicyTexts } from './policy-files.ts';
import { policyCompiler } from './policy-compiler.ts';
import {
  differenceOf,
  exceptionDraft,
  numbered,
  onePolicy,
  placeFor,
  PolicyConflictError,
  writeDraft,
} from './policy-drafts.ts';
import { PolicyActs } from './policy-acts.ts';
import { PolicyServing } from './policy-serving.ts';
import { PolicyStore } from './policy-store.ts';

export interface PolicyServiceParts {
  dataDir: string;
  identity: Identity;
  rules: CanaryRules;
  enforcer: Enforcer;
  clock: LifecycleClock;
  /** What is looked at changed: decode accordingly. */
  onChange?: () => void;
  /** Puts a text on record by its hash; false when the log takes no records. */
  recordText?: (hash: string, text: string) => boolean;
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
  readonly acts = new PolicyActs();
  readonly #parts: PolicyServiceParts;
  readonly #store: PolicyStore;
  readonly #life: Lifecycle;
  readonly #serving: PolicyServing;
  #texts: PolicyTexts = { policies: [], problems: [], warnings: [] };
  /** Every text that is known, by hash: of files and of versions in force. */
  #loaded = new Map<string, LoadedPolicy>();
  #notices: string[] = [];
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
    this.#serving = new PolicyServing(parts.enforcer, this.engine);
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

  get(id: string): {
    versions: PolicyVersionJson[];
    text: string;
    hash: string;
    history: PolicyOverviewHistory[];
  } {
    const { hash } = this.#life.target(id);
    return {
      versions: this.#life.versionsOf(id).map((version) => this.#versionJson(version)),
      text: this.#loaded.get(hash)?.policy.text ?? '',
      hash,
      history: this.#life.state.history
        .filter((entry) => entry.id === id)
        .map(({ signed, chain: _chain, ...entry }) =>
          signed ? { ...entry, approvedBy: this.#life.approvedBy(signed) } : entry,
        ),
    };
  }

  /** What to simulate for `id`, the files' text or another, and what to compare it with if that is another. */
  texts(id: string, text?: string): { target: LoadedPolicy; active?: LoadedPolicy } {
    let target: LoadedPolicy | undefined;
    if (text === undefined) target = this.#loaded.get(this.#life.target(id).hash);
    else {
      target = onePolicy(text, this.compile);
      if (target.policy.id !== id)
        throw new PolicyRefusedError(`the text is of ${target.policy.id}, not of ${id}`, 'name that one');
    }
    if (!target) throw new PolicyRefusedError(`the text of ${id} is not there`, 'put its file back');
    const version = this.#life.versionsOf(id).find(({ state }) => state === 'active');
    // A text that nobody saved is compared with what there is, in force or not.
    const other = version?.hash ?? (text === undefined ? undefined : this.#current(id)?.policy.hash);
    const active = other === target.policy.hash ? undefined : this.#loaded.get(other ?? '');
    return active ? { target, active } : { target };
  }

  /** The text of a policy in the files, else in force. */
  #current(id: string): LoadedPolicy | undefined {
    const inFiles = this.#texts.policies.find(({ policy }) => policy.id === id);
    return inFiles ?? this.#loaded.get(this.#life.inForce(id)?.hash ?? '');
  }

  /** How a text, or the one in the files, differs from the version in force. */
  difference(id: string, text?: string): PolicyDifferenceJson {
    const version = this.#life.inForce(id);
    const loaded = version && this.#loaded.get(version.hash);
    const inForce = version && loaded ? { version, loaded } : undefined;
    return differenceOf(text ?? this.get(id).text, inForce, this.compile);
  }

  /** Drafts an exception of a policy from an event. */
  draftException(
    id: string,
    event: SentinelEvent,
    asked: Parameters<typeof exceptionDraft>[2],
  ): PolicyExceptionDraft {
    const loaded = this.#current(id);
    if (!loaded) throw new PolicyRefusedError(`there is no policy ${id}`, 'see sentinel policy list');
    return exceptionDraft(loaded, event, asked, this.#life.versionsOf(id), this.compile);
  }

  /**
   * Saves a text as a new draft with the next number; what is in force stays so. `base`: the hash of what it was made
   * from. @throws PolicyConflictError when that is not what the files hold by now
   */
  save(text: string, base: string | undefined): { version: PolicyVersionJson; text: string; file: string } {
    const given = onePolicy(text, this.compile);
    const { id } = given.policy;
    this.reload();
    const current = this.#current(id);
    if (current?.policy.hash === given.policy.hash) {
      const { file } = current.policy;
      return { version: this.#versionJson(this.#life.target(id)), text: current.policy.text, file };
    }
    if (current && base === undefined)
      throw new PolicyConflictError(
        `there is a policy ${id} already`,
        'edit that one, or give this another id',
      );
    if (base !== undefined && base !== current?.policy.hash)
      throw new PolicyConflictError(
        current
          ? `${id} was changed meanwhile: the files hold version ${current.policy.version} (${current.policy.hash.slice(0, 12)})`
          : `${id} is not there any more`,
        'nothing was saved; look at the difference and save again',
      );
    const next = numbered(given, this.#life.versionsOf(id), this.compile);
    const place = placeFor(this.#parts.dataDir, current, next);
    if (this.#parts.recordText?.(next.policy.hash, next.policy.text) === false)
      throw new PolicyRefusedError(
        'the security log takes no records; nothing was saved',
        'see sentinel status',
      );
    writeDraft(place);
    this.reload();
    return { version: this.#versionJson(this.#life.target(id)), text: next.policy.text, file: place.file };
  }

  /** Who would decide a text that is not kept, and what that comes to here. */
  reachOf(loaded: LoadedPolicy): PolicyReach {
    return this.#serving.reachOfDraft(loaded);
  }

  /** Ends the freezing of one container, or of all. */
  thaw(cgroup?: string): readonly FrozenCgroup[] {
    return this.#parts.enforcer.thaw?.(cgroup) ?? [];
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

  #apply(): void {
    this.#serving.apply(
      this.#life.state.versions,
      (hash) => this.#loaded.get(hash),
      (id, reason) => this.#notice(`${id}: the kernel cannot act on it: ${reason}`),
    );
    this.#parts.onChange?.();
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
      reach: loaded ? this.#serving.reachOf(loaded) : none,
      approvalsNeeded: needsApprovals(loaded?.policy.severity ?? severity) ? REQUIRED_APPROVALS : 0,
      hits: counters
        ? { ...counters, exceptionHits: [...counters.exceptionHits] }
        : { evaluated: 0, matched: 0, excepted: 0, acted: 0, failed: 0, exceptionHits: [] },
      exceptions: (loaded?.policy.exceptions ?? []).map((exception, index) => ({
        ...exception,
        hits: counters?.exceptionHits[index] ?? 0,
      })),
      ...(canary && state === 'canary'
        ? { canary: { ...this.#life.rules, ...structuredClone(canary) } }
        : {}),
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
