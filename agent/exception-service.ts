/** The methods of the Local API about exceptions: try, save, list, remove. */
import type { ExceptionPreview, ExceptionSummary, TriageDecision } from './api/contract.ts';
import { ApiFailure, type ApiServices, type Peer } from './api/services.ts';
import { dataPaths } from './data-dir.ts';
import type { RuleSet } from './detect/rule-set.ts';
import type { SentinelEvent } from './event.ts';
import type { EffectRequest } from './exception-preview.ts';
import {
  checkExpiry,
  exceptionEvent,
  exceptionId,
  removeException,
  summaryOf,
  writeException,
} from './exceptions.ts';
import type { TimelineClient } from './timeline-client.ts';
import type { LanePositions } from './timeline-messages.ts';

interface Parts {
  dataDir: string;
  timeline: Pick<TimelineClient, 'call'>;
  ruleSet: () => RuleSet;
  reloadRules: () => Promise<unknown>;
  record: (events: readonly SentinelEvent[]) => readonly number[];
  settle: () => Promise<LanePositions>;
  nowNs: () => bigint;
}

type Served = Pick<
  ApiServices['methods'],
  'exceptions.preview' | 'exceptions.list' | 'exceptions.save' | 'exceptions.remove'
>;

const NS_PER_MS = 1_000_000n;
const DAY_MS = 86_400_000;
/** Suggested life of an exception. */
const DEFAULT_DAYS = 90;

export function exceptionMethods(parts: Parts, byOf: (peer: Peer) => TriageDecision['by']): Served {
  const folder = dataPaths(parts.dataDir).exceptions;
  const nowMs = (): number => Number(parts.nowNs() / NS_PER_MS);
  const list = (): ExceptionSummary[] =>
    parts.ruleSet().filters.map((filter) => summaryOf(filter, folder, nowMs()));

  /** Only a rule can have exceptions. */
  const ruleOf = (id: string): EffectRequest['rule'] => {
    const set = parts.ruleSet();
    const rule = set.rules.find((known) => known.id === id);
    if (rule) return { id: rule.id, title: rule.title, logsource: rule.logsource };
    if (set.correlations.some((known) => known.id === id)) {
      throw new ApiFailure(
        'bad_request',
        `rule ${id} is a correlation: make the exception for one of the rules it counts`,
      );
    }
    throw new ApiFailure(
      'not_found',
      `no rule ${id} is loaded: only matches of Sigma rules can have exceptions. Edit an indicator list to end its matches`,
    );
  };

  const record = (event: SentinelEvent): void => {
    if (parts.record([event]).length > 0) return;
    throw new ApiFailure(
      'unavailable',
      'the security log takes no records; nothing was changed. See sentinel status',
    );
  };

  const effect = async (request: EffectRequest): Promise<ExceptionPreview> => {
    const { text } = await parts.timeline.call('exceptions.effect', request, await parts.settle());
    return JSON.parse(text) as ExceptionPreview;
  };

  const addAndLoad = async (path: string, id: string): Promise<ExceptionSummary> => {
    await parts.reloadRules();
    const saved = list().find((known) => known.id === id);
    if (saved) return saved;
    removeException(path);
    await parts.reloadRules();
    throw new ApiFailure('internal', `exception ${id} could not be loaded and was removed again`);
  };

  return {
    'exceptions.list': async () => ({ exceptions: list() }),
    'exceptions.preview': async ({ eventId, ruleId, conditions }) => {
      const id = exceptionId(ruleId, eventId, conditions);
      const expires = new Date(nowMs() + DEFAULT_DAYS * DAY_MS).toISOString().slice(0, 10);
      const draft = { id, owner: '…', reason: '…', expires };
      return effect({ eventId, rule: ruleOf(ruleId), conditions, draft });
    },
    'exceptions.save': async ({ eventId, ruleId, conditions, reason, expires }, { peer }) => {
      checkExpiry(expires, nowMs());
      const by = byOf(peer);
      const owner = by.user ?? (by.uid === undefined ? 'unknown' : String(by.uid));
      const id = exceptionId(ruleId, eventId, conditions);
      const draft = { id, owner, reason, expires };
      const { yaml, hidesEvent } = await effect({ eventId, rule: ruleOf(ruleId), conditions, draft });
      if (!hidesEvent) {
        throw new ApiFailure(
          'bad_request',
          'the exception would not hide the match it was drafted from; change its conditions',
        );
      }
      const path = writeException(folder, id, yaml);
      try {
        record(exceptionEvent('saved', { id, rules: [ruleId], yaml }, by, parts.nowNs()));
      } catch (error) {
        removeException(path);
        throw error;
      }
      const exception = await addAndLoad(path, id);
      return { exception };
    },
    'exceptions.remove': async ({ id }, { peer }) => {
      const known = list().find((each) => each.id === id);
      if (!known) return { removed: false };
      if (!known.removable) {
        throw new ApiFailure(
          'bad_request',
          `${known.file} was not saved here; edit that file and reload the rules`,
        );
      }
      record(exceptionEvent('removed', known, byOf(peer), parts.nowNs()));
      removeException(known.file);
      await parts.reloadRules();
      return { removed: true };
    },
  };
}
