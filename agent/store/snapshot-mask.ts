/**
 * A condition on processes, worked out on snapshots and carried over to the events that refer to them. Chunks of
 * snapshots are tested when an event first needs them; where an index answers, all at once, so that chunks of events
 * without any of the few snapshots that match can be skipped.
 */
import { snapshotPlace, type EventBlock } from './blocks.ts';
import { mayHaveSnapshot } from './bloom.ts';
import { numbersOf, type Column } from './column-pack.ts';
import { conjunction, disjunction, narrowColumns, negation, textTestOf, type Test } from './masks.ts';
import type { QueryNode } from './query-ast.ts';
import { placeOf, type ColumnPlace } from './query-columns.ts';
import { numberTest } from './query-match.ts';
import { HOT, SNAPSHOT_ROWS } from './schema.ts';
import { TextSet } from './text-set.ts';
import type { PartitionView } from './view.ts';

type Columns = readonly Column[];

/** With what is known before looking at any snapshot. */
interface SnapshotTest extends Test<Columns> {
  /** An index or a plain comparison decides, and few are expected to match. */
  selective: () => boolean;
}

/** Rows of events at which snapshots are still tested one by one. */
const FEW_ROWS = 32;
const UNKNOWN = 0;
const NO = 1;
const YES = 2;
/** More snapshots than this in a list do not help to skip chunks. */
const MAX_LISTED = 300;

export class SnapshotMask {
  private readonly view: PartitionView;
  private readonly tested: SnapshotTest;
  /** Whether events without a process match. */
  private readonly bare: boolean;
  /** By snapshot id: 0 not tested yet, 1 no, 2 yes. */
  private answers = new Uint8Array(SNAPSHOT_ROWS);
  private list: readonly number[] | undefined;
  private listed = false;

  /** `place`: look there whatever the node is (free text). */
  constructor(view: PartitionView, node: QueryNode, bare: boolean, place?: ColumnPlace) {
    this.view = view;
    this.bare = bare;
    this.tested = this.compile(node, place);
  }

  private compile(node: QueryNode, given?: ColumnPlace): SnapshotTest {
    if (node.kind === 'and' || node.kind === 'or') {
      const tests = node.items.map((item) => this.compile(item));
      return node.kind === 'and'
        ? { ...conjunction(tests), selective: () => tests.some((test) => test.selective()) }
        : { ...disjunction(tests), selective: () => tests.every((test) => test.selective()) };
    }
    if (node.kind === 'not') return { ...negation(this.compile(node.item)), selective: () => false };
    const place = given ?? ('field' in node ? placeOf(node.field) : undefined);
    if (typeof place !== 'object') throw new RangeError(`${node.kind} is not kept in snapshots`);
    const columns = (all: Columns): Column[] =>
      place.columns.map((index) => all[index]).filter((column) => column !== undefined);
    const asked = place.kinds && textTestOf(node, place.kinds);
    if (asked) {
      const set = new TextSet(this.view.texts, asked);
      return {
        cost: 40,
        may: () => set.ids?.length !== 0,
        narrow: (all, mask) => narrowColumns(columns(all), mask, (id) => set.has(id)),
        selective: () => set.ids !== undefined,
      };
    }
    const passes = node.kind === 'compare' || node.kind === 'range' ? numberTest(node) : (): boolean => true;
    if (node.kind === 'compare' && node.op === 'eq' && node.field === 'pid')
      return this.pid(node.value, columns, passes);
    return {
      cost: 10,
      may: () => true,
      narrow: (all, mask) => narrowColumns(columns(all), mask, passes),
      selective: () => node.kind === 'compare' && node.op === 'eq',
    };
  }

  /** The process table says when there was a process with that id. */
  private pid(
    pid: number,
    columns: (all: Columns) => Column[],
    passes: (value: number) => boolean,
  ): SnapshotTest {
    let spans: { first_ts: bigint; last_ts: bigint }[] | undefined;
    return {
      cost: 10,
      may: ({ minTs, maxTs }) => {
        if (!spans) {
          const select = this.view.db.prepare('SELECT first_ts, last_ts FROM process WHERE pid = ?');
          select.setReadBigInts(true);
          spans = select.all(pid) as unknown as { first_ts: bigint; last_ts: bigint }[];
        }
        return spans.some(({ first_ts: first, last_ts: last }) => first <= maxTs && last >= minTs);
      },
      narrow: (all, mask) => narrowColumns(columns(all), mask, passes),
      selective: () => true,
      sharp: true,
    };
  }

  /** Makes room for the answers of a chunk. */
  private reserve(first: number): void {
    if (first + SNAPSHOT_ROWS <= this.answers.length) return;
    const larger = new Uint8Array(Math.max(first + SNAPSHOT_ROWS, this.answers.length * 2));
    larger.set(this.answers);
    this.answers = larger;
  }

  /** Tests a chunk of snapshots, or one row of it; returns whether there is such a chunk. */
  private testChunk(k: number, only?: number): boolean {
    const columns = this.view.blocks.snapshots(k);
    if (!columns) return false;
    const first = k * SNAPSHOT_ROWS + 1;
    this.reserve(first);
    const mask = new Uint8Array(columns[0]?.rows ?? 0);
    if (only === undefined) mask.fill(1);
    else mask[only] = 1;
    this.tested.narrow(columns, mask);
    if (only === undefined) {
      for (let row = 0; row < mask.length; row += 1) this.answers[first + row] = mask[row] === 1 ? YES : NO;
    } else this.answers[first + only] = mask[only] === 1 ? YES : NO;
    return true;
  }

  /** `alone`: few snapshots are asked for, so the others of its chunk are left out. */
  private passes(id: number, alone: boolean): boolean {
    const known = this.answers[id] ?? UNKNOWN;
    if (known !== UNKNOWN) return known === YES;
    const { k, row } = snapshotPlace(id);
    return this.testChunk(k, alone ? row : undefined) && this.answers[id] === YES;
  }

  /** Ids of all matching snapshots when they are few and cheap to find. */
  private few(): readonly number[] | undefined {
    if (this.listed) return this.list;
    this.listed = true;
    if (!this.tested.selective()) return undefined;
    const ids: number[] = [];
    for (let k = 0; this.testChunk(k); k += 1) {
      const end = (k + 1) * SNAPSHOT_ROWS;
      for (let id = k * SNAPSHOT_ROWS + 1; id <= end; id += 1) if (this.answers[id] === YES) ids.push(id);
      if (ids.length > MAX_LISTED) return undefined;
    }
    this.list = ids;
    return ids;
  }

  /** The condition on events. */
  test(): Test<EventBlock> {
    const { bare, tested } = this;
    return {
      cost: tested.cost + 5,
      sharp: tested.sharp,
      may: (zone, bloom) => {
        if (bare) return true;
        if (!tested.may(zone, undefined)) return false;
        const ids = this.few();
        if (!ids) return true;
        if (!bloom || ids.length === 0) return ids.length > 0;
        const filter = bloom();
        return ids.some((id) => mayHaveSnapshot(filter, id));
      },
      narrow: ({ hot }, mask) => {
        const snaps = numbersOf(hot[HOT.snap]);
        let rows = 0;
        for (let row = 0; row < mask.length; row += 1) rows += mask[row] ?? 0;
        for (let row = 0; row < mask.length; row += 1) {
          if (mask[row] === 0) continue;
          const id = snaps[row] ?? Number.NaN;
          const matches = id === id ? this.passes(id, rows <= FEW_ROWS) : bare;
          if (!matches) mask[row] = 0;
        }
      },
    };
  }
}
