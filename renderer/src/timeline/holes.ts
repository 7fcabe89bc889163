/** Where the record has holes between the rows of the list, whether or not the query finds the gaps themselves. */
import type { EventJson, GapJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { timeOfDay } from '../ui/format.ts';
import { gapCause, gapCount } from './sentence.ts';

/** "Gap: 1,204 records lost, kernel ring full, 14:02:11 to 14:02:13" */
export function gapText(gap: GapJson): string {
  return t('histogram.gap', {
    count: gapCount(gap),
    cause: gapCause(gap),
    from: timeOfDay(gap.fromNs),
    to: timeOfDay(gap.toNs),
  });
}

/**
 * What to say below rows, by event id: a gap is said below the oldest row that is newer than its beginning, if there is
 * an older row too. Rows are newest first. A gap that is itself the next row says it already.
 */
export function holesIn(rows: readonly EventJson[], gaps: readonly GapJson[]): ReadonlyMap<string, string> {
  const said = new Map<string, string>();
  if (gaps.length === 0) return said;
  const times = rows.map((row) => BigInt(row.tsNs));
  for (const gap of gaps) {
    const from = BigInt(gap.fromNs);
    // First row at or before the beginning of the gap.
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((times[middle] ?? 0n) > from) low = middle + 1;
      else high = middle;
    }
    const above = rows[low - 1];
    const below = rows[low];
    if (!above || !below || above.gap?.fromNs === gap.fromNs || below.gap?.fromNs === gap.fromNs) continue;
    const text = gapText(gap);
    const known = said.get(above.eventId);
    said.set(above.eventId, known === undefined ? text : `${known} · ${text}`);
  }
  return said;
}
