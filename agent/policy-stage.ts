/**
 * The policy stage of the pipeline: evaluate, decide, act once the event is on record or the deadline has come, record.
 *
 * The decision is made at once; its effect is released with the durability of the event's record, or after 8 ms of a slow
 * disk, and the record then says that it ran ahead. What is only watched (simulating, alerts) waits for nothing.
 */
import type { SentinelEvent } from './event.ts';
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

export class PolicyStage {
  readonly engine: PolicyEngine;
  /** Kernel event to decision, and decision to effect, microseconds. */
  readonly eventToDecision = new LatencyHistogram();
  readonly decisionToEffect = new LatencyHistogram();
  readonly #parts: PolicyStageParts;

  constructor(parts: PolicyStageParts) {
    this.engine = parts.engine;
    this.#parts = parts;
  }

  /** An event of the security lane, with its detections; `seq` is its place in the log, 0 when it has none. */
  onEvent(event: SentinelEvent, seq: number): void {
    if (this.engine.size === 0) return;
    if (event.action.startsWith('deny_')) this.#kernelActed(event);
    const matched = this.engine.match(event);
    if (matched !== undefined) this.decide(event, seq, matched);
  }

  decide(event: SentinelEvent, seq: number, matched: readonly ServedPolicy[]): void {
    for (const served of matched) {
      const decision = this.engine.decide(served, event, this.#parts.nowNs());
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
    const decision = this.engine.kernelDecision(act.handle, act.attempted, act.effect, this.#parts.nowNs());
    if (decision === undefined) return;
    this.#record(decision);
    this.#parts.onActed?.(decision, act.attempted);
  }

  #record(decision: Decision): void {
    if (!this.#parts.recorder.record(decision)) this.#parts.onUnrecorded();
  }
}
