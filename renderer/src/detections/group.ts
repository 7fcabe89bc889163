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

/** Matches of one process and what descends from it: "these eight things came from one shell". */
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

/** How far up a common ancestor is looked for. */
const MAX_STEPS = 12;
/** What everything descends from says nothing about a chain. */
const ROOTS = /^[12]-/;

const entity = (process: ProcessRefJson): string => `${process.pid}-${process.startNs}`;

/**
 * The process that a match is put under: the one that leads its session (a login's shell, a service) if it is on record
 * above it, else its parent; itself when nothing but the roots is known above.
 */
function headOf({ process, parent, ancestry = [] }: EventJson): string {
  if (!process) return '';
  const leader = [entity(process), ...ancestry.slice(0, MAX_STEPS)].find(
    (id) => process.sessionId !== undefined && id.startsWith(`${process.sessionId}-`) && !ROOTS.test(id),
  );
  if (leader !== undefined) return leader;
  return parent && !ROOTS.test(entity(parent)) ? entity(parent) : entity(process);
}

/** The process with that id as far as events tell; without a name when none does. */
function refOf(id: string, known: ReadonlyMap<string, ProcessRefJson>): ProcessRefJson {
  const [pid = '0', startNs = '0'] = id.split('-');
  return known.get(id) ?? { pid: Number(pid), startNs, name: '' };
}

/**
 * Groups by chain of processes: matches below one process belong together, however far below, and with its own. A head
 * of which another group's head is an ancestor joins that group, as what a shell sent into a session of its own does.
 */
export function groupByChain(
  events: readonly EventJson[],
  isOpen: (event: EventJson, ruleId: string) => boolean,
): ChainGroup[] {
  const known = new Map<string, ProcessRefJson>();
  const above = new Map<string, readonly string[]>();
  const heads = new Map<EventJson, string>();
  for (const event of events) {
    const { process, parent, ancestry = [] } = event;
    if (!process) continue;
    if (parent) known.set(entity(parent), parent);
    known.set(entity(process), process);
    const head = headOf(event);
    heads.set(event, head);
    const line = [entity(process), ...ancestry];
    const at = line.indexOf(head);
    above.set(head, at < 0 ? [] : line.slice(at + 1, at + 1 + MAX_STEPS));
  }
  const all = new Set(heads.values());
  const topOf = (head: string): string => {
    let top = head;
    for (const id of above.get(head) ?? []) if (all.has(id)) top = id;
    return top;
  };
  const groups = new Map<string, ChainGroup>();
  // Oldest first, so that the latest is the last.
  for (const event of [...events].reverse()) {
    const head = heads.get(event);
    if (head === undefined) continue;
    const id = topOf(head);
    const rules = (event.detections ?? []).map((detection) => detection.title);
    const open = (event.detections ?? []).some((detection) => isOpen(event, detection.ruleId)) ? 1 : 0;
    const group = groups.get(id);
    if (!group) {
      const level = event.severity;
      groups.set(id, { id, process: refOf(id, known), level, rules, latest: event, events: [event], open });
      continue;
    }
    group.events.unshift(event);
    group.open += open;
    group.latest = event;
    group.rules = [...new Set([...group.rules, ...rules])];
    if (rank(event.severity) > rank(group.level)) group.level = event.severity;
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
