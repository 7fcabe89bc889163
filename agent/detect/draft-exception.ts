/** Drafts an exception from a detection: a Sigma filter that drops the same rule for the values it just matched. */
import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';
import type { Detection } from '../event.ts';
import type { LogSource } from './rule.ts';
import { printParts } from './sigma-string.ts';
import { MAX_SHOWN } from './text.ts';

export interface ExceptionDraft {
  /** Default: one for each rule and last day. */
  id?: string;
  /** Event it was drafted from. */
  event?: string;
  owner: string;
  reason: string;
  /** YYYY-MM-DD; the exception ends with that day (UTC). */
  expires: string;
  devices?: readonly string[];
  users?: readonly string[];
  /** Further fields that must have these values, to make the exception narrower; a name may carry modifiers. */
  fields?: Readonly<Record<string, string>>;
}

/**
 * YAML of the filter, to be shown, simulated and saved. It asks for the exact value of each field the rule matched on;
 * keywords have no field and are left to `fields`. Throws an Error if nothing would be left to ask for: an exception
 * without a condition would silence the rule.
 */
export function draftException(
  rule: { id: string; title: string; logsource: LogSource },
  detection: Pick<Detection, 'clauses'>,
  draft: ExceptionDraft,
): string {
  const selection: Record<string, string> = {};
  for (const { field, value } of detection.clauses) {
    const name = field.split('|')[0] as string;
    if (name === '' || value === 'null') continue;
    // A detection holds long values only in part.
    if (value.length > MAX_SHOWN) selection[`${name}|startswith`] = printParts([value.slice(0, MAX_SHOWN)]);
    else selection[name] = printParts([value]);
  }
  for (const [name, value] of Object.entries(draft.fields ?? {})) selection[name] = printParts([value]);
  if (Object.keys(selection).length === 0) {
    throw new Error('the detection names no field; choose at least one for the exception');
  }
  const { event, owner, reason, expires, devices, users } = draft;
  return exactYaml({
    title: `Exception for ${rule.title}`,
    id: draft.id ?? `exception-${rule.id}-${expires}`,
    logsource: rule.logsource,
    filter: { rules: [rule.id], selection, condition: 'not selection' },
    sentinel: {
      owner,
      reason,
      expires,
      ...(event === undefined ? {} : { event }),
      scope: { devices: devices ?? [], users: users ?? [] },
    },
  });
}

/** YAML that reads back as it was: blanks before a line break would be lost from a block of text. */
function exactYaml(value: object): string {
  const text = stringify(value);
  if (isDeepStrictEqual(parse(text), value)) return text;
  return stringify(value, { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN', lineWidth: 0 });
}
