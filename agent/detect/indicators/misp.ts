/**
 * MISP events as their JSON export has them: attributes of events and of their objects. Attributes that are deleted
 * or not meant for detection (`to_ids: false`) are left out with the reason.
 */
import type { ReadResult } from './read.ts';
import { UNMATCHED, kindNamed, readIndicator } from './value.ts';

interface Attribute {
  uuid?: unknown;
  type?: unknown;
  value?: unknown;
  to_ids?: unknown;
  deleted?: unknown;
}

interface MispEvent {
  Attribute?: unknown;
  Object?: unknown;
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Indicators of a MISP export; undefined if this is none. */
export function readMisp(root: unknown, lineOf: (id: unknown) => number): ReadResult[] | undefined {
  const response = isMap(root) ? root['response'] : undefined;
  const outer = Array.isArray(root) ? root : Array.isArray(response) ? response : [response ?? root];
  const events = outer.flatMap((item): MispEvent[] => {
    if (!isMap(item)) return [];
    if (isMap(item['Event'])) return [item['Event']];
    return Array.isArray(item['Attribute']) ? [item] : [];
  });
  if (events.length === 0) return undefined;
  const results: ReadResult[] = [];
  for (const event of events) {
    const objects = list(event.Object).filter(isMap);
    const all = [...list(event.Attribute), ...objects.flatMap((object) => list(object['Attribute']))];
    for (const attribute of all.filter(isMap))
      results.push(...readAttribute(attribute, lineOf(attribute['uuid'])));
  }
  return results;
}

function readAttribute(attribute: Attribute, line: number): ReadResult[] {
  const { type, value } = attribute;
  if (typeof type !== 'string' || typeof value !== 'string')
    return [{ line, problem: 'has no type or value' }];
  if (attribute.deleted === true) return [{ line, problem: 'is deleted' }];
  if (attribute.to_ids === false) return [{ line, problem: 'is not meant for detection (to_ids)' }];
  // `filename|sha256` holds two values: the hash alone names the file, a name beside it would match others too.
  const types = type.toLowerCase().split('|');
  const values = types.length === 1 ? [value] : value.split('|');
  const results: ReadResult[] = [];
  for (const [i, name] of types.entries()) {
    const text = values[i];
    if (text === undefined || name === 'port' || (name === 'filename' && types.length > 1)) continue;
    const unmatched = UNMATCHED[name];
    const kind = kindNamed(name);
    const indicator =
      unmatched ??
      (kind ? readIndicator(text, kind) : `is of type ${name.slice(0, 40)}, which no event here has`);
    results.push(
      typeof indicator === 'string' ? { line, problem: indicator } : { line, indicator, level: undefined },
    );
  }
  return results;
}
