/** Rows chosen for something to be done with them together, and rows pinned above the list. */
import type { EventJson } from '../../../agent/api/contract.ts';
import { MAX_PINS } from '../router.ts';
import { navigate, useApp } from '../store.ts';
import { exactJson } from './detail/hex.ts';
import { absoluteTime } from '../ui/format.ts';
import { neutralise } from '../ui/neutralise.ts';
import type { RowItem } from './fold.ts';
import { type PageWindow, indexOf, rowAt } from './page-window.ts';
import { sentence } from './sentence.ts';
import { useTimeline } from './timeline-state.ts';

/** Beyond it, an export is the way. */
export const MAX_MARKED = 1000;

/** The row from which Shift extends. */
let anchor: string | undefined;

function setMarked(marked: Map<string, EventJson>): void {
  useTimeline.setState({ marked: new Map([...marked].slice(0, MAX_MARKED)) });
}

/** The events a row is about: of repeats shown as one row all of them. */
function standsFor(item: RowItem | undefined): readonly EventJson[] {
  if (!item) return [];
  return item.run && !item.open ? item.run : [item.event];
}

export function toggleMark(eventId: string): void {
  const { window, marked } = useTimeline.getState();
  const next = new Map(marked);
  anchor = eventId;
  const events = standsFor(rowAt(window, indexOf(window, eventId)));
  const taken = events.some((event) => next.has(event.eventId));
  for (const event of events) {
    if (taken) next.delete(event.eventId);
    else next.set(event.eventId, event);
  }
  setMarked(next);
}

/** Chooses every row from the last one chosen, or `from` when there is none, to this. */
export function extendMarks(from: string | undefined, eventId: string): void {
  const { window, marked } = useTimeline.getState();
  anchor = marked.size > 0 ? anchor : from;
  const to = indexOf(window, eventId);
  const start = indexOf(window, anchor ?? eventId);
  if (to < 0) return;
  extend(window, start < 0 ? to : start, to, new Map(marked));
}

function extend(window: PageWindow, from: number, to: number, next: Map<string, EventJson>): void {
  for (let at = Math.min(from, to); at <= Math.max(from, to); at += 1) {
    for (const event of standsFor(rowAt(window, at))) next.set(event.eventId, event);
  }
  setMarked(next);
}

/** Every row that is held. */
export function markAll(): void {
  setMarked(new Map(useTimeline.getState().window.rows.map((event) => [event.eventId, event])));
}

export function clearMarks(): void {
  anchor = undefined;
  useTimeline.setState({ marked: new Map() });
}

/** Oldest first, as a story is told. */
export function markedEvents(): EventJson[] {
  return [...useTimeline.getState().marked.values()].sort((a, b) =>
    Number(BigInt(a.tsNs) - BigInt(b.tsNs) || BigInt(a.eventId) - BigInt(b.eventId)),
  );
}

/** One line each, safe to paste: absolute time and sentence. */
export function asText(events: readonly EventJson[]): string {
  return events.map((event) => `${absoluteTime(event.tsNs)}  ${neutralise(sentence(event))}\n`).join('');
}

/** One JSON object a line, every unusual character as an escape. */
export function asNdjson(events: readonly EventJson[]): string {
  return events.map((event) => `${exactJson(event, 0)}\n`).join('');
}

export function togglePin(eventId: string): void {
  const { pins } = useApp.getState().route;
  const rest = pins.filter((id) => id !== eventId);
  navigate({ pins: rest.length < pins.length ? rest : [eventId, ...pins].slice(0, MAX_PINS) }, true);
}

export function pinMarked(): void {
  const { pins } = useApp.getState().route;
  const ids = markedEvents().map((event) => event.eventId);
  navigate({ pins: [...new Set([...ids, ...pins])].slice(0, MAX_PINS) }, true);
}
