/** Detections in their table: `seq` 0 for those that came with the event, else the record that told of them. */
import type { StatementSync } from 'node:sqlite';
import type { Detection } from '../event.ts';
import { packJson } from './json.ts';

export function detectionInsert(n: number): string {
  return `INSERT OR IGNORE INTO t${n}(event, seq, k, rule, title, attack, source, json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
}

export function saveDetections(
  statement: StatementSync,
  eventId: number,
  seq: number,
  detections: readonly Detection[],
): void {
  for (const [index, detection] of detections.entries()) {
    const { ruleId, title, attack, source } = detection;
    const techniques = JSON.stringify(attack ?? []);
    statement.run(eventId, seq, index, ruleId, title, techniques, source ?? '', packJson(detection));
  }
}
