/** Puts the policies of a data folder into the pipeline of an agent. */
import { policyTextRecord } from './audit/decision.ts';
import type { ConfigValues } from './config-options.ts';
import { LogDecisionRecorder } from './decision-recorder.ts';
import type { ErrorCounters } from './errors.ts';
import { wallNowNs } from './host-info.ts';
import type { Identity } from './identity/identity.ts';
import type { SecurityLane } from './lanes/security.ts';
import type { Log } from './log.ts';
import type { Pipeline } from './pipeline.ts';
import type { DlpNames } from './policy/dlp-names.ts';
import type { LifecycleClock } from './policy/lifecycle.ts';
import type { SentinelEvent } from './event.ts';
import type { Decision, Effect, Enforcer } from './policy/types.ts';
import { canaryRules, PolicyService } from './policy-service.ts';
import { PolicyStage } from './policy-stage.ts';

export function openPolicies(parts: {
  dataDir: string;
  settings: ConfigValues;
  identity: Identity;
  enforcer: Enforcer;
  quarantine: (decision: Decision, event: SentinelEvent) => Promise<Effect>;
  pipeline: Pick<Pipeline, 'usePolicies'>;
  security: SecurityLane;
  errors: ErrorCounters;
  log: Log;
  /** Indexes and rules of protected data in force. */
  dlpNames: () => DlpNames;
  /** Time as the life of policies sees it. */
  clock?: LifecycleClock;
}): PolicyService {
  const { dataDir, settings, identity, enforcer, pipeline, security, errors, log } = parts;
  let stage: PolicyStage | undefined;
  const policies = new PolicyService({
    dataDir,
    identity,
    enforcer,
    rules: canaryRules(settings),
    clock: parts.clock ?? { wallMs: Date.now, monotonicMs: () => performance.now() },
    onChange: () => stage && pipeline.usePolicies(stage),
    recordText: (hash, text) => security.append([policyTextRecord(hash, text, wallNowNs())], true) !== 0,
    dlpNames: parts.dlpNames,
    onNotice: (notice) => log.warn({}, notice),
  });
  stage = new PolicyStage({
    engine: policies.engine,
    enforcer,
    quarantine: parts.quarantine,
    recorder: new LogDecisionRecorder(security, (hash) => policies.textOf(hash)),
    security,
    nowNs: wallNowNs,
    onCanary: (hash, eventId) => policies.decided(hash, eventId),
    onActed: (decision, event) => policies.acts.note(decision, event),
    onUnrecorded: () => errors.count('decision_not_recorded'),
  });
  pipeline.usePolicies(stage);
  return policies;
}
