/**
 * A query tree as SQL for one partition.
 *
 * Every part becomes two conditions: `upper` holds for every row that matches and `lower` only for rows that match.
 * Where the columns say it all the two are the same; where they do not (`mode:>5` lies in the remainder) upper is
 * the cheap part that is known and the decoded event is tested after. `not` swaps the two.
 *
 * Text is resolved before SQL runs: the index gives the dictionary rows that can match, the same test as in memory
 * says which do, and what remains is a list of numbers. If there are too many for a list, SQL calls back for each
 * number once. `drive` is a condition that an index answers and that leaves few rows.
 */
import type { DatabaseSync } from 'node:sqlite';
import { EVENT_TYPES, LANES, type SentinelEvent } from '../event.ts';
import { actionCounts, type Actions } from './catalog.ts';
import { FALSE, TRUE, both, exactly, negated, type Condition } from './conditions.ts';
import type { LeafTest, LeafTests } from './leaf-tests.ts';
import { literalOf, type Pattern, type QueryNode } from './query-ast.ts';
import { snapshotColumn, eventColumn, type Column } from './query-columns.ts';
import { TEXT_FIELDS, fieldNamed } from './query-fields.ts';
import { compileMatcher, valueTest } from './query-match.ts';
import { containsTest, literalsOf, type FoldedTest } from './query-pattern.ts';
import { networkLiteral, networkTest, resolveMoment } from './query-values.ts';
import type { Reader } from './reader.ts';
import { Flag, Kind, RARE_ACTIONS } from './schema.ts';
import { MAX_LIST, TextResolver, listOf } from './text-resolver.ts';

/** Below this, texts are tested on the rows instead of being resolved first. */
const FEW_ROWS = 1000;
const OPERATOR = { eq: '=', gt: '>', ge: '>=', lt: '<', le: '<=' } as const;

const NOTHING: SentinelEvent = {
  eventId: 0,
  type: 'log',
  action: '',
  lane: 'security',
  tsNs: 0n,
  severity: 'info',
};

function fieldsOf(node: QueryNode, into: Set<string> = new Set()): Set<string> {
  if (node.kind === 'and' || node.kind === 'or') for (const item of node.items) fieldsOf(item, into);
  else if (node.kind === 'not') fieldsOf(node.item, into);
  else if ('field' in node) into.add(node.field);
  else into.add(node.kind);
  return into;
}

/** Whether everything the node asks is kept in the snapshot. */
function isSnapshotOnly(node: QueryNode): boolean {
  for (const field of fieldsOf(node)) if (!snapshotColumn(field)) return false;
  return true;
}

/** Order in which conjuncts are compiled: what an index answers first, texts of the row, of the process, free text. */
function cost(node: QueryNode): number {
  if (node.kind === 'time' || node.kind === 'all') return 0;
  if (isSnapshotOnly(node)) return 4;
  if (!('field' in node)) return node.kind === 'text' ? 5 : 6;
  if (node.field === 'type' || node.field === 'action' || node.field === 'severity') return 1;
  return node.kind === 'match' ? 3 : 2;
}

export class QueryCompiler {
  private readonly db: DatabaseSync;
  private readonly n: number;
  private readonly tests: LeafTests;
  private readonly actions: Actions;
  private readonly counts: ReadonlyMap<number, number>;
  private readonly nowNs: bigint;
  /** The statement will look at all rows of the partition. */
  private readonly everyRow: boolean;
  /** Another condition leaves few rows: no lists. */
  private lazy = false;
  private readonly texts: TextResolver;

  constructor(reader: Reader, partition: number, nowNs: bigint, everyRow: boolean) {
    this.db = reader.db;
    this.n = partition;
    this.tests = reader.tests;
    this.actions = reader.actions;
    this.counts = actionCounts(reader.db, partition);
    this.nowNs = nowNs;
    this.everyRow = everyRow;
    this.texts = new TextResolver(reader.db, partition, reader.tests);
  }

  /** Condition over alias `e`, a row of this partition's events. */
  compile(node: QueryNode): Condition {
    switch (node.kind) {
      case 'all':
        return TRUE;
      case 'and':
      case 'or': {
        const own = node.items.filter(isSnapshotOnly);
        const [only] = own;
        const grouped: QueryNode = own.length === 1 && only ? only : { kind: node.kind, items: own };
        const items = node.items.filter((item) => !own.includes(item));
        if (own.length > 0) items.push(grouped);
        return node.kind === 'and' ? this.conjunction(items, grouped) : this.alternatives(items, grouped);
      }
      case 'not':
        return isSnapshotOnly(node) ? this.ofSnapshot(node) : negated(this.compile(node.item));
      case 'text':
        return this.freeText(node.pattern);
      case 'time': {
        const moment = resolveMoment(node.at, this.nowNs);
        return exactly(`e.ts ${OPERATOR[node.op]} ${BigInt.asIntN(64, moment)}`);
      }
      default:
        return isSnapshotOnly(node) ? this.ofSnapshot(node) : this.ofEvent(node);
    }
  }

  private alternatives(items: readonly QueryNode[], grouped: QueryNode): Condition {
    return both(
      items.map((item) => (item === grouped ? this.ofSnapshot(item) : this.compile(item))),
      'OR',
    );
  }

  /**
   * What needs no look at texts comes first: it may rule the partition out, or leave so few rows that texts are better
   * tested on those.
   */
  private conjunction(items: readonly QueryNode[], grouped: QueryNode): Condition {
    const wasLazy = this.lazy;
    const parts: Condition[] = [];
    for (const item of items.toSorted((a, b) => cost(a) - cost(b))) {
      const part = item === grouped ? this.ofSnapshot(item) : this.compile(item);
      if (part.upper === '0') return FALSE;
      parts.push(part);
      this.lazy ||= this.leavesFew(part);
    }
    this.lazy = wasLazy;
    return both(parts, 'AND');
  }

  private leavesFew(condition: Condition): boolean {
    const counts = (condition.drives ?? []).map((drive) => `FROM e${this.n} e WHERE ${drive}`);
    if (condition.raised) counts.push(`FROM e${this.n} e INDEXED BY e${this.n}_sev WHERE e.sev >= 1`);
    return counts.some((from) => {
      const row = this.db.prepare(`SELECT count(*) AS c FROM (SELECT 1 ${from} LIMIT ${FEW_ROWS})`).get();
      return Number(row?.['c']) < FEW_ROWS;
    });
  }

  private freeText(pattern: Pattern): Condition {
    const test = containsTest(pattern);
    const parts = TEXT_FIELDS.map((field): Condition => {
      const place = snapshotColumn(field);
      if (!place) return this.textLeaf(eventColumn(field), field, test, pattern);
      return this.wrap(this.textLeaf(place, field, test, pattern), false);
    });
    return both(parts, 'OR');
  }

  /** A condition on the snapshot as one on the event; `bare`: what it is for events without a snapshot. */
  private wrap(inner: Condition, bare: boolean): Condition {
    if (inner.upper === '0' && !bare) return FALSE;
    if (inner.upper === '1' && bare) return TRUE;
    const lead = inner.drives?.[0];
    if (lead !== undefined && !bare) {
      const ids = listOf(this.db, `SELECT s.id FROM s${this.n} s WHERE ${lead} AND ${inner.upper}`, MAX_LIST);
      if (ids?.length === 0) return FALSE;
      if (ids) {
        const sql = `e.snap IN (${ids.join(',')})`;
        return exactly(`(e.snap IS NOT NULL AND ${sql})`, sql);
      }
    }
    // Many rows: all snapshots once. The rows of a page: only the snapshots that they meet.
    const exists = this.everyRow
      ? `(e.snap IS NOT NULL AND e.snap IN (SELECT s.id FROM s${this.n} s WHERE ${inner.upper}))`
      : `EXISTS (SELECT 1 FROM s${this.n} s WHERE s.id = e.snap AND ${inner.upper})`;
    return exactly(bare ? `(e.snap IS NULL OR ${exists})` : exists);
  }

  private ofSnapshot(node: QueryNode): Condition {
    return this.wrap(this.snapshot(node), compileMatcher(node)(NOTHING));
  }

  /** Condition over alias `s`; always exact. */
  private snapshot(node: QueryNode): Condition {
    if (node.kind === 'and' || node.kind === 'or') {
      return both(
        node.items.map((item) => this.snapshot(item)),
        node.kind === 'and' ? 'AND' : 'OR',
      );
    }
    if (node.kind === 'not') return negated(this.snapshot(node.item));
    const column = 'field' in node ? snapshotColumn(node.field) : undefined;
    if (!column) throw new RangeError(`${node.kind} is not kept in snapshots`);
    return this.column(node, column);
  }

  private ofEvent(node: QueryNode): Condition {
    if (!('field' in node)) throw new RangeError(`${node.kind} names no field`);
    switch (node.field) {
      case 'type':
      case 'action':
        return this.action(node);
      case 'lane':
      case 'synthetic':
        return this.flag(node);
      case 'rule':
      case 'attack':
      case 'rule.source':
        return this.detection(node);
      case 'severity':
        return this.severity(node);
      default:
        return this.column(node, eventColumn(node.field));
    }
  }

  private column(node: QueryNode, column: Column): Condition {
    const { sql } = column;
    if (column.kind === 'row') return { upper: sql.includes(' ') ? `(${sql})` : sql, lower: '0' };
    switch (node.kind) {
      case 'has': {
        const several = column.kind === 'text' && column.kinds.some((kind) => kind >= Kind.flags);
        if (several) return this.textLeaf(column, node.field, () => true, undefined);
        return exactly(`${sql} IS NOT NULL`);
      }
      case 'compare':
        return this.numeric(sql, `${sql} ${OPERATOR[node.op]} ${node.value}`, node.op === 'eq');
      case 'range':
        return this.numeric(sql, `${sql} BETWEEN ${node.low} AND ${node.high}`, false);
      case 'cidr':
        return this.textLeaf(column, node.field, networkTest(node), [networkLiteral(node)], true);
      case 'match':
        if (column.kind === 'value')
          return this.valueLeaf(sql, valueTest('keyword', node.pattern), node.pattern);
        return this.textLeaf(
          column,
          node.field,
          valueTest(fieldNamed(node.field).kind, node.pattern),
          node.pattern,
        );
      default:
        throw new RangeError(`${node.kind} names no column`);
    }
  }

  /** Only columns with an index of their own can lead. */
  private numeric(column: string, test: string, selective: boolean): Condition {
    const leads = (column === 's.pid' && selective) || column === 'e.id';
    return exactly(`(${column} IS NOT NULL AND ${test})`, leads ? test : undefined);
  }

  /** Text that lies in the row itself; a plain number is compared as one. */
  private valueLeaf(column: string, test: FoldedTest, pattern: Pattern): Condition {
    const literal = literalOf(pattern);
    if (
      literal !== undefined &&
      /^(0|[1-9]\d{0,15})$/.test(literal) &&
      Number.isSafeInteger(Number(literal))
    ) {
      return exactly(`(${column} IS NOT NULL AND ${column} = ${literal})`);
    }
    return exactly(`value(${this.tests.add({ field: '', test, verbatim: false })}, ${column})`);
  }

  private textLeaf(
    column: Column,
    field: string,
    test: FoldedTest,
    pattern: Pattern | undefined,
    verbatim = false,
  ): Condition {
    if (column.kind !== 'text') throw new RangeError(`${field} is not text`);
    const leaf: LeafTest = { field, test, verbatim };
    const ids = this.lazy ? undefined : this.texts.resolve(column, leaf, pattern ? literalsOf(pattern) : []);
    const { sql } = column;
    if (ids?.length === 0) return FALSE;
    if (ids) {
      const inList = `${sql} IN (${ids.join(',')})`;
      return exactly(`(${sql} IS NOT NULL AND ${inList})`, column.indexed ? inList : undefined);
    }
    return exactly(`leaf(${this.tests.add(leaf)}, ${sql})`);
  }

  private action(node: QueryNode): Condition {
    const matcher = compileMatcher(node);
    const present = [...this.counts.keys()].map((id) => this.actions.get(id));
    const chosen = present.filter(({ type, action }) =>
      matcher({ ...NOTHING, type: EVENT_TYPES[type] ?? 'log', action }),
    );
    if (chosen.length === 0) return FALSE;
    if (chosen.length === present.length) return TRUE;
    const sql = `e.ta IN (${chosen.map(({ id }) => id).join(',')})`;
    const rare = chosen.every(({ id }) => id >= RARE_ACTIONS);
    return exactly(sql, rare ? `(${sql} AND e.ta >= ${RARE_ACTIONS})` : undefined);
  }

  private flag(node: Extract<QueryNode, { field: string }>): Condition {
    const matcher = compileMatcher(node);
    const bit = node.field === 'lane' ? Flag.observability : Flag.synthetic;
    const off = matcher(NOTHING);
    const on = matcher({ ...NOTHING, lane: LANES[1], synthetic: true });
    if (on && off) return TRUE;
    if (!on && !off) return FALSE;
    return exactly(`(e.fl & ${bit}) ${on ? '<>' : '='} 0`);
  }

  private severity(node: QueryNode): Condition {
    const condition = this.column(node, eventColumn('severity'));
    const low = node.kind === 'compare' ? (node.op === 'gt' ? node.value + 1 : node.value) : 0;
    const raised =
      node.kind === 'range' ? node.low >= 1 : node.kind === 'compare' && !node.op.startsWith('l') && low >= 1;
    if (raised) {
      const any = this.db.prepare(
        `SELECT 1 FROM e${this.n} e INDEXED BY e${this.n}_sev WHERE e.sev >= 1 AND ${condition.upper} LIMIT 1`,
      );
      if (!any.get()) return FALSE;
    }
    return { ...condition, raised };
  }

  private detection(node: QueryNode): Condition {
    const matcher = compileMatcher(node);
    const k = this.tests.addDetection((ruleId, title, attack, source) => {
      const techniques = JSON.parse(attack) as string[];
      const detection = { ruleId, title, attack: techniques, source, level: 'info' as const, clauses: [] };
      return matcher({ ...NOTHING, detections: [detection] });
    });
    const inner = `SELECT event FROM t${this.n} WHERE found(${k}, rule, title, attack, source)`;
    const ids = listOf(this.db, inner, MAX_LIST);
    if (ids?.length === 0) return FALSE;
    if (!ids) return exactly(`((e.fl & ${Flag.detections}) <> 0 AND e.id IN (${inner}))`);
    const sql = `e.id IN (${[...new Set(ids)].join(',')})`;
    return exactly(sql, sql);
  }
}
