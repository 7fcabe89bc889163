/**
 * The detection stage of the pipeline: rules, correlations and indicators against one event at a time.
 *
 * `evaluate` returns undefined when nothing matched and then has allocated nothing but the folded field texts.
 */
import type { Detection, Hashes, SentinelEvent } from '../event.ts';
import { CompiledRules } from './compiled-rules.ts';
import type { Bucket, FilterContext } from './compiled-rules.ts';
import { CorrelationEngine } from './correlation.ts';
import type { CorrelationHit } from './correlation.ts';
import { clausesOf, explainNode } from './explain.ts';
import type { Explanation } from './explain.ts';
import { covers } from './filter.ts';
import { testsOf } from './rule.ts';
import type { LoadedRule, RuleSet } from './rule-set.ts';
import { EventSource, VIEWS, ViewTable } from './views.ts';
import type { EventView } from './views.ts';
import { canMatch } from './runnable.ts';

/** Matches an event against lists of known bad things; see indicators/. */
export interface IndicatorMatcher {
  /** How many indicators there are; a matcher that does not say is always asked. */
  readonly size?: number;
  match(event: SentinelEvent): Detection[] | undefined;
  /** The same for hashes that became known after the event they belong to. */
  matchHashes(hashes: Hashes): Detection[] | undefined;
}

export interface DetectorOptions {
  indicators?: IndicatorMatcher;
  /** Milliseconds since the epoch, for the expiry of exceptions. */
  now?: () => number;
}

interface CompiledView {
  bucket: Bucket;
  /** Keyword rules for the whole product: looked for in one record of an event, not in each. */
  general: Bucket;
  source: EventSource;
  when: ((event: SentinelEvent) => boolean) | undefined;
}

export class Detector {
  readonly rules: RuleSet;
  /** Detections so far, by rule id. */
  readonly hits = new Map<string, number>();
  indicators: IndicatorMatcher | undefined;
  readonly #compiled: CompiledRules;
  readonly #table = new ViewTable();
  readonly #views: CompiledView[];
  readonly #correlations: CorrelationEngine;
  readonly #now: () => number;
  readonly #context: FilterContext = { nowMs: 0, deviceId: undefined, user: undefined };

  constructor(rules: RuleSet, options: DetectorOptions = {}) {
    this.rules = rules;
    this.indicators = options.indicators;
    this.#now = options.now ?? Date.now;
    this.#compiled = new CompiledRules(rules);
    const blocked = new Set(rules.notRunnable.map(({ id, file }) => `${id}\u0000${file}`));
    const applies = (rule: LoadedRule, view: EventView): boolean =>
      !blocked.has(`${rule.id}\u0000${rule.file}`) &&
      covers(rule.logsource, view.logsource) &&
      canMatch(rule.root, view);
    this.#views = VIEWS.map((view) => ({
      bucket: this.#compiled.bucket((rule) => !isGeneral(rule) && applies(rule, view)),
      general: this.#compiled.bucket((rule) => isGeneral(rule) && applies(rule, view)),
      source: new EventSource(this.#compiled.fields, view.view),
      when: view.when,
    }));
    this.#correlations = new CorrelationEngine(rules, this.#compiled);
  }

  /** All detections of an event, each rule once; undefined if there are none. */
  evaluate(event: SentinelEvent): Detection[] | undefined {
    let detections: Detection[] | undefined;
    const views = this.#table.of(event);
    if (views.length > 0) {
      this.#context.nowMs = this.#now();
      this.#context.deviceId = event.deviceId;
      this.#context.user = event.process?.user;
    }
    for (let i = 0; i < views.length; i += 1) {
      const view = this.#views[views[i] as number] as CompiledView;
      if (view.when !== undefined && !view.when(event)) continue;
      if (view.bucket.rules.length === 0 && (i > 0 || view.general.rules.length === 0)) continue;
      this.#compiled.begin(view.source.use(event));
      if (i === 0 && view.general.rules.length > 0) {
        const count = this.#compiled.run(view.general, this.#context);
        if (count > 0) detections = this.#collect(event, count, detections);
      }
      if (view.bucket.rules.length === 0) continue;
      const count = this.#compiled.run(view.bucket, this.#context);
      if (count > 0) detections = this.#collect(event, count, detections);
    }
    const indicated = this.indicators?.match(event);
    if (indicated) {
      for (const detection of indicated) this.#count(detection.ruleId);
      detections = detections ? detections.concat(indicated) : indicated;
    }
    return detections;
  }

  /** Detections for hashes of a program that had started before they were known; undefined if they are not listed. */
  evaluateHashes(hashes: Hashes): Detection[] | undefined {
    const indicated = this.indicators?.matchHashes(hashes);
    for (const detection of indicated ?? []) this.#count(detection.ruleId);
    return indicated;
  }

  /** False if no event of this type and action can have a detection, as long as there are no indicators. */
  hasRulesFor(type: string, action: string): boolean {
    return this.#table.at(type, action).some((id, i) => {
      const { bucket, general } = this.#views[id] as CompiledView;
      return bucket.rules.length > 0 || (i === 0 && general.rules.length > 0);
    });
  }

  /** Whether there are indicators, which look at every event. */
  get hasIndicators(): boolean {
    return this.indicators !== undefined && this.indicators.size !== 0;
  }

  #collect(event: SentinelEvent, count: number, before: Detection[] | undefined): Detection[] | undefined {
    let detections = before;
    const matched = this.#compiled.matched.slice(0, count);
    for (const rule of matched) {
      if (!rule.standalone || detections?.some((known) => known.ruleId === rule.id)) continue;
      this.#count(rule.id);
      (detections ??= []).push(this.#detection(rule));
    }
    if (this.#correlations.size === 0) return detections;
    for (const hit of this.#correlations.feed(matched, event.tsNs)) {
      if (!hit.rule.standalone) continue;
      this.#count(hit.rule.id);
      (detections ??= []).push(correlated(hit));
    }
    return detections;
  }

  #detection(rule: LoadedRule): Detection {
    const clauses = clausesOf(rule.root, this.#compiled.cache, this.#compiled.fields);
    const { id, title, level, attack, source } = rule;
    return { ruleId: id, title, level, attack, clauses, source };
  }

  #count(id: string): void {
    this.hits.set(id, (this.hits.get(id) ?? 0) + 1);
  }

  /** Why a rule matches an event or not; undefined if it does not apply to events of this kind. */
  explain(rule: LoadedRule, event: SentinelEvent): Explanation | undefined {
    let best: Explanation | undefined;
    for (const id of this.#table.of(event)) {
      const { logsource } = VIEWS[id] as (typeof VIEWS)[number];
      const view = this.#views[id] as CompiledView;
      if (!covers(rule.logsource, logsource) || (view.when !== undefined && !view.when(event))) continue;
      this.#compiled.cache.reset(view.source.use(event), this.#compiled.fields.names.length);
      const explanation = explainNode(rule.root, this.#compiled.cache, this.#compiled.fields);
      const better = !best || (explanation.matched && !best.matched);
      // Of several records of one event, the one that came closest tells most.
      if (better || (best && !best.matched && explanation.misses.length < best.misses.length))
        best = explanation;
    }
    return best;
  }

  /** Rules of the set that cannot match what this sensor sees, with the reason. */
  get notRunnable(): RuleSet['notRunnable'] {
    return this.rules.notRunnable;
  }

  /** State of the correlations' bounded windows. */
  get correlationEvictions(): { groups: number; entries: number } {
    return { groups: this.#correlations.evictedGroups, entries: this.#correlations.evictedEntries };
  }

  /** Rules evaluated so far because one of their literals was present, or because they have none. */
  get evaluations(): number {
    return this.#views.reduce(
      (sum, { bucket, general }) => sum + bucket.matcher.evaluations + general.matcher.evaluations,
      0,
    );
  }
}

/** A rule for all logs of a product that only searches for keywords. */
function isGeneral(rule: LoadedRule): boolean {
  const { category, service } = rule.logsource;
  if (category !== undefined || service !== undefined) return false;
  for (const test of testsOf(rule.root)) if (test.field !== '') return false;
  return true;
}

function correlated({ rule, group, count }: CorrelationHit): Detection {
  const { id, title, level, attack, source } = rule;
  const values = Object.entries(group).map(([field, value]) => ({
    selection: 'group-by',
    field,
    pattern: '*',
    value,
  }));
  const bounds = rule.bounds.map(({ op, count: bound }) => `${op} ${bound}`).join(' and ');
  const clauses = [
    { selection: rule.type, field: 'count', pattern: bounds, value: String(count) },
    ...values,
  ];
  return { ruleId: id, title, level, attack, clauses, source };
}

/** Why a rule matches an event or not. For a single question; a Detector answers many faster. */
export function explainRule(rule: LoadedRule, event: SentinelEvent): Explanation | undefined {
  const set: RuleSet = {
    rules: [rule],
    correlations: [],
    filters: rule.filters,
    failed: [],
    notRunnable: [],
    warnings: [],
  };
  return new Detector(set).explain(rule, event);
}
