/** Detections grouped by rule, from the newest matching events and the rule list. */
import type { EventJson, RuleSummary, Severity } from '../../../agent/api/contract.ts';
import { rank } from '../ui/severity-order.ts';

export interface RuleGroup {
  id: string;
  title: string;
  level: Severity;
  attack: readonly string[];
  /** Matches the agent has counted since start, or those seen here if it does not list the rule. */
  count: number;
  /** True when `count` only covers the events read here. */
  atLeast: boolean;
  latest: EventJson | undefined;
}

/** Worst level first, then most recent. `counts` are facet counts by rule id or title where known. */
export function groupByRule(
  events: readonly EventJson[],
  counts: ReadonlyMap<string, number>,
  complete: boolean,
): RuleGroup[] {
  const groups = new Map<string, RuleGroup>();
  for (const event of events) {
    for (const detection of event.detections ?? []) {
      const known = groups.get(detection.ruleId);
      if (known) {
        known.count += 1;
        continue;
      }
      groups.set(detection.ruleId, {
        id: detection.ruleId,
        title: detection.title,
        level: detection.level,
        attack: detection.attack,
        count: 1,
        atLeast: !complete,
        latest: event,
      });
    }
  }
  for (const group of groups.values()) {
    const counted = counts.get(group.id) ?? counts.get(group.title);
    if (counted !== undefined && counted >= group.count) {
      group.count = counted;
      group.atLeast = false;
    }
  }
  return [...groups.values()].sort((a, b) => {
    const byLevel = rank(b.level) - rank(a.level);
    if (byLevel !== 0) return byLevel;
    return Number(BigInt(b.latest?.tsNs ?? 0) - BigInt(a.latest?.tsNs ?? 0));
  });
}

/** Rules that match `wanted` in any column, those that have hit first. */
export function filterRules(rules: readonly RuleSummary[], wanted: string): RuleSummary[] {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  return rules
    .filter((rule) => {
      const text =
        `${rule.title} ${rule.id} ${rule.attack.join(' ')} ${rule.logsource} ${rule.level}`.toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .sort((a, b) => b.hits - a.hits || rank(b.level) - rank(a.level) || a.title.localeCompare(b.title));
}
