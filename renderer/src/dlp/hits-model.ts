/** What findings and groups of them are called, and how more of them are asked for. */
import type { DlpGroupJson, DlpMatchJson, EventJson } from '../../../agent/api/contract.ts';
import { clauseText, quoteValue } from '../timeline/query-text.ts';

export const WAYS = ['rule', 'file', 'process'] as const;
export type Way = (typeof WAYS)[number];

type Named = Pick<DlpMatchJson, 'index' | 'rule'> & Partial<Pick<DlpMatchJson, 'kind' | 'type'>>;

/** The index and what of it was found: a document or file by its name, else the rule where the index has several. */
export function ruleName({ index, rule, kind, type }: Named): string {
  const what = (kind === 'document' || kind === 'file') && type !== undefined ? type : rule;
  return index === what || index === '' ? what : `${index} · ${what}`;
}

/** What the findings of a group have in common; empty where no process is known. */
export function groupTitle({ rule, path, process }: DlpGroupJson): string {
  if (rule !== undefined) return ruleName(rule);
  return path ?? process?.executable ?? process?.name ?? '';
}

/** The findings of a group, in the language of queries; it may find a few more (`isOf` tells). */
export function groupQuery({ rule, path, process }: DlpGroupJson): string {
  if (path !== undefined) return clauseText('file', path);
  if (rule === undefined) {
    if (process === undefined) return 'not has:pid';
    const { name, executable } = process;
    return executable === undefined ? clauseText('name', name) : clauseText('image', executable);
  }
  const { index, kind, type } = rule;
  const what =
    kind === 'document' || kind === 'file' ? clauseText('dlp.type', type) : clauseText('dlp.rule', rule.rule);
  return index === '' ? what : `${clauseText('dlp.index', index)} ${what}`;
}

export function isOf(group: DlpGroupJson, { file, process, dlp }: EventJson): boolean {
  const title = groupTitle(group);
  if (group.path !== undefined) return file?.path === title;
  if (group.rule === undefined) return (process?.executable ?? process?.name ?? '') === title;
  return dlp?.matches.some((match) => ruleName(match) === title) === true;
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
