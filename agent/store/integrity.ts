/** Checks the database's pages, and that what is derived inside it agrees with the events. */
import type { DatabaseSync } from 'node:sqlite';
import { readPartitions } from './catalog.ts';
import { CLASSES } from './rollups.ts';

const MAX_PROBLEMS = 20;

/** Problems in words; none for a sound database. */
export function checkIntegrity(db: DatabaseSync): string[] {
  const problems: string[] = [];
  const pages = db.prepare(`PRAGMA integrity_check(${MAX_PROBLEMS})`).all() as { integrity_check: string }[];
  for (const { integrity_check: text } of pages) if (text !== 'ok') problems.push(text);
  for (const { n, rows } of readPartitions(db)) {
    const counted = db.prepare(`SELECT count(*) AS c FROM e${n}`).get() as { c: number };
    if (counted.c !== rows)
      problems.push(`partition ${n} holds ${counted.c} events, its catalogue says ${rows}`);
    for (const [table, seconds] of [
      [`r${n}`, 1],
      [`m${n}`, 60],
    ] as const) {
      const differing = db
        .prepare(
          `SELECT count(*) AS c FROM (
             SELECT cell, sum(n) AS n FROM (
               SELECT (ts / ${1_000_000_000 * seconds}) * ${CLASSES} + (act.type << 4) + (sev << 1) + (fl & 1) AS cell, 1 AS n
                 FROM e${n} JOIN act ON act.id = ta
               UNION ALL SELECT cell, -n FROM ${table})
             GROUP BY cell HAVING sum(n) <> 0)`,
        )
        .get() as { c: number };
      if (differing.c > 0) problems.push(`${differing.c} counts of ${table} differ from the events`);
    }
    const missing = db
      .prepare(
        `SELECT count(*) AS c FROM e${n} e WHERE (snap IS NOT NULL AND snap NOT IN (SELECT id FROM s${n}))
           OR (path IS NOT NULL AND path NOT IN (SELECT id FROM d${n}))`,
      )
      .get() as { c: number };
    if (missing.c > 0) problems.push(`${missing.c} events of partition ${n} refer to rows that do not exist`);
  }
  return problems;
}
