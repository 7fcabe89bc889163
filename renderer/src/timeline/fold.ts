/**
 * Repeats as one row: events near each other that say the same (the same process did the same to the same thing), also
 * when a few others take turns with them, as opening and writing do. The row stands where its newest event is. Pure. Only what says nothing by itself is folded: no detection, no decision, no gap, no severity above info.
 *
 * A page is folded by itself and from its oldest end in runs of at most MAX_RUN, so that paging moves no row and the
 * rows of a window always fill a screen.
 */
import type { EventJson } from '../../../agent/api/contract.ts';

/** Fewer than this are shown one by one. */
const LEAST = 3;
export const MAX_RUN = 50;
/** So many things may take turns: connect, accept, close and close again are four. */
const NEAR = 4;

export interface RowItem {
  /** The event the row shows: of a run the newest. */
  event: EventJson;
  /** On the row that stands for a run, or that heads one shown one by one: all of it, newest first. */
  run?: readonly EventJson[];
  /** Part of a run that is shown one by one. */
  open: boolean;
}

/** What is folded: nothing, or all runs but those that hold one of `opened`. */
export interface Folding {
  on: boolean;
  opened: ReadonlySet<string>;
}

const keys = new WeakMap<EventJson, string>();

/** What events must share to be one row; empty for one that is to be seen by itself. */
export function likenessOf(event: EventJson): string {
  let key = keys.get(event);
  if (key !== undefined) return key;
  const { process, file, network, dns, target } = event;
  const alone =
    !process ||
    event.severity !== 'info' ||
    (event.detections?.length ?? 0) > 0 ||
    event.decision !== undefined ||
    event.gap !== undefined ||
    event.shield !== undefined ||
    event.metrics !== undefined ||
    event.synthetic === true;
  key = alone
    ? ''
    : JSON.stringify([
        process.pid,
        process.startNs,
        event.type,
        event.action,
        event.type === 'process' && [process.executable, process.argv, process.exitCode],
        file && [file.path, file.op, file.oldPath],
        network && [network.protocol, network.direction, network.dstIp, network.dstPort, network.verdict],
        dns && [dns.query, dns.recordType],
        target && [target.pid, target.startNs],
        event.message,
      ]);
  keys.set(event, key);
  return key;
}

interface Group {
  key: string;
  /** Places in the page, oldest first: growing downwards. */
  places: number[];
}

/** Which events of a page belong together: walked from the oldest, each joins a group that is at most NEAR groups back. */
function group(events: readonly EventJson[]): Group[] {
  const groups: Group[] = [];
  let near: Group[] = [];
  for (let at = events.length - 1; at >= 0; at -= 1) {
    const event = events[at];
    const key = event ? likenessOf(event) : '';
    // Nothing is moved past what is to be seen by itself.
    if (key === '') near = [];
    const known = near.find((each) => each.key === key && each.places.length < MAX_RUN);
    if (known) {
      known.places.push(at);
      near = [known, ...near.filter((each) => each !== known)];
      continue;
    }
    const started = { key, places: [at] };
    groups.push(started);
    if (key !== '') near = [started, ...near].slice(0, NEAR);
  }
  return groups;
}

/** The rows of one page, newest first. */
export function fold(events: readonly EventJson[], folding: Folding): RowItem[] {
  if (!folding.on) return events.map((event) => ({ event, open: false }));
  const rows: (RowItem | undefined)[] = events.map((event) => ({ event, open: false }));
  for (const { places } of group(events)) {
    if (places.length < LEAST) continue;
    const run = places.toReversed().flatMap((at) => events[at] ?? []);
    const [newest] = run;
    if (!newest) continue;
    const open = run.some((event) => folding.opened.has(event.eventId));
    for (const at of places) rows[at] = open && events[at] ? { event: events[at], open } : undefined;
    rows[places.at(-1) ?? 0] = { event: newest, run, open };
  }
  return rows.filter((row) => row !== undefined);
}
