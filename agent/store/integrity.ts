/** Checks the database's pages, and that what is derived inside it agrees with the events. */
import type { DatabaseSync } from 'node:sqlite';
import { Actions, filledPartitions } from './catalog.ts';
import type { EventBlock } from './blocks.ts';
import { HOT, Flag } from './schema.ts';
import { CLASSES, classOf, secondOf } from './rollups.ts';
import { tsOf } from './row.ts';
import { PartitionView } from './view.ts';
import type { Zone } from './zones.ts';

const MAX_PROBLEMS = 20;

function addBlock(block: EventBlock, zone: Zone, actions: Actions, cells: Map<number, number>): boolean {
  let within = true;
  for (let row = 0; row < block.rows; row += 1) {
    const at = (column: number): number => block.hot[column]?.at(row) ?? 0;
    const ts = tsOf(block, row);
    const id = at(HOT.id);
    const lane = id % 2 === 1 ? 1 : 0;
    within &&= ts >= zone.minTs && ts <= zone.maxTs && id >= zone.minId[lane] && id <= zone.maxId[lane];
    const { type } = actions.get(at(HOT.action));
    within &&= (zone.types & (1 << type)) !== 0 && (zone.severities & (1 << at(HOT.severity))) !== 0;
    const cls = classOf(type, at(HOT.severity), (at(HOT.flags) & Flag.observability) !== 0);
    const cell = secondOf(ts) * CLASSES + cls;
    cells.set(cell, (cells.get(cell) ?? 0) + 1);
  }
  return within;
}

function differing(db: DatabaseSync, table: string, cells: ReadonlyMap<number, number>): number {
  const rows = db.prepare(`SELECT cell, n FROM ${table} WHERE n <> 0`).all() as { cell: number; n: number }[];
  let wrong = 0;
  for (const { cell, n } of rows) if (cells.get(cell) !== n) wrong += 1;
  return wrong + Math.max(0, cells.size - rows.length);
}

/** Problems in words; none for a sound database. */
export function checkIntegrity(db: DatabaseSync): string[] {
  const problems: string[] = [];
  const pages = db.prepare(`PRAGMA integrity_check(${MAX_PROBLEMS})`).all() as { integrity_check: string }[];
  for (const { integrity_check: text } of pages) if (text !== 'ok') problems.push(text);
  const actions = new Actions(db);
  for (const { n, zone } of filledPartitions(db)) {
    const view = new PartitionView({ db, actions, hashes: () => undefined }, n);
    const seconds = new Map<number, number>();
    let rows = 0;
    for (const head of view.heads()) {
      const block = view.blocks.load(head);
      rows += block.rows;
      if (block.rows !== head.zone.rows || !addBlock(block, head.zone, actions, seconds)) {
        problems.push(`chunk ${head.k} of partition ${n} lies outside its bounds`);
      }
    }
    if (rows !== zone.rows)
      problems.push(`partition ${n} holds ${rows} events, its catalogue says ${zone.rows}`);
    const minutes = new Map<number, number>();
    for (const [cell, count] of seconds) {
      const minute = Math.floor(cell / CLASSES / 60) * CLASSES + (cell % CLASSES);
      minutes.set(minute, (minutes.get(minute) ?? 0) + count);
    }
    for (const [table, cells] of [
      [`r${n}`, seconds],
      [`m${n}`, minutes],
    ] as const) {
      const wrong = differing(db, table, cells);
      if (wrong > 0) problems.push(`${wrong} counts of ${table} differ from the events`);
    }
  }
  return problems;
}
