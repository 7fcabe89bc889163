/** Which records of the logs a query is about, for `sentinel audit export --query`. */
import type { Selection } from '../audit/bundle-format.ts';
import { SentinelError } from '../errors.ts';
import { walPositionOf } from '../event.ts';
import { openSource } from './source.ts';

const PAGE = 1000;
/** Their numbers are in the bundle, in memory while it is written. */
const MAX_RECORDS = 200_000;

/** "3-7,9" of ascending numbers. */
function spans(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const each of numbers) {
    const last = parts.at(-1);
    if (last && last[1] === each - 1) last[1] = each;
    else parts.push([each, each]);
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/** Runs the query to its end. @throws SentinelError when nothing or too much matches. */
export async function selectRecords(dataDir: string, query: string): Promise<Selection> {
  const source = await openSource(dataDir);
  const found: Record<string, number[]> = {};
  let records = 0;
  let sinceNs = '';
  let untilNs = '';
  try {
    let before: string | undefined;
    do {
      const page = await source.call('events.query', {
        query,
        limit: PAGE,
        ...(before === undefined ? {} : { before }),
      });
      for (const { eventId, tsNs } of page.events) {
        const { lane, seq } = walPositionOf(Number(eventId));
        (found[lane] ??= []).push(seq);
        sinceNs = tsNs;
        if (untilNs === '') untilNs = tsNs;
      }
      records += page.events.length;
      if (records > MAX_RECORDS) {
        const what = `more than ${MAX_RECORDS} records match`;
        throw new SentinelError(
          'too_many',
          what,
          'narrow the query, or export a time span with --since and --until',
        );
      }
      before = page.older;
    } while (before !== undefined);
  } finally {
    source.close();
  }
  if (records === 0)
    throw new SentinelError(
      'no_match',
      'no record matches',
      'nothing was written; try the query with sentinel events',
    );
  const lanes: Selection['lanes'] = {};
  for (const [lane, numbers] of Object.entries(found)) {
    numbers.sort((a, b) => a - b);
    lanes[lane] = { first: numbers[0] ?? 0, last: numbers.at(-1) ?? 0, records: spans(numbers) };
  }
  return { query, records, sinceNs, untilNs, lanes };
}
