/**
 * Findings of protected data put together by what was found, where, or by whom, over all that are on record. Made in the
 * timeline's worker; what it holds is bounded, and the answer says where a bound was met.
 */
import type { DlpGroupJson, DlpGroupsJson, DlpGroupSort } from './api/contract-dlp.ts';
import type { DlpMatchInfo, SentinelEvent } from './event.ts';
import type { Fold } from './store/fold.ts';

export interface GroupsAsked {
  by: 'rule' | 'file' | 'process';
  sort?: DlpGroupSort;
  up?: boolean;
  limit?: number;
}

/** Findings that are read: a few seconds of one core, in slices. */
const MAX_FINDINGS = 100_000;
const MAX_GROUPS = 20_000;
/** Files that are told apart, over all groups: a file counts in each group that it is in. */
const MAX_FILES = 100_000;
const DEFAULT_LIMIT = 100;

interface Group {
  told: Omit<DlpGroupJson, 'destinations' | 'firstNs' | 'lastNs'>;
  destinations: Set<string>;
  firstNs: bigint;
  lastNs: bigint;
  paths: Set<number>;
}

/** A document or a file by its name, a table or pattern by its rule. */
const nameOf = ({ kind, type, rule }: DlpMatchInfo): string =>
  kind === 'document' || kind === 'file' ? type : rule;

export class DlpGroups implements Fold<DlpGroupsJson> {
  readonly #asked: GroupsAsked;
  readonly #limits: { findings: number; groups: number; files: number };
  readonly #groups = new Map<string, Group>();
  readonly #paths = new Map<string, number>();
  #findings = 0;
  #hits = 0;
  #fromNs: bigint | undefined;
  #filesKept = 0;
  #noGroup = 0;

  constructor(asked: GroupsAsked, limits = { findings: MAX_FINDINGS, groups: MAX_GROUPS, files: MAX_FILES }) {
    this.#asked = asked;
    this.#limits = limits;
  }

  add(event: SentinelEvent): boolean {
    if (this.#findings >= this.#limits.findings) return false;
    this.#findings += 1;
    if (this.#fromNs === undefined || event.tsNs < this.#fromNs) this.#fromNs = event.tsNs;
    const matches = event.dlp?.matches ?? [];
    for (const { count } of matches) this.#hits += count;
    const path = event.file?.path ?? '';
    if (this.#asked.by === 'file') this.#count(path, { path }, event, matches);
    else if (this.#asked.by === 'process') {
      const { process } = event;
      const key = process?.executable ?? process?.name ?? '';
      const named = process && { name: process.name, executable: process.executable };
      this.#count(key, { process: named }, event, matches);
    } else this.#byRule(event, matches);
    return true;
  }

  #byRule(event: SentinelEvent, matches: readonly DlpMatchInfo[]): void {
    const [first] = matches;
    // Nearly always all of one rule.
    if (first && matches.every((each) => each.index === first.index && nameOf(each) === nameOf(first))) {
      this.#count(JSON.stringify([first.index, nameOf(first)]), { rule: ruleOf(first) }, event, matches);
      return;
    }
    const found = new Map<string, DlpMatchInfo[]>();
    for (const match of matches) {
      const key = JSON.stringify([match.index, nameOf(match)]);
      const known = found.get(key);
      if (known) known.push(match);
      else found.set(key, [match]);
    }
    for (const [key, own] of found) this.#count(key, { rule: ruleOf(own[0] as DlpMatchInfo) }, event, own);
  }

  #count(
    key: string,
    what: Pick<DlpGroupJson, 'rule' | 'path' | 'process'>,
    event: SentinelEvent,
    matches: readonly DlpMatchInfo[],
  ): void {
    const { tsNs } = event;
    let group = this.#groups.get(key);
    if (!group) {
      if (this.#groups.size >= this.#limits.groups) {
        this.#noGroup += 1;
        return;
      }
      group = {
        told: { key, ...what, findings: 0, files: 0, hits: 0, confidence: 0 },
        destinations: new Set(),
        firstNs: tsNs,
        lastNs: tsNs,
        paths: new Set(),
      };
      this.#groups.set(key, group);
    }
    const { told } = group;
    told.findings += 1;
    if (tsNs < group.firstNs) group.firstNs = tsNs;
    if (tsNs > group.lastNs) group.lastNs = tsNs;
    if (event.dlp) group.destinations.add(event.dlp.destination);
    this.#addPath(group, event.file?.path ?? '');
    for (const { count, confidence, kind, containment } of matches) {
      told.hits += count;
      if (confidence > told.confidence) told.confidence = confidence;
      if (kind === 'document' && containment !== undefined)
        told.containment = Math.max(told.containment ?? 0, containment);
    }
  }

  #addPath(group: Group, path: string): void {
    let id = this.#paths.get(path);
    if (id !== undefined && group.paths.has(id)) return;
    if (this.#filesKept >= this.#limits.files) {
      group.told.filesAtLeast = true;
      return;
    }
    if (id === undefined) this.#paths.set(path, (id = this.#paths.size));
    group.paths.add(id);
    group.told.files += 1;
    this.#filesKept += 1;
  }

  done(complete: boolean): DlpGroupsJson {
    const { sort = 'last', up = false, limit = DEFAULT_LIMIT } = this.#asked;
    const groups = [...this.#groups.values()].sort(comparator(sort, up));
    const answer: DlpGroupsJson = {
      groups: groups.slice(0, limit).map(({ told, destinations, firstNs, lastNs }) => ({
        ...told,
        destinations: [...destinations].sort(),
        firstNs: firstNs.toString(),
        lastNs: lastNs.toString(),
      })),
      total: groups.length,
      findings: this.#findings,
      hits: this.#hits,
    };
    if (this.#noGroup > 0) answer.noGroup = this.#noGroup;
    if (!complete && this.#fromNs !== undefined) answer.notBeforeNs = this.#fromNs.toString();
    return answer;
  }
}

const ruleOf = ({ index, rule, kind, type }: DlpMatchInfo): NonNullable<DlpGroupJson['rule']> => ({
  index,
  rule,
  kind,
  type,
});

function byLast(a: Group, b: Group): number {
  return a.lastNs === b.lastNs ? (a.told.key < b.told.key ? -1 : 1) : a.lastNs > b.lastNs ? -1 : 1;
}

/** What is equal is in the order of the last finding, the newest first, whichever way it is sorted. */
function comparator(sort: DlpGroupSort, up: boolean): (a: Group, b: Group) => number {
  const sign = up ? 1 : -1;
  switch (sort) {
    case 'last':
      return (a, b) => (up ? -byLast(a, b) : byLast(a, b));
    case 'title':
      return (a, b) => sign * (a.told.key < b.told.key ? -1 : 1);
    default:
      return (a, b) => sign * ((a.told[sort] ?? -1) - (b.told[sort] ?? -1)) || byLast(a, b);
  }
}
