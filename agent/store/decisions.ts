/** Which events are decisions about an event, or by a policy. */
import type { DatabaseSync } from 'node:sqlite';

/** Ids of decision events, newest first. A timeline that an older version wrote and nobody has opened since has none. */
export function decisionsAbout(
  db: DatabaseSync,
  about: { eventId: number } | { policyId: string },
  limit: number,
): number[] {
  const known = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'decision'").get();
  if (!known) return [];
  const where = 'eventId' in about ? 'of = ?' : 'policy = ?';
  const rows = db
    .prepare(`SELECT id FROM decision WHERE ${where} ORDER BY id DESC LIMIT ?`)
    .all('eventId' in about ? about.eventId : about.policyId, Math.max(0, Math.floor(limit)));
  return (rows as { id: number }[]).map(({ id }) => id);
}
