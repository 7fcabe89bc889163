/**
 * A query tree made ready for one partition. Conditions work on whole chunks: a mask of rows goes in, and rows that do
 * not match are cleared. `may` tells from a chunk's (or the partition's) bounds and Bloom filter whether it is worth
 * reading at all. The result is what the matcher in memory says of each event, without decoding any.
 */
import { EVENT_TYPES, LANES, SEVERITIES, type SentinelEvent } from '../event.ts';
import type { EventBlock } from './blocks.ts';
import { mayHaveAction, mayHaveText } from './bloom.ts';
import { numbersOf, splitHigh, splitLow, type Column } from './column-pack.ts';
import {
  always,
  conjunction,
  disjunction,
  everything,
  narrowColumns,
  negation,
  textTestOf,
  type Mask,
  type Test,
} from './masks.ts';
import type { QueryNode } from './query-ast.ts';
import { SPECIAL, placeOf, type ColumnPlace } from './query-columns.ts';
import { TEXT_FIELDS } from './query-fields.ts';
import { compileMatcher, numberTest } from './query-match.ts';
import { resolveMoment } from './query-values.ts';
import { COLD, Flag, HOT } from './schema.ts';
import { unpackJson } from './json.ts';
import type { Rest } from './row.ts';
import { SnapshotMask } from './snapshot-mask.ts';
import { TextSet } from './text-set.ts';
import type { PartitionView } from './view.ts';

const NOTHING: SentinelEvent = {
  eventId: 0,
  type: 'log',
  action: '',
  lane: 'security',
  tsNs: 0n,
  severity: 'info',
};

/** Whether everything the node asks is kept in snapshots. */
function isSnapshotOnly(node: QueryNode): boolean {
  if (node.kind === 'and' || node.kind === 'or') return node.items.every(isSnapshotOnly);
  if (node.kind === 'not') return isSnapshotOnly(node.item);
  const place = 'field' in node ? placeOf(node.field) : undefined;
  return typeof place === 'object' && place.block === 'snapshot';
}

/** Columns that are in a chunk's Bloom filter. */
const IN_BLOOM: ReadonlySet<number> = new Set([
  HOT.path,
  HOT.oldPath,
  HOT.dst,
  HOT.src,
  HOT.dns,
  HOT.message,
]);
/** Above this many numbers a filter says yes to most chunks anyway. */
const MAX_PROBES = 300;

type EventTest = Test<EventBlock>;

const skips = (test: EventTest, { head }: EventBlock): boolean => !test.may(head.zone, head.bloom);

export class Planner {
  private readonly view: PartitionView;
  private readonly nowNs: bigint;

  constructor(view: PartitionView, nowNs: bigint) {
    this.view = view;
    this.nowNs = nowNs;
  }

  plan(node: QueryNode): EventTest {
    if (node.kind !== 'all' && isSnapshotOnly(node)) return this.ofSnapshot(node);
    switch (node.kind) {
      case 'all':
        return everything();
      case 'and':
      case 'or': {
        const own = node.items.filter(isSnapshotOnly);
        const tests = node.items.filter((item) => !own.includes(item)).map((item) => this.plan(item));
        if (own.length > 0) tests.push(this.ofSnapshot({ kind: node.kind, items: own }));
        return node.kind === 'and' ? conjunction(tests) : disjunction(tests, skips);
      }
      case 'not':
        return negation(this.plan(node.item));
      case 'text':
        return this.freeText(node);
      case 'time':
        return this.time(node);
      default:
        return this.leaf(node);
    }
  }

  private ofSnapshot(node: QueryNode): EventTest {
    return new SnapshotMask(this.view, node, compileMatcher(node)(NOTHING)).test();
  }

  private freeText(node: Extract<QueryNode, { kind: 'text' }>): EventTest {
    const tests: EventTest[] = [];
    for (const field of TEXT_FIELDS) {
      const place = placeOf(field);
      if (typeof place !== 'object') continue;
      if (place.block === 'snapshot') tests.push(new SnapshotMask(this.view, node, false, place).test());
      else tests.push(this.texts(node, place));
    }
    return { ...disjunction(tests, skips), cost: 60 };
  }

  private time({ op, at }: Extract<QueryNode, { kind: 'time' }>): EventTest {
    const resolved = resolveMoment(at, this.nowNs);
    const moment = resolved < 0n ? 0n : resolved;
    const high = splitHigh(moment);
    const low = splitLow();
    const below = op === 'lt' || op === 'le';
    const strict = op === 'lt' || op === 'gt';
    return {
      cost: 1,
      may: ({ minTs, maxTs }) => {
        if (below) return strict ? minTs < moment : minTs <= moment;
        return strict ? maxTs > moment : maxTs >= moment;
      },
      narrow: ({ hot, head }, mask) => {
        const { minTs, maxTs } = head.zone;
        if (below ? maxTs < moment : minTs > moment) return;
        const highs = numbersOf(hot[HOT.tsHi]);
        const lows = numbersOf(hot[HOT.tsLo]);
        for (let row = 0; row < mask.length; row += 1) {
          if (mask[row] === 0) continue;
          const order = (highs[row] ?? 0) - high || (lows[row] ?? 0) - low;
          const holds = order === 0 ? !strict : below ? order < 0 : order > 0;
          if (!holds) mask[row] = 0;
        }
      },
    };
  }

  private leaf(node: Extract<QueryNode, { field: string }>): EventTest {
    const place = placeOf(node.field);
    if (place === 'rest') return this.rest(node);
    if (place === 'inode') return this.inode(node);
    if (!place) return this.special(node);
    if (place.kinds) return this.texts(node, place);
    const passes = node.kind === 'compare' || node.kind === 'range' ? numberTest(node) : always;
    const halved = node.field === 'seq' ? (value: number): boolean => passes(Math.floor(value / 2)) : passes;
    const test: EventTest = {
      cost: place.block === 'hot' ? 4 : 20,
      may: always,
      narrow: (block, mask) => narrowColumns(columnsOf(block, place), mask, halved),
    };
    if (node.field === 'severity') {
      const wanted = SEVERITIES.reduce((bits, _, rank) => (passes(rank) ? bits | (1 << rank) : bits), 0);
      test.may = ({ severities }) => (severities & wanted) !== 0;
      test.cost = 2;
      test.severities = wanted;
      test.sharp = (wanted & 1) === 0;
    }
    if (node.field === 'id' && node.kind === 'compare' && node.op === 'eq') {
      const id = node.value;
      test.sharp = true;
      test.may = ({ minId, maxId }) => {
        const lane = Math.abs(id % 2) === 1 ? 1 : 0;
        return id >= minId[lane] && id <= maxId[lane];
      };
    }
    return test;
  }

  private texts(node: QueryNode, place: ColumnPlace): EventTest {
    const asked = textTestOf(node, place.kinds ?? []);
    if (!asked) {
      const narrow = (block: EventBlock, mask: Mask): void =>
        narrowColumns(columnsOf(block, place), mask, always);
      return { cost: place.block === 'hot' ? 4 : 20, may: always, narrow };
    }
    const set = new TextSet(this.view.texts, asked);
    const filtered = place.block === 'hot' && place.columns.every((column) => IN_BLOOM.has(column));
    return {
      cost: place.block === 'hot' ? 30 : 40,
      may: (_zone, bloom) => {
        const { ids } = set;
        if (!ids) return true;
        if (ids.length === 0) return false;
        if (!bloom || !filtered || ids.length > MAX_PROBES) return true;
        const filter = bloom();
        return ids.some((id) => mayHaveText(filter, id));
      },
      narrow: (block, mask) => narrowColumns(columnsOf(block, place), mask, (id) => set.has(id)),
    };
  }

  private inode(node: QueryNode): EventTest {
    const matcher = compileMatcher(node);
    const passes = (inode: string): boolean => matcher({ ...NOTHING, file: { path: '', op: '', inode } });
    return {
      cost: 50,
      may: always,
      narrow: (block, mask) => {
        const inodes = block.cold[COLD.inode];
        for (let row = 0; row < mask.length; row += 1) {
          if (mask[row] === 0) continue;
          const plain = inodes?.get(row);
          const inode = plain === undefined ? this.restOf(block, row)?.inode : String(plain);
          if (inode === undefined || !passes(inode)) mask[row] = 0;
        }
      },
    };
  }

  private restOf({ hot }: EventBlock, row: number): Rest | undefined {
    if (((hot[HOT.flags]?.at(row) ?? 0) & Flag.more) === 0) return undefined;
    const json = this.view.rest(hot[HOT.id]?.at(row) ?? 0);
    return json === undefined ? undefined : (unpackJson(json) as Rest);
  }

  private rest(node: QueryNode): EventTest {
    const matcher = compileMatcher(node);
    return {
      cost: 80,
      may: always,
      narrow: (block, mask) => {
        for (let row = 0; row < mask.length; row += 1) {
          if (mask[row] === 0) continue;
          const rest = this.restOf(block, row)?.event;
          if (!rest || !matcher({ ...NOTHING, ...rest })) mask[row] = 0;
        }
      },
    };
  }

  private special(node: Extract<QueryNode, { field: string }>): EventTest {
    if (!SPECIAL.has(node.field)) throw new RangeError(`field ${node.field} has no place in the store`);
    if (node.field === 'type' || node.field === 'action') return this.action(node);
    if (node.field === 'lane' || node.field === 'synthetic') return this.flag(node);
    return this.detection(node);
  }

  private action(node: QueryNode): EventTest {
    const matcher = compileMatcher(node);
    const chosen = new Set<number>();
    let types = 0;
    for (const { id, type, action } of this.view.actions.all()) {
      if (!matcher({ ...NOTHING, type: EVENT_TYPES[type] ?? 'log', action })) continue;
      chosen.add(id);
      types |= 1 << type;
    }
    return {
      cost: 2,
      types,
      may: (zone, bloom) => {
        if ((zone.types & types) === 0) return false;
        if (!bloom) return true;
        const filter = bloom();
        for (const id of chosen) if (mayHaveAction(filter, id)) return true;
        return false;
      },
      narrow: ({ hot }, mask) => {
        const column = hot[HOT.action];
        if (column) narrowColumns([column], mask, (id) => chosen.has(id));
      },
    };
  }

  private flag(node: Extract<QueryNode, { field: string }>): EventTest {
    const matcher = compileMatcher(node);
    const bit = node.field === 'lane' ? Flag.observability : Flag.synthetic;
    const off = matcher(NOTHING);
    const on = matcher({ ...NOTHING, lane: LANES[1], synthetic: true });
    return {
      cost: 3,
      may: () => on || off,
      narrow: ({ hot }, mask) => {
        const column = hot[HOT.flags];
        if (column) narrowColumns([column], mask, (flags) => ((flags & bit) === 0 ? off : on));
      },
    };
  }

  private detection(node: QueryNode): EventTest {
    const matcher = compileMatcher(node);
    let events: Set<number> | undefined;
    const resolve = (): Set<number> => {
      const found = new Set<number>();
      const select = this.view.db.prepare(`SELECT event, rule, title, attack, source FROM t${this.view.n}`);
      for (const row of select.iterate() as Iterable<Record<string, unknown>>) {
        const { event, rule, title, attack, source } = row as Record<string, string>;
        const techniques = JSON.parse(attack ?? '[]') as string[];
        const detection = {
          ruleId: rule ?? '',
          title: title ?? '',
          attack: techniques,
          source: source ?? '',
        };
        const detections = [{ ...detection, level: 'info' as const, clauses: [] }];
        if (matcher({ ...NOTHING, detections })) found.add(Number(event));
      }
      return found;
    };
    return {
      cost: 8,
      sharp: true,
      may: ({ minId, maxId }) => {
        events ??= resolve();
        for (const id of events) {
          const lane = id % 2 === 1 ? 1 : 0;
          if (id >= minId[lane] && id <= maxId[lane]) return true;
        }
        return false;
      },
      narrow: ({ hot }, mask) => {
        const known = (events ??= resolve());
        const ids = hot[HOT.id];
        if (ids) narrowColumns([ids], mask, (id) => known.has(id));
      },
    };
  }
}

function columnsOf(block: EventBlock, place: ColumnPlace): Column[] {
  const from = place.block === 'hot' ? block.hot : block.cold;
  return place.columns.map((index) => from[index]).filter((column) => column !== undefined);
}
