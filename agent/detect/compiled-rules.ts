/** A rule set made ready to match: one matcher per log source, one cache of fields, filters applied. */
import { FieldCache, FieldNames } from './field-cache.ts';
import type { ValueSource } from './field-cache.ts';
import type { FilterRule } from './filter.ts';
import { Matcher } from './matcher.ts';
import type { LoadedRule, RuleSet } from './rule-set.ts';

/** The rules that apply to one kind of event. */
export interface Bucket {
  rules: LoadedRule[];
  matcher: Matcher;
}

/** What a filter's scope and expiry are checked against. */
export interface FilterContext {
  nowMs: number;
  deviceId: string | undefined;
  user: string | undefined;
}

export class CompiledRules {
  readonly set: RuleSet;
  readonly fields = new FieldNames();
  readonly cache = new FieldCache();
  /** Rules that matched last and were not filtered; valid up to the result of `run`. */
  readonly matched: LoadedRule[] = [];
  readonly #filters: Matcher;
  readonly #filterIds = new Map<FilterRule, number>();

  constructor(set: RuleSet) {
    this.set = set;
    this.#filters = new Matcher(
      set.filters.map((filter) => filter.drop),
      this.fields,
    );
    for (const [i, filter] of set.filters.entries()) this.#filterIds.set(filter, i);
  }

  bucket(applies: (rule: LoadedRule) => boolean): Bucket {
    const rules = this.set.rules.filter(applies);
    return {
      rules,
      matcher: new Matcher(
        rules.map((rule) => rule.root),
        this.fields,
      ),
    };
  }

  /** Starts a new event, seen through `source`. */
  begin(source: ValueSource): void {
    this.cache.reset(source, this.fields.names.length);
  }

  /** Matches the rules of a bucket against the event begun; returns how many of `matched` count. */
  run(bucket: Bucket, context: FilterContext): number {
    const found = bucket.matcher.run(this.cache);
    let count = 0;
    for (let i = 0; i < found; i += 1) {
      const rule = bucket.rules[bucket.matcher.matched[i] as number] as LoadedRule;
      if (rule.filters.length === 0 || !this.#suppressed(rule, context)) this.matched[count++] = rule;
    }
    return count;
  }

  #suppressed(rule: LoadedRule, context: FilterContext): boolean {
    let suppressed = false;
    for (const filter of rule.filters) {
      if (!inScope(filter, context)) continue;
      if (!this.#filters.matches(this.#filterIds.get(filter) as number, this.cache)) continue;
      // Every filter that fits counts its hit, so that an unused one can be told from a shadowed one.
      filter.hits += 1;
      filter.lastHitMs = context.nowMs;
      suppressed = true;
    }
    return suppressed;
  }
}

function inScope(filter: FilterRule, context: FilterContext): boolean {
  if (filter.expiresMs !== undefined && context.nowMs >= filter.expiresMs) return false;
  const { devices, users } = filter.scope;
  if (devices.length > 0 && (context.deviceId === undefined || !devices.includes(context.deviceId)))
    return false;
  return users.length === 0 || (context.user !== undefined && users.includes(context.user));
}
