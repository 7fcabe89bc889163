/** The catalogue of partitions and of actions. */
import type { DatabaseSync } from 'node:sqlite';
import { EVENT_TYPES, type EventType } from '../event.ts';
import { ZONE_COLUMNS } from './schema.ts';
import { zoneOf, type Zone } from './zones.ts';

export interface Partition {
  n: number;
  zone: Zone;
}

export interface Action {
  id: number;
  /** Index into EVENT_TYPES. */
  type: number;
  action: string;
}

/** All partitions by number, the one being filled last. */
export function readPartitions(db: DatabaseSync): Partition[] {
  const select = db.prepare(`SELECT n, ${ZONE_COLUMNS} FROM part ORDER BY n`);
  select.setReadBigInts(true);
  return select.all().map((row) => ({ n: Number(row['n']), zone: zoneOf(row) }));
}

/** Partitions that hold events. */
export function filledPartitions(db: DatabaseSync): Partition[] {
  return readPartitions(db).filter(({ zone }) => zone.rows > 0);
}

export class Actions {
  private readonly db: DatabaseSync;
  private readonly byName = new Map<string, number>();
  private readonly byId = new Map<number, Action>();

  constructor(db: DatabaseSync) {
    this.db = db;
    this.reload();
  }

  reload(): void {
    this.byName.clear();
    this.byId.clear();
    const rows = this.db.prepare('SELECT id, type, action FROM act').all() as unknown as Action[];
    for (const { id, type, action } of rows) this.remember({ id, type, action });
  }

  private remember(action: Action): void {
    this.byName.set(`${EVENT_TYPES[action.type]}:${action.action}`, action.id);
    this.byId.set(action.id, action);
  }

  /** Number of a type and action, given out at first sight. */
  idOf(type: EventType, action: string): number {
    const known = this.byName.get(`${type}:${action}`);
    if (known !== undefined) return known;
    const made = { id: this.byId.size, type: EVENT_TYPES.indexOf(type), action };
    this.db
      .prepare('INSERT INTO act(id, type, action) VALUES (?, ?, ?)')
      .run(made.id, made.type, made.action);
    this.remember(made);
    return made.id;
  }

  /** A reader may meet a number that the writer gave out since it looked. */
  get(id: number): Action {
    let found = this.byId.get(id);
    if (!found) {
      this.reload();
      found = this.byId.get(id);
    }
    return found ?? { id, type: EVENT_TYPES.indexOf('log'), action: '' };
  }

  all(): Action[] {
    return [...this.byId.values()];
  }
}
