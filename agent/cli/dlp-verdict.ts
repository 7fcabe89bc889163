/** What a scan says of a file, for people: what was found, how often, where first. Never the text. */
import type { DlpMatch, FileVerdict } from '../dlp/types.ts';
import { printable } from '../printable.ts';
import { count, counted, type Paint } from './terminal.ts';

const MAX_LINES = 12;

interface Found {
  first: DlpMatch;
  hits: number;
  rows: Set<string>;
  near: Set<string>;
  confidence: number;
  containment: number | undefined;
}

/** A table that was copied whole is one line, not as many as it has rows. */
function folded(matches: readonly DlpMatch[]): Found[] {
  const all = new Map<string, Found>();
  for (const match of matches) {
    const key = JSON.stringify([match.index, match.rule, match.kind, match.type, match.member]);
    let found = all.get(key);
    if (!found) {
      found = {
        first: match,
        hits: 0,
        rows: new Set(),
        near: new Set(),
        confidence: 0,
        containment: undefined,
      };
      all.set(key, found);
    }
    found.hits += match.count;
    found.confidence = Math.max(found.confidence, match.confidence);
    if (match.rowRef !== undefined) found.rows.add(match.rowRef);
    for (const column of match.secondaries ?? []) found.near.add(column);
    if (match.kind === 'document' && match.containment !== undefined)
      found.containment = Math.max(found.containment ?? 0, match.containment);
    if (match.offset < found.first.offset) found.first = match;
  }
  return [...all.values()];
}

function line({ first, hits, rows, near, confidence, containment }: Found, paint: Paint): string {
  const { index, rule, kind, type, member, offset, rowRef } = first;
  const what = kind === 'document' || kind === 'file' ? type : rule;
  const name = index === what || index === '' ? what : `${index} ${what}`;
  let found = counted(hits, 'hit');
  if (containment !== undefined) found = `${(containment * 100).toFixed(1)} % of the document`;
  else if (kind === 'file') found = 'the whole file';
  else if (rows.size > 1) found += ` in ${count(rows.size)} rows`;
  else if (rowRef !== undefined) found += ` of row ${rowRef}`;
  if (near.size > 0) found += ` with ${printable([...near].join(', '))}`;
  const inside = member === undefined ? '' : ` of ${printable(member)}`;
  const where = `${hits > 1 ? 'first at' : 'at'} byte ${count(offset)}${inside}`;
  const parts = [found, where, `${Math.round(confidence * 100)} % sure`];
  return `  ${paint(printable(name), 'bold')}: ${parts.join(', ')}`;
}

export function describeVerdict(verdict: FileVerdict, paint: Paint): string {
  const path = paint(printable(verdict.path), 'magenta');
  const why = verdict.reason === undefined ? '' : ` (${verdict.reasonCode}: ${printable(verdict.reason)})`;
  const word = { match: 'red', unscannable: 'yellow', clean: 'dim' } as const;
  const lines = [`${path}: ${paint(verdict.verdict, word[verdict.verdict])}${why}`];
  const found = folded(verdict.matches);
  for (const each of found.slice(0, MAX_LINES)) lines.push(line(each, paint));
  const more = found.length - MAX_LINES;
  if (more > 0) lines.push(`  and ${counted(more, 'more kind')}`);
  if ((verdict.unlisted ?? 0) > 0)
    lines.push(`  and ${counted(verdict.unlisted ?? 0, 'more hit')}, not listed`);
  return `${lines.join('\n')}\n`;
}
