/** Findings put together by what was found, where, or by whom. */
import type { DlpMatchJson, EventJson } from '../../../agent/api/contract.ts';
import { quoteValue } from '../timeline/query-text.ts';

export const WAYS = ['rule', 'file', 'process'] as const;
export type Way = (typeof WAYS)[number];

export const SORT_KEYS = ['title', 'files', 'hits', 'confidence', 'containment', 'last'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface HitGroup {
  key: string;
  /** Empty for findings of a scan that somebody asked for, by process. */
  title: string;
  /** Newest first. */
  events: EventJson[];
  files: number;
  hits: number;
  /** 0 to 1. */
  confidence: number;
  /** Largest share of a document, 0 to 1; absent when no document was found. */
  containment?: number;
}

type Named = Pick<DlpMatchJson, 'index' | 'rule'> & Partial<Pick<DlpMatchJson, 'kind' | 'type'>>;

/** The index and what of it was found: a document or file by its name, else the rule where the index has several. */
export function ruleName({ index, rule, kind, type }: Named): string {
  const what = (kind === 'document' || kind === 'file') && type !== undefined ? type : rule;
  return index === what || index === '' ? what : `${index} · ${what}`;
}

function keysOf(event: EventJson, way: Way): string[] {
  if (way === 'file') return [event.file?.path ?? ''];
  if (way === 'process') return [event.process?.executable ?? event.process?.name ?? ''];
  return [...new Set((event.dlp?.matches ?? []).map(ruleName))];
}

/** Newest finding first; `events` have to be newest first. */
export function groupHits(events: readonly EventJson[], way: Way): HitGroup[] {
  const groups = new Map<string, HitGroup & { paths: Set<string> }>();
  for (const event of events) {
    for (const key of keysOf(event, way)) {
      let group = groups.get(key);
      if (!group) {
        group = { key, title: key, events: [], files: 0, hits: 0, confidence: 0, paths: new Set() };
        groups.set(key, group);
      }
      group.events.push(event);
      group.paths.add(event.file?.path ?? '');
      for (const match of event.dlp?.matches ?? []) {
        if (way === 'rule' && ruleName(match) !== key) continue;
        group.hits += Number(match.count);
        group.confidence = Math.max(group.confidence, match.confidence);
        if (match.kind === 'document' && match.containment !== undefined)
          group.containment = Math.max(group.containment ?? 0, match.containment);
      }
    }
  }
  return [...groups.values()].map(({ paths, ...group }) => ({ ...group, files: paths.size }));
}

/** As `groupHits` gives them for the last finding; what is equal stays as it was. */
export function sortGroups(groups: readonly HitGroup[], key: SortKey, down: boolean): HitGroup[] {
  const sign = down ? -1 : 1;
  if (key === 'last') return down ? [...groups] : [...groups].reverse();
  if (key === 'title') return [...groups].sort((a, b) => sign * a.title.localeCompare(b.title));
  return [...groups].sort((a, b) => sign * ((a[key] ?? -1) - (b[key] ?? -1)));
}

/** What was found in one file, on a line: "customers · iban ×300, board · plan.txt". */
export function whatText(event: EventJson): string {
  const found = new Map<string, number>();
  for (const match of event.dlp?.matches ?? []) {
    const name = ruleName(match);
    found.set(name, (found.get(name) ?? 0) + Number(match.count));
  }
  return [...found].map(([name, n]) => (n > 1 ? `${name} ×${n.toLocaleString('en')}` : name)).join(', ');
}

/** The largest share of one document that the file holds. */
export function containmentOf(event: EventJson): number | undefined {
  const shares = (event.dlp?.matches ?? []).flatMap(({ kind, containment }) =>
    kind === 'document' && containment !== undefined ? [containment] : [],
  );
  return shares.length === 0 ? undefined : Math.max(...shares);
}

/** The findings of one scan, for the timeline. */
export function scanQuery(scan: { path: string; startedMs: number; endedMs?: number }): string {
  const since = new Date(scan.startedMs - 1000).toISOString();
  const until = scan.endedMs === undefined ? '' : ` until:${new Date(scan.endedMs + 5000).toISOString()}`;
  const escaped = scan.path.replaceAll(/[*?"\\]/g, String.raw`\$&`);
  const below = scan.path === '/' ? '' : ` (file:${quoteValue(scan.path)} or file:"${escaped}/*")`;
  return `type:dlp dlp.trigger:scan${below} since:${since}${until}`;
}

/** A name that a policy may have. */
function idOf(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40);
}

/** A draft that would have told of this finding: what was found, and where it went. */
export function policyFor(event: EventJson): string {
  const [match] = event.dlp?.matches ?? [];
  const destination = event.dlp?.destination ?? 'removable';
  const index = match?.index ?? '';
  const clauses = [
    'event.type == "dlp"',
    'dlp.verdict == "match"',
    ...(destination === 'local' ? [] : [`dlp.destination == ${JSON.stringify(destination)}`]),
    ...(index === '' ? [] : [`${JSON.stringify(index)} in dlp.index`]),
  ];
  const id = ['protected', idOf(index), destination === 'local' ? '' : `to-${idOf(destination)}`];
  return `id: ${id.filter((part) => part !== '').join('-')}
version: 1
title: ${JSON.stringify(`Protected data: ${index || 'any'} to ${destination.replaceAll('_', ' ')}`)}
severity: medium
when: >-
  ${clauses.join(' && ')}
# alert tells; quarantine moves the file into the agent's keeping, from which it can be restored
action: alert
`;
}
