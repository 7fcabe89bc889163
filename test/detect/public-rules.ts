/** Where the public Sigma rules lie beside a checkout, and events made from the rules' own values. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { NaiveRule } from './naive-sigma.ts';

export const PUBLIC_RULES = join(import.meta.dirname, '..', '..', '..', 'shared', 'sigma-rules');
export const havePublicRules = existsSync(PUBLIC_RULES);

export function parseRules(text: string): NaiveRule[] {
  return parseAllDocuments(text).map((document) => document.toJS() as NaiveRule);
}

/** Reproducible pseudo-random numbers in [0, 1). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Json = unknown;

function collect(definition: Json, into: Map<string, string[]>): void {
  if (Array.isArray(definition)) {
    for (const part of definition) {
      if (typeof part === 'object') collect(part, into);
      else (into.get('') ?? into.set('', []).get(''))?.push(String(part));
    }
  } else if (typeof definition === 'object' && definition !== null) {
    for (const [key, value] of Object.entries(definition)) {
      const field = key.split('|')[0] as string;
      const list = into.get(field) ?? [];
      for (const item of [value].flat())
        if (item !== null && typeof item !== 'object') list.push(String(item));
      into.set(field, list);
    }
  }
}

/** A flat event that holds values the rule looks for: often a match, often nearly one. */
export function eventFor(rule: NaiveRule, random: () => number): Record<string, string> {
  const values = new Map<string, string[]>();
  for (const [name, definition] of Object.entries(rule['detection'] as Record<string, Json>)) {
    if (name !== 'condition' && (!name.startsWith('filter') || random() < 0.2)) collect(definition, values);
  }
  const event: Record<string, string> = {};
  for (const [field, all] of values) {
    const chosen = all.filter(() => random() < Math.min(1, 2 / all.length) || all.length === 1);
    const text = (random() < 0.6 ? chosen : all.slice(0, 12)).join(random() < 0.5 ? '' : ' ');
    const shown = text.replaceAll(/\\?[*?]/g, 'x');
    event[field === '' ? 'message' : field] =
      random() < 0.3 ? shown.toUpperCase() : `${random() < 0.3 ? 'x ' : ''}${shown}`;
  }
  return event;
}
