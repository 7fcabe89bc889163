/** Findings put together by what was found, where, or by whom. */
import type { EventJson } from '../../../agent/api/contract.ts';

export const WAYS = ['rule', 'file', 'process'] as const;
export type Way = (typeof WAYS)[number];

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

/** The index and, where it has several, the rule. */
export function ruleName({ index, rule }: { index: string; rule: string }): string {
  return index === rule || index === '' ? rule : `${index} · ${rule}`;
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
        if (match.containment !== undefined)
          group.containment = Math.max(group.containment ?? 0, match.containment);
      }
    }
  }
  return [...groups.values()].map(({ paths, ...group }) => ({ ...group, files: paths.size }));
}
