/**
 * The policy stage of the pipeline: evaluate, decide, act once the event is on record or the deadline has come, record.
 *
 * The decision is made at once; its effect is released with the durability of the event's record, or after 8 ms of a slow
 * disk, and the record then says that it ran ahead. What is only watched (simulating, alerts) waits for nothing.
 */
import { LATE_HASH } from './audit/decision.ts';
import type { Hashes, SentinelEvent } from './event.ts';
import type { SecurityLane } from './lanes/security.ts';
import { LatencyHistogram } from './latency.ts';
import type { PolicyEngine, ServedPolicy } from './policy/engine.ts';
import type { Decision, DecisionRecorder, Effect, Enforcer } from './policy/types.ts';

export interface PolicyStageParts {
  engine: PolicyEngine;
  enforcer: Enforcer;
  /** Moves the file of an event away. Never rejects. */
  quarantine: (decision: Decision, event: SentinelEvent) => Promise<Effect>;
  recorder: DecisionRecorder;
  security: Pick<SecurityLane, 'release'>;
  nowNs: () => bigint;
  /** A canary decided: its windows count. */
  onCanary: (policyHash: string, eventId: number) => void;
  /** Something was done about an event, or failed. */
  onActed?: (decision: Decision, event: SentinelEvent) => void;
  /** A decision could not be put on record. */
  onUnrecorded: () => void;
}

/** Starts whose hashes are awaited; when there are more the oldest are forgotten, and counted. */
const MAX_AWAITING = 4096;
const NOT_LATE: readonly string[] = [];

export class PolicyStage {
  readonly engine: PolicyEngine;
  /** Kernel event to decision, and decision to effect, microseconds. */
  readonly eventToDecision = new LatencyHistogram();
  readonly decisionToEffect = new LatencyHistogram();
  /** Starts that were not decided again because too many were waiting for their hashes. */
  forgotten = 0;
  readonly #awaiting = new Map<number, { event: SentinelEvent; before: readonly string[] }>();
  readonly #parts: PolicyStageParts;

  constructor(parts: PolicyStageParts) {
    this.engine = parts.engine;
    this.#parts = parts;
  }

  /** An event of the security lane, with its detections; `seq` is its place in the log, 0 when it has none. */
  onEvent(event: SentinelEvent, seq: number): void {
    if (this.engine.size === 0) return;
    if (event.action.startsWith('deny_') || event.details?.['policyHandle'] !== undefined)
      this.#kernelActed(event);
    const matched = this.engine.match(event);
    if (matched !== undefined) this.decide(event, seq, matched);
    if (this.engine.awaitsHashes && seq !== 0) this.#await(event, seq, matched);
  }

  /** Keeps a start whose executable is hashed only now, to decide again. */
  #await(event: SentinelEvent, seq: number, matched: readonly ServedPolicy[] | undefined): void {
    const { process, action } = event;
    if (action !== 'exec' || process?.exeIdentity === undefined || process.hashes !== undefined) return;
    this.#awaiting.set(seq, { event, before: (matched ?? []).map(({ loaded }) => loaded.policy.hash) });
    if (this.#awaiting.size <= MAX_AWAITING) return;
    for (const first of this.#awaiting.keys()) {
      this.#awaiting.delete(first);
      this.forgotten += 1;
      return;
    }
  }

  /** Hashes came after the starts they belong to: what they make hold is decided now, and says that it came late. */
  lateHashes(hashes: Hashes, seqs: readonly number[]): void {
    for (const seq of seqs) {
      const awaited = this.#awaiting.get(seq);
      if (awaited === undefined) continue;
      this.#awaiting.delete(seq);
      const { event, before } = awaited;
      if (event.process) event.process.hashes = { sha256: hashes.sha256, blake3: hashes.blake3 };
      const matched = this.engine.matchLate(event, before);
      if (matched !== undefined) this.decide(event, seq, matched, [LATE_HASH]);
    }
  }

  /** `late`: evidence of why it is decided only now. */
  decide(
    event: SentinelEvent,
    seq: number,
    matched: readonly ServedPolicy[],
    late: readonly string[] = NOT_LATE,
  ): void {
    for (const served of matched) {
      let decision = this.engine.decide(served, event, this.#parts.nowNs());
      if (late.length > 0) decision = { ...decision, evidence: [...decision.evidence, ...late] };
      this.eventToDecision.record((decision.latencyNs.eventToDecision ?? 0) / 1000);
      if (served.state === 'canary') this.#parts.onCanary(decision.policyHash, event.eventId);
      if (decision.wouldBe || decision.action === 'alert') this.#record(decision);
      else
        this.#parts.security.release(
          seq,
          (outcome) => this.#act(decision, event, outcome.aheadOfRecord),
          event.tsNs,
        );
    }
  }

  #act(decision: Decision, event: SentinelEvent, aheadOfRecord: boolean): void {
    const { enforcer, quarantine } = this.#parts;
    // Moving a file takes its time; nothing else waits for it.
    if (decision.action === 'quarantine')
      void quarantine(decision, event).then((effect) => this.#acted(decision, event, effect, aheadOfRecord));
    else this.#acted(decision, event, enforcer.act(decision, event), aheadOfRecord);
  }

  #acted(decision: Decision, event: SentinelEvent, effect: Effect, aheadOfRecord: boolean): void {
    const decisionToEffect = Math.max(0, Number(this.#parts.nowNs() - decision.tsNs));
    this.decisionToEffect.record(decisionToEffect / 1000);
    const latencyNs = { ...decision.latencyNs, decisionToEffect };
    const done = { ...decision, effect, aheadOfRecord, latencyNs };
    this.engine.settled(done);
    this.#record(done);
    this.#parts.onActed?.(done, event);
  }

  #kernelActed(event: SentinelEvent): void {
    const act = this.#parts.enforcer.kernelAct?.(event);
    if (act === undefined) return;
    const decision = this.engine.kernelDecision(
      act.handle,
      act.attempted,
      act.effect,
      this.#parts.nowNs(),
      act.evidence,
    );
    if (decision === undefined) return;
    this.#record(decision);
    this.#parts.onActed?.(decision, act.attempted);
  }

  #record(decision: Decision): void {
    if (!this.#parts.recorder.record(decision)) this.#parts.onUnrecorded();
  }
}
