/**
 * What an exception would hide: drafted from one rule's match on an event and tried on what this machine has recorded.
 * Loaded by the timeline worker when somebody asks.
 *
 * It is tried as a rule with the same selection: what such a rule matches is what the filter drops.
 */
import { parse, stringify } from 'yaml';
import type { EventJson, ExceptionCondition, ExceptionPreview } from './api/contract.ts';
import { ApiFailure } from './api/services.ts';
import { Detector } from './detect/detector.ts';
import { draftException } from './detect/draft-exception.ts';
import { covers } from './detect/filter.ts';
import type { LogSource } from './detect/rule.ts';
import { loadRules } from './detect/rule-set.ts';
import { MAX_SHOWN } from './detect/text.ts';
import { VIEWS } from './detect/views.ts';
import { eventToJson } from './event-json.ts';
import type { Detection, SentinelEvent } from './event.ts';
import type { QueryNode } from './store/query-ast.ts';
import type { Timeline } from './store/timeline.ts';
import type { TriageIndex } from './triage.ts';

/** What the agent sends its worker: the caller's choice, and the rule, which the worker does not have. */
export interface EffectRequest {
  eventId: string;
  rule: { id: string; title: string; logsource: LogSource };
  conditions?: ExceptionCondition[];
  /** Of the exception: id, who, why, until when. */
  draft: { id: string; owner: string; reason: string; expires: string };
}

const PAGE = 500;
const MAX_MATCHES = 3000;
const BUDGET_MS = 400;
const HIDDEN_EXAMPLES = 20;
const KEPT_EXAMPLES = 5;

/** What narrows an exception besides the fields of the rule; those an event does not have are left out. */
const NARROWING = [
  'Image',
  'exe',
  'CommandLine',
  'ParentImage',
  'TargetFilename',
  'name',
  'QueryName',
  'DestinationIp',
  'DestinationPort',
  'TargetImage',
  'ImageLoaded',
  'User',
  'uid',
] as const;

type Candidate = ExceptionPreview['candidates'][number];

function condition(field: string, value: string, fromRule: boolean): Candidate {
  // A detection holds long values only in part, and an exception of a megabyte helps nobody.
  return value.length > MAX_SHOWN
    ? { field, match: 'startswith', value: value.slice(0, MAX_SHOWN), fromRule }
    : { field, match: 'is', value, fromRule };
}

/** Everything an exception for this match can ask for, the fields of the rule first. */
function candidatesOf(event: SentinelEvent, detection: Detection, logsource: LogSource): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const { field, value } of detection.clauses) {
    const name = field.split('|')[0] ?? '';
    if (name !== '' && value !== 'null' && value !== '') found.set(name, condition(name, value, true));
  }
  const view = VIEWS.find(
    ({ logsource: own, events, when }) =>
      covers(logsource, own) &&
      Object.hasOwn(events, event.type) &&
      (events[event.type]?.includes(event.action) ?? true) &&
      (when?.(event) ?? true),
  );
  for (const field of NARROWING) {
    const value = found.has(field) ? undefined : view?.view.accessor(field)?.(event);
    if (typeof value !== 'string' && typeof value !== 'number') continue;
    if (String(value) !== '') found.set(field, condition(field, String(value), false));
  }
  return [...found.values()];
}

function fieldsOf(conditions: readonly ExceptionCondition[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const { field, match, value } of conditions) {
    const name = match === 'is' ? field : `${field}|${match}`;
    if (Object.hasOwn(fields, name)) {
      throw new ApiFailure(
        'bad_request',
        `${field} is asked for twice in the same way; an exception asks once`,
      );
    }
    fields[name] = value;
  }
  return fields;
}

/** Whether the selection of the filter matches an event. */
function hiding(rule: EffectRequest['rule'], yaml: string): (event: SentinelEvent) => boolean {
  const { filter } = parse(yaml) as { filter: { selection: unknown } };
  const text = stringify({
    title: rule.title,
    id: rule.id,
    logsource: rule.logsource,
    detection: { selection: filter.selection, condition: 'selection' },
  });
  const set = loadRules([{ path: 'exception', text, source: 'draft' }]);
  const [failed] = set.failed;
  if (failed) throw new ApiFailure('bad_request', `this exception cannot be used: ${failed.reason}`);
  const detector = new Detector(set);
  return (event) => detector.evaluate(event) !== undefined;
}

type Effect = Pick<
  ExceptionPreview,
  'matches' | 'hidden' | 'hiddenLabels' | 'hiddenExamples' | 'keptExamples' | 'complete' | 'sinceNs'
>;

function effectOf(
  timeline: Pick<Timeline, 'query'>,
  triage: Pick<TriageIndex, 'labelOf'>,
  ruleId: string,
  hides: (event: SentinelEvent) => boolean,
): Effect {
  const effect: Effect = {
    matches: 0,
    hidden: 0,
    hiddenLabels: {},
    hiddenExamples: [],
    keptExamples: [],
    complete: false,
  };
  const node: QueryNode = { kind: 'match', field: 'rule', pattern: [ruleId] };
  const deadline = performance.now() + BUDGET_MS;
  let before: string | undefined;
  do {
    const page = timeline.query(node, { limit: PAGE, before });
    for (const event of page.events) {
      if (!event.detections?.some((detection) => detection.ruleId === ruleId)) continue;
      effect.matches += 1;
      effect.sinceNs = event.tsNs.toString();
      const hidden = hides(event);
      const [examples, most] = hidden
        ? [effect.hiddenExamples, HIDDEN_EXAMPLES]
        : [effect.keptExamples, KEPT_EXAMPLES];
      if (examples.length < most) examples.push(eventToJson(event) as unknown as EventJson);
      if (!hidden) continue;
      effect.hidden += 1;
      const label = triage.labelOf(String(event.eventId), ruleId);
      if (label !== 'none') effect.hiddenLabels[label] = (effect.hiddenLabels[label] ?? 0) + 1;
    }
    before = page.older;
  } while (before !== undefined && effect.matches < MAX_MATCHES && performance.now() < deadline);
  effect.complete = before === undefined;
  return effect;
}

/** Drafts an exception and says what it would have hidden. Throws ApiFailure. */
export function previewException(
  timeline: Pick<Timeline, 'query' | 'get'>,
  triage: Pick<TriageIndex, 'labelOf'>,
  { eventId, rule, conditions: asked, draft }: EffectRequest,
): ExceptionPreview {
  const event = timeline.get(Number(eventId));
  if (!event) {
    throw new ApiFailure('not_found', `there is no event ${eventId}; retention may have removed it`);
  }
  const detection = event.detections?.find(({ ruleId }) => ruleId === rule.id);
  if (!detection) {
    throw new ApiFailure('not_found', `rule ${rule.id} did not match event ${eventId}; choose one that did`);
  }
  const candidates = candidatesOf(event, detection, rule.logsource);
  const conditions = asked ?? candidates.map(({ field, match, value }) => ({ field, match, value }));
  if (conditions.length === 0) {
    throw new ApiFailure(
      'bad_request',
      'this match names no field an exception could ask for; an exception without a condition would silence the rule',
    );
  }
  const fields = fieldsOf(conditions);
  const yaml = draftException(rule, { clauses: [] }, { ...draft, event: eventId, fields });
  const hides = hiding(rule, yaml);
  return {
    ruleId: rule.id,
    candidates,
    conditions,
    yaml,
    hidesEvent: hides(event),
    ...effectOf(timeline, triage, rule.id, hides),
  };
}
