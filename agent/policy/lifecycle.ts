/**
 * The life of a policy: draft -> simulating -> canary -> active -> deprecated, and back by rollback. Every step is in the
 * history with who and why. Whatever changes a state goes through here; texts, files and requests only ask.
 *
 * Severity is always read from the checked text, never from what was stored: a high policy needs its approvals again
 * whenever its state is loaded.
 */
import { REQUIRED_APPROVALS } from './approval.ts';
import { CanaryTally, currentWindow, isStable, mustRollBack, type CanaryRules } from './canary.ts';
import { needsApprovals } from './engine.ts';
import { hashText } from './hash.ts';
import type { HistoryEntry, LifecycleState, Signed, VersionState } from './lifecycle-state.ts';
import { Manifests } from './manifests.ts';
import { Obstacles } from './obstacles.ts';
import { PolicyRefusedError } from './refused.ts';
import type { Policy, PolicyState } from './types.ts';

export interface LifecycleClock {
  wallMs(): number;
  /** Milliseconds that nobody can set. */
  monotonicMs(): number;
}

const MAX_HISTORY = 10_000;

export class Lifecycle {
  readonly state: LifecycleState;
  readonly rules: CanaryRules;
  readonly #clock: LifecycleClock;
  readonly #startMs: number;
  readonly #startMonotonicMs: number;
  #tickMs: number;
  /** Text of each version that is known, by hash. */
  readonly #texts = new Map<string, Policy>();
  /** Which version of an id the files hold now. */
  #inFiles = new Map<string, string>();
  readonly manifests: Manifests;
  readonly canaries: CanaryTally;
  readonly obstacles: Obstacles;

  /** `obstacle`: why a text must not begin to act now, whatever its state. */
  constructor(
    state: LifecycleState,
    rules: CanaryRules,
    clock: LifecycleClock,
    obstacle: (policy: Policy) => PolicyRefusedError | undefined = () => undefined,
  ) {
    this.obstacles = new Obstacles(obstacle);
    this.state = state;
    this.rules = rules;
    this.#clock = clock;
    this.#startMs = Math.max(clock.wallMs(), state.clockMs);
    this.#startMonotonicMs = clock.monotonicMs();
    this.#tickMs = this.#startMonotonicMs;
    this.canaries = new CanaryTally(state, rules);
    this.manifests = new Manifests(
      state,
      () => this.nowMs(),
      () => this.#changed(),
    );
  }

  /** Now, by the clock at start and what has passed since: setting the clock changes nothing. */
  nowMs(): number {
    return this.#startMs + (this.#clock.monotonicMs() - this.#startMonotonicMs);
  }

  /**
   * Takes note of all texts: those in files and those kept of versions in force. New ones are drafts.
   * @returns what people should know: edits of policies in force, files that went away, approvals that do not hold.
   */
  sync(files: readonly Policy[], kept: readonly Policy[]): string[] {
    const notices: string[] = [];
    for (const policy of [...kept, ...files]) this.#texts.set(policy.hash, policy);
    const before = this.#inFiles;
    this.#inFiles = new Map(files.map((policy) => [policy.id, policy.hash]));
    for (const policy of files) {
      if (this.state.versions.some(({ hash, id }) => hash === policy.hash && id === policy.id)) continue;
      const { id, version, hash, title, severity, action } = policy;
      this.state.versions.push({
        id,
        version,
        hash,
        title,
        severity,
        action,
        state: 'draft',
        sinceMs: this.nowMs(),
      });
      const inForce = this.inForce(id);
      if (inForce)
        notices.push(
          `${id}: the text was edited; the edited text is a draft, version ${inForce.version} stays ${inForce.state} as it was`,
        );
      this.#note(
        this.#find(policy.hash),
        'none',
        'draft',
        inForce ? 'its text was edited' : 'new text',
        'sentinel',
      );
    }
    for (const version of this.state.versions) {
      const text = this.#texts.get(version.hash);
      if (version.state === 'draft' || version.state === 'deprecated') continue;
      if (!text) {
        this.#move(version, 'draft', 'its text is not there any more', 'sentinel');
        notices.push(`${version.id}: the text of version ${version.version} is lost; it is a draft again`);
        continue;
      }
      Object.assign(version, {
        severity: text.severity,
        title: text.title,
        action: text.action,
        version: text.version,
      });
      if (version.state === 'active' && needsApprovals(text.severity) && !this.manifests.holdFor(version)) {
        this.#move(version, 'draft', 'its approvals do not hold', 'sentinel');
        notices.push(`${version.id}: it was active without valid approvals; it is a draft again`);
      } else if (before.has(version.id) && !this.#inFiles.has(version.id)) {
        notices.push(
          `${version.id}: its file is gone; version ${version.version} stays ${version.state}, deprecate it to end it`,
        );
      }
    }
    return notices;
  }

  versionsOf(id: string): VersionState[] {
    return this.state.versions.filter((version) => version.id === id);
  }

  /** The version of a policy that is furthest: active, else canary, else simulating. */
  inForce(id: string): VersionState | undefined {
    const versions = this.versionsOf(id);
    return (['active', 'canary', 'simulating'] as const)
      .map((state) => versions.findLast((version) => version.state === state))
      .find((version) => version !== undefined);
  }

  /** The version that a command about `id` means: what the file holds, else what is in force. */
  target(id: string): VersionState {
    const hash = this.#inFiles.get(id);
    const found =
      this.state.versions.find((version) => version.id === id && version.hash === hash) ?? this.inForce(id);
    if (found) return found;
    const known = [...this.#inFiles.keys()].join(', ');
    throw new PolicyRefusedError(
      `there is no policy ${id}`,
      known === '' ? 'put its file into the data folder' : `there are ${known}`,
    );
  }

  simulate(id: string, by: string): VersionState {
    return this.#step(id, ['draft', 'deprecated'], 'simulating', 'asked for', by);
  }

  canary(id: string, by: string): VersionState {
    this.obstacles.check(this.#texts.get(this.target(id).hash));
    const version = this.#step(id, ['simulating'], 'canary', 'asked for', by);
    version.canary = { observedMs: 0, windows: [] };
    return version;
  }

  /** Makes a policy active: after its stable period or, when high or critical, with the approvals collected for it. */
  activate(id: string, by: string, signed?: Signed): VersionState {
    const version = this.target(id);
    const text = this.#textOf(version);
    if (version.state === 'active')
      throw new PolicyRefusedError(`${id} is active already`, 'nothing is to be done');
    if (version.state !== 'canary')
      throw new PolicyRefusedError(
        `${id} is ${version.state}; only a canary becomes active`,
        nextStep(id, version.state),
      );
    this.obstacles.check(text);
    if (needsApprovals(text.severity)) {
      const given = signed ?? this.manifests.pendingFor(id);
      if (!given)
        throw new PolicyRefusedError(
          `${id} is of severity ${text.severity} and needs ${REQUIRED_APPROVALS} approvals`,
          `ask for them with sentinel policy request ${id}`,
        );
      this.manifests.use(given, 'policy-activation', version.hash, id);
      return this.#makeActive(version, `approved: ${this.manifests.approvedBy(given).join(', ')}`, by, given);
    }
    const run = version.canary ?? { observedMs: 0, windows: [] };
    if (!isStable(run, this.rules)) {
      const left = Math.max(0, Math.ceil((this.rules.stableMs - run.observedMs) / 60_000));
      throw new PolicyRefusedError(
        left > 0
          ? `the canary of ${id} needs ${left} more minutes`
          : `the canary of ${id} had false positives`,
        'it becomes active by itself once it was stable for that long',
      );
    }
    return this.#makeActive(version, 'stable canary', by);
  }

  /** Takes a policy back: the version before it is put in force again, unless that needs approvals. */
  rollback(id: string, reason: string, by: string): VersionState {
    const version = this.versionsOf(id).find(({ state }) => state === 'active') ?? this.inForce(id);
    if (!version || version.state === 'simulating')
      throw new PolicyRefusedError(`${id} is neither active nor a canary`, 'nothing is to be rolled back');
    const wasActive = version.state === 'active';
    this.#move(version, 'simulating', reason, by);
    this.manifests.countActivation(id);
    const before = wasActive ? this.#before(version) : undefined;
    if (before) {
      const text = this.#textOf(before);
      if (needsApprovals(text.severity))
        this.#move(
          before,
          'canary',
          `version ${version.version} was rolled back; it needs new approvals`,
          by,
        );
      else this.#makeActive(before, `version ${version.version} was rolled back`, by);
    }
    return version;
  }

  deprecate(id: string, by: string): VersionState {
    const version = this.inForce(id) ?? this.target(id);
    if (version.state === 'active') this.manifests.countActivation(id);
    return this.#move(version, 'deprecated', 'asked for', by);
  }

  /** A manifest for people to sign; the one that waits already, if its text is still the one to activate. */
  request(id: string): Signed {
    const version = this.target(id);
    this.obstacles.check(this.#texts.get(version.hash));
    return this.manifests.request(version);
  }

  /** Lets canaries age: rolls back what goes wrong, activates what was stable. True if a state changed. */
  tick(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const passedMs = Math.max(0, nowMs - this.#tickMs);
    this.#tickMs = nowMs;
    let changed = false;
    for (const version of this.state.versions) {
      if (version.state !== 'canary') continue;
      const run = (version.canary ??= { observedMs: 0, windows: [] });
      run.observedMs += passedMs;
      currentWindow(run, this.rules);
      if (mustRollBack(run, this.rules)) {
        const percent = this.rules.falsePositivePercent;
        this.rollback(version.id, `false positives above ${percent} % in 3 consecutive windows`, 'sentinel');
        changed = true;
      } else if (!needsApprovals(this.#textOf(version).severity) && isStable(run, this.rules)) {
        if (this.obstacles.holds(this.#textOf(version))) continue;
        this.#makeActive(version, 'stable canary', 'sentinel');
        changed = true;
      }
    }
    return changed;
  }

  #makeActive(version: VersionState, reason: string, by: string, signed?: Signed): VersionState {
    for (const other of this.versionsOf(version.id)) {
      if (other !== version && other.state === 'active')
        this.#move(
          other,
          'deprecated',
          `replaced by version ${version.version} (${version.hash.slice(0, 12)})`,
          by,
        );
    }
    this.manifests.countActivation(version.id);
    return this.#move(version, 'active', reason, by, signed);
  }

  /** The version that this one replaced. */
  #before({ id, hash }: VersionState): VersionState | undefined {
    const replaced = this.state.history.findLast(
      (entry) =>
        entry.id === id &&
        entry.to === 'deprecated' &&
        entry.hash !== hash &&
        entry.reason.includes(hash.slice(0, 12)),
    );
    return this.versionsOf(id).find(
      (version) => version.hash === replaced?.hash && version.state === 'deprecated',
    );
  }

  #find(hash: string): VersionState {
    return this.state.versions.find((version) => version.hash === hash) as VersionState;
  }

  #textOf(version: VersionState): Policy {
    const text = this.#texts.get(version.hash);
    if (text) return text;
    throw new PolicyRefusedError(
      `the text of ${version.id} version ${version.version} is not there`,
      'put its file back',
    );
  }

  #step(id: string, from: readonly PolicyState[], to: PolicyState, reason: string, by: string): VersionState {
    const version = this.target(id);
    if (!from.includes(version.state))
      throw new PolicyRefusedError(
        `${id} is ${version.state}; it cannot become ${to}`,
        nextStep(id, version.state),
      );
    this.#textOf(version);
    return this.#move(version, to, reason, by);
  }

  #move(version: VersionState, to: PolicyState, reason: string, by: string, signed?: Signed): VersionState {
    const from = version.state;
    version.state = to;
    version.sinceMs = this.nowMs();
    this.#note(version, from, to, reason, by, signed);
    return version;
  }

  #note(
    version: VersionState,
    from: HistoryEntry['from'],
    to: PolicyState,
    reason: string,
    by: string,
    signed?: Signed,
  ): void {
    const { history } = this.state;
    const last = history.at(-1);
    const { id, version: number, hash } = version;
    const entry = {
      seq: (last?.seq ?? 0) + 1,
      id,
      version: number,
      hash,
      from,
      to,
      reason,
      by,
      tsMs: this.nowMs(),
    };
    const told = signed === undefined ? entry : { ...entry, signed };
    history.push({ ...told, chain: hashText(`${last?.chain ?? ''}${JSON.stringify(told)}`) });
    if (history.length > MAX_HISTORY) history.shift();
    this.#changed();
  }

  #changed(): void {
    this.state.counter += 1;
    this.noteTime();
  }

  /** Time on record never goes back. */
  noteTime(): void {
    this.state.clockMs = Math.max(this.state.clockMs, Math.floor(this.nowMs()));
  }

  /** Whether something changes by time alone. */
  isWaiting(): boolean {
    return this.state.pending.length > 0 || this.state.versions.some(({ state }) => state === 'canary');
  }
}

function nextStep(id: string, state: PolicyState): string {
  const next: Record<PolicyState, string> = {
    draft: `first sentinel policy simulate ${id}`,
    simulating: `next is sentinel policy canary ${id}`,
    canary: `next is sentinel policy activate ${id}`,
    active: `sentinel policy rollback ${id} takes it back`,
    deprecated: `sentinel policy simulate ${id} begins anew`,
  };
  return next[state];
}
