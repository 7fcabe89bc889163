/** The methods of the Local API about policies. Refusals cross as they are: what, why, and what to do. */
import type { EventDetail, PolicySimulation, TriageDecision } from './api/contract.ts';
import { ApiFailure, type ApiServices, type Peer } from './api/services.ts';
import { describeError, SentinelError } from './errors.ts';
import { eventFromJson } from './event-json.ts';
import type { SentinelEvent } from './event.ts';
import { checkExpiry } from './exceptions.ts';
import { completePolicy } from './policy/complete.ts';
import { PolicyConflictError, templates } from './policy-drafts.ts';
import { loadPolicyFiles } from './policy-files.ts';
import { explainPolicy } from './policy-explain.ts';
import type { PolicyService } from './policy-service.ts';
import { addSlice, newSimulation, type SliceRequest, type SliceResult } from './policy-simulation.ts';
import type { TimelineClient } from './timeline-client.ts';
import type { LanePositions } from './timeline-messages.ts';
import { nameOf } from './triage.ts';

interface Parts {
  policies: PolicyService;
  timeline: Pick<TimelineClient, 'call'>;
  record: (events: readonly SentinelEvent[]) => readonly number[];
  settle: () => Promise<LanePositions>;
  nowNs: () => bigint;
  /** Sees to it that indexes and rules which were put in place just now are in force. */
  refreshDlp: () => Promise<void>;
}

type Served = Pick<
  ApiServices['methods'],
  | 'policy.list'
  | 'policy.get'
  | 'policy.explain'
  | 'policy.validate'
  | 'policy.diff'
  | 'policy.templates'
  | 'policy.except'
  | 'policy.save'
  | 'policy.simulation'
  | 'policy.reload'
  | 'policy.step'
  | 'policy.run'
  | 'policy.cancel'
  | 'policy.thaw'
  | 'policy.release'
  | 'policy.request'
  | 'policy.approve'
  | 'policy.approvers'
>;

interface Run {
  simulation: PolicySimulation;
  stop: boolean;
}

const NS_PER_DAY = 86_400_000_000_000n;
const MAX_RUNS = 64;
/** Suggested life of an exception. */
const DEFAULT_EXCEPTION_MS = 90 * 86_400_000;

export function policyMethods(parts: Parts, byOf: (peer: Peer) => TriageDecision['by']): Served {
  const { policies } = parts;
  const runs = new Map<string, Run>();
  const who = (peer: Peer): string => nameOf(byOf(peer));
  /** A change of state is itself on record. */
  const told = (by: string, message: string, details: Record<string, string>): void => {
    const event: SentinelEvent = {
      eventId: 0,
      type: 'decision',
      action: 'policy_change',
      lane: 'security',
      tsNs: parts.nowNs(),
      severity: 'info',
      message: `${message} by ${by}`,
      details,
    };
    parts.record([event]);
  };

  const simulate = async (run: Run, request: SliceRequest): Promise<void> => {
    const upTo = await parts.settle();
    let before: string | undefined;
    do {
      const { text } = await parts.timeline.call('policy.slice', { ...request, before }, upTo);
      const slice = JSON.parse(text) as SliceResult;
      addSlice(run.simulation, slice);
      before = slice.older;
    } while (before !== undefined && !run.stop);
    run.simulation.cancelled = run.stop && before !== undefined;
  };

  /** The event that a decision is about, or the event itself. */
  const decidedEvent = async (eventId: string): Promise<SentinelEvent> => {
    const upTo = await parts.settle();
    const get = async (id: string): Promise<EventDetail['event']> => {
      const { text } = await parts.timeline.call('events.get', { eventId: id }, upTo);
      return (JSON.parse(text) as EventDetail).event;
    };
    const event = await get(eventId);
    return eventFromJson({ ...(event.decision ? await get(event.decision.eventId) : event) });
  };

  return {
    'policy.list': async () => policies.overview(),
    'policy.get': async ({ id }) => refusing(() => policies.get(id)),
    'policy.explain': async (params) => {
      try {
        return await explainPolicy(parts, params);
      } catch (error) {
        if (error instanceof SentinelError) throw new ApiFailure('bad_request', describeError(error));
        throw error;
      }
    },
    'policy.validate': async ({ text, caret }) => {
      const checked = loadPolicyFiles([{ file: 'policy', text }], policies.compile);
      const unknown = checked.policies.flatMap((loaded) => policies.unknownNames(loaded));
      return {
        valid: checked.policies.length,
        problems: checked.problems,
        warnings: [...checked.warnings, ...unknown],
        policies: checked.policies.map((loaded) => {
          const { id, version, hash, severity, action } = loaded.policy;
          return { id, version, hash, severity, action, reach: policies.reachOf(loaded) };
        }),
        completions: caret === undefined ? [] : completePolicy(text, Math.min(caret, text.length)),
      };
    },
    'policy.diff': async ({ id, text }) => refusing(() => policies.desk.difference(id, text)),
    'policy.templates': async () => ({ templates: templates(policies.compile) }),
    'policy.except': async ({ id, eventId, conditions, reason, expires }, { peer }) => {
      const nowMs = Number(parts.nowNs() / 1_000_000n);
      if (expires !== undefined) checkExpiry(expires, nowMs);
      const event = await decidedEvent(eventId);
      return refusing(() =>
        policies.desk.draftException(id, event, {
          conditions,
          owner: who(peer),
          reason: reason ?? '',
          expires: expires ?? new Date(nowMs + DEFAULT_EXCEPTION_MS).toISOString().slice(0, 10),
        }),
      );
    },
    'policy.save': async ({ text, base }, { peer }) => {
      const saved = refusing(() => policies.desk.save(text, base));
      const { id, version, hash } = saved.version;
      const by = who(peer);
      told(by, `policy ${id} version ${version} was saved as a draft`, { policy: id, hash, step: 'save' });
      return saved;
    },
    'policy.simulation': async ({ id }) => {
      const run = runs.get(id);
      return run ? { simulation: run.simulation } : {};
    },
    'policy.reload': async () => {
      refusing(() => policies.reload());
      return policies.overview();
    },
    'policy.step': async ({ id, step, reason }, { peer }) => {
      const by = who(peer);
      if (step === 'canary' || step === 'activate') await parts.refreshDlp();
      const version = refusing(() => policies.step(id, step, by, reason));
      const { hash, state, version: number } = version;
      told(by, `policy ${id} version ${number} is ${state}`, { policy: id, hash, state, step });
      return { version };
    },
    'policy.run': async ({ id, days, text }) => {
      const { target, active } = refusing(() => policies.desk.texts(id, text));
      const earlier = runs.get(id);
      if (earlier) earlier.stop = true;
      const run: Run = { simulation: newSimulation(target.policy, active?.policy), stop: false };
      runs.delete(id);
      runs.set(id, run);
      if (runs.size > MAX_RUNS) for (const [first] of runs) runs.delete(first === id ? '' : first);
      const request: SliceRequest = { text: target.policy.text };
      if (active) request.activeText = active.policy.text;
      if (days !== undefined) request.fromNs = (parts.nowNs() - BigInt(days) * NS_PER_DAY).toString();
      void simulate(run, request)
        .catch(() => (run.simulation.cancelled = true))
        .finally(() => (run.simulation.done = true));
      return { simulation: run.simulation };
    },
    'policy.thaw': async ({ cgroup }, { peer }) => {
      const thawed = [...policies.thaw(cgroup)];
      for (const { cgroup: path, policyId } of thawed)
        told(who(peer), `${path} was thawed`, { policy: policyId, step: 'thaw', cgroup: path });
      return { thawed };
    },
    'policy.release': async ({ pid, reason = '' }, { peer }) => {
      const released = [...policies.release(pid)];
      for (const { pid: each, name, policyId } of released)
        told(who(peer), `${name} (${each}) may reach the network again`, {
          policy: policyId,
          step: 'release',
          pid: String(each),
          ...(reason === '' ? {} : { reason }),
        });
      return { released };
    },
    'policy.cancel': async ({ id }) => {
      const run = runs.get(id);
      if (!run || run.simulation.done) return { cancelled: false };
      run.stop = true;
      return { cancelled: true };
    },
    'policy.request': async ({ id }) => {
      await parts.refreshDlp();
      return refusing(() => policies.request(id));
    },
    'policy.approve': async ({ nonce, approval }, { peer }) => {
      const pending = refusing(() => policies.approve(nonce, approval));
      const { policyId, hash } = pending.manifest;
      told(who(peer), `approval of ${policyId} with key ${approval.keyId} was handed in`, {
        policy: policyId,
        hash,
        key: approval.keyId,
      });
      return pending;
    },
    'policy.approvers': async ({ approvers }, { peer }) => {
      const pending = refusing(() => policies.setApprovers(approvers));
      const now = policies.approvers();
      if (pending) return { approvers: now, pending };
      told(who(peer), `approvers were set: ${now.map(({ name }) => name).join(', ')}`, {});
      return { approvers: now };
    },
  };
}

/** Runs something that may refuse, and answers with the refusal. */
function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof PolicyConflictError) throw new ApiFailure('conflict', describeError(error));
    if (error instanceof SentinelError) throw new ApiFailure('bad_request', describeError(error));
    throw error;
  }
}
