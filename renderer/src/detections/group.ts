/** Detections grouped by rule, from the newest matching events and the rule list. */
import type { EventJson, ProcessRefJson, RuleSummary, Severity } from '../../../agent/api/contract.ts';
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
  /** The matches read here, newest first. */
  events: EventJson[];
  /** Of those, how many nobody has decided about. */
  open: number;
}

/** Matches of one process and what it started: "these eight things came from one shell". */
export interface ChainGroup {
  id: string;
  process: ProcessRefJson;
  level: Severity;
  rules: readonly string[];
  latest: EventJson;
  events: EventJson[];
  open: number;
}

/** Worst level first, then most recent. `counts` are facet counts by rule id or title where known. */
export function groupByRule(
  events: readonly EventJson[],
  counts: ReadonlyMap<string, number>,
  complete: boolean,
  isOpen: (event: EventJson, ruleId: string) => boolean = () => true,
): RuleGroup[] {
  const groups = new Map<string, RuleGroup>();
  for (const event of events) {
    for (const detection of event.detections ?? []) {
      const known = groups.get(detection.ruleId);
      if (known) {
        known.count += 1;
        known.events.push(event);
        known.open += isOpen(event, detection.ruleId) ? 1 : 0;
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
        events: [event],
        open: isOpen(event, detection.ruleId) ? 1 : 0,
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

/** Groups by the process that started the one that matched; a process that matched itself and by a child is one group. */
export function groupByChain(
  events: readonly EventJson[],
  isOpen: (event: EventJson, ruleId: string) => boolean,
): ChainGroup[] {
  const groups = new Map<string, ChainGroup>();
  const entity = (process: ProcessRefJson): string => `${process.pid}-${process.startNs}`;
  // Oldest first: a shell that matched is known before what it runs.
  for (const event of [...events].reverse()) {
    const { process, parent } = event;
    if (!process) continue;
    const own = groups.get(entity(process));
    const head = own || !parent ? process : parent;
    const known = own ?? groups.get(entity(head));
    const rules = (event.detections ?? []).map((detection) => detection.title);
    const open = (event.detections ?? []).some((detection) => isOpen(event, detection.ruleId)) ? 1 : 0;
    if (!known) {
      const id = entity(head);
      groups.set(id, {
        id,
        process: head,
        level: event.severity,
        rules,
        latest: event,
        events: [event],
        open,
      });
      continue;
    }
    known.events.unshift(event);
    known.open += open;
    known.latest = event;
    known.rules = [...new Set([...known.rules, ...rules])];
    if (rank(event.severity) > rank(known.level)) known.level = event.severity;
  }
  return [...groups.values()].sort(
    (a, b) => rank(b.level) - rank(a.level) || Number(BigInt(b.latest.tsNs) - BigInt(a.latest.tsNs)),
  );
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
