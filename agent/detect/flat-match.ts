/** Rules against plain objects of one log source: what `sentinel rules test` runs. */
import { CompiledRules } from './compiled-rules.ts';
import type { Bucket } from './compiled-rules.ts';
import { CorrelationEngine } from './correlation.ts';
import { covers } from './filter.ts';
import { FlatSource } from './flat-source.ts';
import type { FlatObject } from './flat-source.ts';
import type { LogSource } from './rule.ts';
import type { RuleSet } from './rule-set.ts';

export class FlatMatcher {
  readonly #compiled: CompiledRules;
  readonly #source: FlatSource;
  readonly #bucket: Bucket;
  readonly #correlations: CorrelationEngine;

  /** Without any part of a log source, every rule applies. */
  constructor(set: RuleSet, logsource: LogSource) {
    this.#compiled = new CompiledRules(set);
    this.#source = new FlatSource(this.#compiled.fields);
    const given = normalized(logsource);
    const any = Object.keys(given).length === 0;
    this.#bucket = this.#compiled.bucket((rule) => any || covers(rule.logsource, given));
    this.#correlations = new CorrelationEngine(set, this.#compiled);
  }

  /** Number of rules that apply to the log source. */
  get ruleCount(): number {
    return this.#bucket.rules.length;
  }

  /** Ids of the rules and correlations that match, in the order they were loaded. Time of the event: see eventTimeNs. */
  match(object: FlatObject): string[] {
    const nowMs = Date.now();
    this.#compiled.begin(this.#source.use(object));
    const count = this.#compiled.run(this.#bucket, {
      nowMs,
      deviceId: undefined,
      user: typeof object['User'] === 'string' ? object['User'] : undefined,
    });
    const ids: string[] = [];
    for (let i = 0; i < count; i += 1) {
      const rule = this.#compiled.matched[i];
      if (rule?.standalone) ids.push(rule.id);
    }
    if (this.#correlations.size > 0 && count > 0) {
      const matched = this.#compiled.matched.slice(0, count);
      const timeNs = eventTimeNs(object) ?? BigInt(nowMs) * 1_000_000n;
      for (const correlation of this.#correlations.feed(matched, timeNs)) {
        if (correlation.rule.standalone) ids.push(correlation.rule.id);
      }
    }
    return ids;
  }
}

const matchers = new WeakMap<RuleSet, Map<string, FlatMatcher>>();

/** Ids of the rules of `set` for `logsource` that match `object`. Compiles once per set and log source. */
export function matchFlat(set: RuleSet, logsource: LogSource, object: FlatObject): string[] {
  let known = matchers.get(set);
  if (!known) matchers.set(set, (known = new Map()));
  const { product = '', category = '', service = '' } = logsource;
  const key = `${product}\u0000${category}\u0000${service}`;
  let matcher = known.get(key);
  if (!matcher) known.set(key, (matcher = new FlatMatcher(set, logsource)));
  return matcher.match(object);
}

function normalized(logsource: LogSource): LogSource {
  const result: LogSource = {};
  for (const key of ['product', 'category', 'service'] as const) {
    const value = logsource[key];
    if (value !== undefined && value !== '') result[key] = value.toLowerCase();
  }
  return result;
}

const TIME_FIELDS = [
  '@timestamp',
  'timestamp',
  'Timestamp',
  'UtcTime',
  'TimeCreated',
  'SystemTime',
  'EventTime',
  'eventTime',
  'CreationTime',
  'time',
  'ts',
];

/** Time of a flat event from the first usual field that holds a date or a number since the epoch. */
export function eventTimeNs(object: FlatObject): bigint | undefined {
  for (const field of TIME_FIELDS) {
    const value = object[field];
    if (typeof value === 'number' && Number.isFinite(value)) return epochNs(value);
    if (typeof value !== 'string') continue;
    if (/^\d{9,19}(?:\.\d+)?$/.test(value)) return epochNs(Number(value));
    // Sysmon writes `2024-01-31 10:20:30.123` and means UTC.
    const iso = /^\d{4}-\d{2}-\d{2}[ T][\d:.]+$/.test(value) ? `${value.replace(' ', 'T')}Z` : value;
    const ms = Date.parse(iso);
    if (!Number.isNaN(ms)) return BigInt(ms) * 1_000_000n;
  }
  return undefined;
}

function epochNs(value: number): bigint {
  const ms = value < 1e11 ? value * 1e3 : value < 1e14 ? value : value < 1e17 ? value / 1e3 : value / 1e6;
  return BigInt(Math.round(ms * 1e6));
}
