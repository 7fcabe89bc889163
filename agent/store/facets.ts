/**
 * Most frequent values of fields among the matches. Work is bounded: the newest matches are counted, and the answer
 * says when there were more. Rows are counted by number, and only distinct numbers are looked up.
 */
import { EVENT_TYPES, LANES, SEVERITIES, type SentinelEvent } from '../event.ts';
import type { EventBlock } from './blocks.ts';
import { snapshotPlace } from './blocks.ts';
import type { Column } from './column-pack.ts';
import { storedText } from './dictionary.ts';
import { Planner } from './plan.ts';
import type { QueryNode } from './query-ast.ts';
import { placeOf, textsOf, type ColumnPlace } from './query-columns.ts';
import { findField, type Field } from './query-fields.ts';
import { Flag, HOT } from './schema.ts';
import { timeBounds } from './time-order.ts';
import { PartitionView, partitionsWithin, type Reader } from './view.ts';

export interface FieldFacet {
  field: string;
  /** `label`: what a person calls the value, when that is something else (rules: value is the id, label the title). */
  values: { value: string; count: number; label?: string }[];
  approximate: boolean;
}

/** Matches that are counted. */
const MAX_COUNTED = 100_000;
/** Matches that are decoded, for fields that have no column. */
const MAX_DECODED = 1000;
const DEFAULT_BUDGET_MS = 100;

function addTo<K>(counts: Map<K, number>, key: K, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

function valueAt(columns: readonly Column[], place: ColumnPlace, row: number): number | undefined {
  for (const index of place.columns) {
    const value = columns[index]?.get(row);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Counting of one field. */
class FieldCounter {
  readonly field: Field;
  readonly counts = new Map<string, number>();
  /** Titles of rules by id, as the first match that was looked at has them. */
  private readonly labels = new Map<string, string>();
  /** Not all matches were looked at. */
  cut = false;
  private readonly place: ReturnType<typeof placeOf>;
  private readonly keys = new Map<number, number>();
  private decoded = 0;

  constructor(field: Field) {
    this.field = field;
    this.place = placeOf(field.name);
  }

  add(view: PartitionView, block: EventBlock, mask: Uint8Array): void {
    const { place, field } = this;
    if (field.name === 'seq' || typeof place === 'string')
      this.addDecoded(view, block, mask, place === 'rest');
    else if (place)
      this.addKeys(place.block === 'snapshot' ? [block.hot[HOT.snap]] : this.columns(block, place), mask);
    else if (field.name === 'type' || field.name === 'action') this.addKeys([block.hot[HOT.action]], mask);
    else if (field.name === 'lane' || field.name === 'synthetic') this.addKeys([block.hot[HOT.flags]], mask);
    else this.addDetections(view, block, mask);
  }

  private columns(block: EventBlock, place: ColumnPlace): (Column | undefined)[] {
    const from = place.block === 'hot' ? block.hot : block.cold;
    return place.columns.map((index) => from[index]);
  }

  private addKeys([column]: readonly (Column | undefined)[], mask: Uint8Array): void {
    if (!column || column.absent) return;
    const { numbers } = column;
    for (let row = 0; row < mask.length; row += 1) {
      const key = numbers[row] ?? Number.NaN;
      if (mask[row] === 1 && key === key) addTo(this.keys, key, 1);
    }
  }

  private addValues(event: SentinelEvent): void {
    const { field } = this;
    if (field.name === 'rule') {
      const ids = new Set<string>();
      for (const { ruleId, title } of event.detections ?? []) {
        ids.add(ruleId);
        if (!this.labels.has(ruleId)) this.labels.set(ruleId, title);
      }
      for (const id of ids) addTo(this.counts, id, 1);
      return;
    }
    const value = field.get(event);
    if (value === undefined) return;
    for (const one of typeof value === 'object' ? new Set(value) : [String(value)])
      addTo(this.counts, one, 1);
  }

  private addDecoded(view: PartitionView, block: EventBlock, mask: Uint8Array, rest: boolean): void {
    for (let row = 0; row < mask.length; row += 1) {
      if (mask[row] === 0) continue;
      if (rest && ((block.hot[HOT.flags]?.at(row) ?? 0) & Flag.more) === 0) continue;
      if (this.decoded >= MAX_DECODED) {
        this.cut = true;
        return;
      }
      this.decoded += 1;
      this.addValues(view.event(block, row));
    }
  }

  private addDetections(view: PartitionView, block: EventBlock, mask: Uint8Array): void {
    for (let row = 0; row < mask.length; row += 1) {
      if (mask[row] === 0) continue;
      if (((block.hot[HOT.flags]?.at(row) ?? 0) & Flag.detections) === 0) continue;
      if (this.decoded >= MAX_DECODED) {
        this.cut = true;
        return;
      }
      this.decoded += 1;
      this.addValues(view.event(block, row));
    }
  }

  private addTexts(view: PartitionView, key: number, count: number): void {
    const word = view.texts.word(key);
    if (!word) return;
    const texts = textsOf(this.field.name, word.kind, storedText(word.kind, word.text), view.texts.hashes);
    for (const text of new Set(texts)) addTo(this.counts, text, count);
  }

  private named(view: PartitionView, key: number): string | undefined {
    switch (this.field.name) {
      case 'type':
        return EVENT_TYPES[view.actions.get(key).type];
      case 'action':
        return view.actions.get(key).action;
      case 'lane':
        return LANES[key & Flag.observability];
      case 'synthetic':
        return (key & Flag.synthetic) === 0 ? 'false' : 'true';
      case 'severity':
        return SEVERITIES[key];
      default:
        return undefined;
    }
  }

  /** Turns the numbers of one partition into values. */
  settle(view: PartitionView): void {
    const { keys, place } = this;
    let numbers: ReadonlyMap<number, number> = keys;
    if (typeof place === 'object' && place.block === 'snapshot') {
      const values = new Map<number, number>();
      for (const [snap, count] of keys) {
        const { k, row } = snapshotPlace(snap);
        const value = valueAt(view.blocks.snapshots(k) ?? [], place, row);
        if (value !== undefined) addTo(values, value, count);
      }
      numbers = values;
    }
    const isText = typeof place === 'object' && place.kinds !== undefined;
    for (const [key, count] of numbers) {
      if (isText) this.addTexts(view, key, count);
      else addTo(this.counts, this.named(view, key) ?? String(key), count);
    }
    keys.clear();
  }

  top(limit: number, approximate: boolean): FieldFacet {
    const values = [...this.counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    return {
      field: this.field.name,
      values: values.slice(0, Math.max(1, limit)).map(([value, count]) => {
        const label = this.labels.get(value);
        return label === undefined ? { value, count } : { value, count, label };
      }),
      approximate: approximate || this.cut,
    };
  }
}

/** Top values of each field, in small steps. Unknown fields are left out. */
export function* countFacets(
  reader: Reader,
  node: QueryNode,
  fields: readonly string[],
  top: number,
  options: { budgetMs?: number; nowNs?: bigint } = {},
): Generator<void, FieldFacet[]> {
  const nowNs = options.nowNs ?? BigInt(Date.now()) * 1_000_000n;
  const deadlineMs = performance.now() + (options.budgetMs ?? DEFAULT_BUDGET_MS);
  const counters = fields
    .map(findField)
    .filter((field) => field !== undefined)
    .map((field) => new FieldCounter(field));
  const bounds = timeBounds(node, nowNs);
  let counted = 0;
  let cut = false;
  for (const { n, zone } of partitionsWithin(reader, bounds.from, bounds.to)) {
    cut ||= performance.now() > deadlineMs;
    if (cut) break;
    const view = new PartitionView(reader, n);
    const test = new Planner(view, nowNs).plan(node);
    if (!test.may(zone, undefined)) continue;
    for (const head of view.heads(test, bounds.from, bounds.to).toReversed()) {
      if (counted >= MAX_COUNTED || performance.now() > deadlineMs) {
        cut = true;
        break;
      }
      if (!test.may(head.zone, head.bloom)) continue;
      const block = view.blocks.load(head);
      const mask = new Uint8Array(block.rows).fill(1);
      test.narrow(block, mask);
      for (let row = 0; row < mask.length; row += 1) counted += mask[row] ?? 0;
      for (const counter of counters) counter.add(view, block, mask);
      yield;
    }
    for (const counter of counters) counter.settle(view);
    yield;
  }
  return counters.map((counter) => counter.top(top, cut));
}
