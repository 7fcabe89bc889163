/** Keys of the event list: one cursor that moves over the rows held, and Enter to open what it is on. */
import { useApp } from '../store.ts';
import { extendMarks } from './marks.ts';
import { indexOf, rowAt } from './page-window.ts';
import { useTimeline } from './timeline-state.ts';
import { selectEvent, showNewest, toggleRun } from './timeline-store.ts';

/** Moves the cursor by `step` rows; with the details open the selection follows. */
export function moveCursor(step: number): void {
  const { window, cursor } = useTimeline.getState();
  if (window.items.length === 0) return;
  const selected = useApp.getState().route.eventId;
  const from = indexOf(window, cursor ?? selected ?? '');
  const last = window.first + window.items.length - 1;
  const index = from < 0 ? window.first : Math.min(last, Math.max(window.first, from + step));
  const row = rowAt(window, index)?.event;
  if (!row) return;
  useTimeline.setState({ cursor: row.eventId });
  if (selected !== undefined) selectEvent(row.eventId);
}

/** The row that a key acts on: where the cursor is, else the open one. */
export function currentRow(): string | undefined {
  return useTimeline.getState().cursor ?? useApp.getState().route.eventId;
}

/** Handles a key pressed in the list; true when it was one of ours. */
export function listKey(event: KeyboardEvent, pageRows: number): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  switch (event.key) {
    case 'ArrowDown':
    case 'ArrowUp': {
      const before = currentRow();
      moveCursor(event.key === 'ArrowDown' ? 1 : -1);
      const after = currentRow();
      if (event.shiftKey && after !== undefined) extendMarks(before ?? after, after);
      return true;
    }
    case 'ArrowRight':
    case 'ArrowLeft': {
      const row = currentRow();
      if (row === undefined) return false;
      toggleRun(row, event.key === 'ArrowRight');
      return true;
    }
    case 'PageDown':
      moveCursor(pageRows);
      return true;
    case 'PageUp':
      moveCursor(-pageRows);
      return true;
    case 'End':
      moveCursor(Number.MAX_SAFE_INTEGER / 2);
      return true;
    case 'Home':
      if (useTimeline.getState().window.atNewest) moveCursor(-Number.MAX_SAFE_INTEGER / 2);
      else showNewest();
      return true;
    case 'Enter': {
      const { cursor, window } = useTimeline.getState();
      const target = cursor ?? window.rows[0]?.eventId;
      if (target !== undefined) selectEvent(target);
      return true;
    }
    default:
      return false;
  }
}
