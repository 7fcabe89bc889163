/**
 * The policies of one data folder: texts, states and what is in force of them. Everything that may change a state comes
 * through here, whether over the Local API, from a command without an agent, or by time.
 */
import type {
  PolicyHistoryJson,
  PolicyOverview,
  PolicyPendingJson,
  PolicyStep,
  PolicyVersionJson,
} from './api/contract.ts';
import { describeError } from './errors.ts';
import type { Identity } from './identity/identity.ts';
import type { Approval } from './policy/approval.ts';
import type { CanaryRules } from './policy/canary.ts';
import { unknownDlpNames, type DlpNames } from './policy/dlp-names.ts';
import { PolicyEngine } from './policy/engine.ts';
import { Lifecycle, type LifecycleClock } from './policy/lifecycle.ts';
import type { Signed, VersionState } from './policy/lifecycle-state.ts';
import { parsePolicies, type LoadedPolicy } from './policy/parse.ts';
import type { PolicyProblem } from './policy/problem.ts';
import { PolicyRefusedError } from './policy/refused.ts';
import type { CutProcess, Enforcer, FrozenCgroup, Policy, PolicyReach } from './policy/types.ts';
import { loadAllPolicies, type PolicyTexts } from './policy-files.ts';
import { policyCompiler } from './policy-compiler.ts';
import { PolicyDesk } from './policy-desk.ts';
import { PolicyActs } from './policy-acts.ts';
import { approversOf, setApprovers } from './policy-approvers.ts';
import { historyJson, pendingJson, versionJson } from './policy-json.ts';
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
  /** Indexes and rules of protected data in force: a policy that names another does not act. */
  dlpNames?: () => DlpNames;
  /** A state changed, or did not, by itself: for the log. */
  onNotice?: (notice: string) => void;
}

const MAX_NOTICES = 100;
/** Between saves of what only time changes: canaries, and the clock while approvals are collected. */
const SAVE_MS = 600_000;

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
  readonly desk: PolicyDesk;
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
    this.#life = new Lifecycle(state, parts.rules, parts.clock, (policy) => this.#obstacle(policy));
    this.engine = new PolicyEngine({
      compile: this.compile,
      nowMs: () => this.#life.nowMs(),
      deviceId: parts.identity.deviceId,
    });
    this.#serving = new PolicyServing(parts.enforcer, this.engine);
    this.desk = new PolicyDesk({
      dataDir: parts.dataDir,
      compile: this.compile,
      life: this.#life,
      inFiles: (id) => this.#texts.policies.find(({ policy }) => policy.id === id),
      byHash: (hash) => this.#loaded.get(hash),
      reload: () => this.reload(),
      versionJson: (version) => this.#versionJson(version),
      recordText: parts.recordText,
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
    for (const { id, problem } of this.#life.obstacles.takeUntold())
      this.#notice(`${id}: stays a canary: ${describeError(problem)}`);
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
    return this.#pendingJson(this.#changing(() => this.#life.manifests.approve(nonce, approval)));
  }

  /** Sets the approvers, or says what has to be signed first. @throws SentinelError for a key that is none. */
  setApprovers(approvers: readonly { name: string; key: string }[]): PolicyPendingJson | undefined {
    const pending = this.#changing(() => setApprovers(this.#life, approvers));
    return pending && this.#pendingJson(pending);
  }

  approvers(): PolicyOverview['approvers'] {
    return approversOf(this.#life.state);
  }

  overview(): PolicyOverview {
    const { problems, policies } = this.#texts;
    const warnings = [...this.#texts.warnings, ...policies.flatMap((loaded) => this.unknownNames(loaded))];
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

  /** Names of indexes and rules in a text that nothing in force has. */
  unknownNames(loaded: LoadedPolicy): PolicyProblem[] {
    const names = loaded.dlpNames.length > 0 ? this.#parts.dlpNames?.() : undefined;
    return names === undefined ? [] : unknownDlpNames(loaded, names);
  }

  /** Why a text must not act: what it asks for is not there, so that it would never do what it says. */
  #obstacle({ hash }: Policy): PolicyRefusedError | undefined {
    const loaded = this.#loaded.get(hash);
    const [first, ...more] = loaded === undefined ? [] : this.unknownNames(loaded);
    if (first === undefined) return undefined;
    const { file, line, column, message, remedy } = first;
    const others = more.length > 0 ? ` (${more.length} more like it)` : '';
    return new PolicyRefusedError(
      `${file}:${line}:${column}: ${message}${others}`,
      `${remedy}; correct the name, or put the index or rule in force first`,
    );
  }

  /** Drafts whose text was edited again are only history. */
  #isShown({ hash, state }: VersionState): boolean {
    return state !== 'draft' || this.#texts.policies.some(({ policy }) => policy.hash === hash);
  }

  get(id: string): {
    versions: PolicyVersionJson[];
    text: string;
    hash: string;
    history: PolicyHistoryJson[];
  } {
    const { hash } = this.#life.target(id);
    return {
      versions: this.#life.versionsOf(id).map((version) => this.#versionJson(version)),
      text: this.#loaded.get(hash)?.policy.text ?? '',
      hash,
      history: this.#life.state.history
        .filter((entry) => entry.id === id)
        .map((entry) => historyJson(entry, (signed) => this.#life.manifests.approvedBy(signed))),
    };
  }

  /** Who would decide a text that is not kept, and what that comes to here. */
  reachOf(loaded: LoadedPolicy): PolicyReach {
    return this.#serving.reachOfDraft(loaded);
  }

  /** Ends the freezing of one container, or of all. */
  thaw(cgroup?: string): readonly FrozenCgroup[] {
    return this.#parts.enforcer.thaw?.(cgroup) ?? [];
  }

  /** Lets a process that was cut off reach the network again, with what it started; without a pid, all. */
  release(pid?: number): readonly CutProcess[] {
    return this.#parts.enforcer.release?.(pid) ?? [];
  }

  /** Canonical text of a policy by its hash. */
  textOf(hash: string): string | undefined {
    return this.#loaded.get(hash)?.policy.text ?? this.#store.keptText(hash)?.text;
  }

  loadedPolicy(hash: string): LoadedPolicy | undefined {
    return this.#loaded.get(hash);
  }

  decided(hash: string, eventId: number): void {
    this.#life.canaries.decided(hash, eventId);
  }

  labelled(eventId: number, label: string): void {
    this.#life.canaries.labelled(eventId, label === 'false_positive');
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
    const { hash } = version;
    const loaded = this.#loaded.get(hash);
    return versionJson(version, {
      policy: loaded?.policy,
      reach: loaded && this.#serving.reachOf(loaded),
      counters: this.engine.counters(hash),
      inFiles: this.#texts.policies.some(({ policy }) => policy.hash === hash),
      rules: this.#life.rules,
    });
  }

  #pendingJson(signed: Signed): PolicyPendingJson {
    return pendingJson(signed, this.#life.manifests.approvedBy(signed));
  }
}
