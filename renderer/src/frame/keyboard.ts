/** Keys that work wherever focus is, unless it is where text is typed. */
import { useEffect } from 'react';
import { setPanel, usePrefs } from '../prefs.ts';
import { showProcessOf } from '../processes/process-store.ts';
import { VIEWS } from '../router.ts';
import { navigate, showOverlay, useApp } from '../store.ts';
import { stepTab } from '../timeline/detail/detail-panel.tsx';
import { currentRow, moveCursor } from '../timeline/list-keys.ts';
import { clearMarks, toggleMark, togglePin } from '../timeline/marks.ts';
import { openRowMenu } from '../timeline/row-menu.tsx';
import { useTimeline } from '../timeline/timeline-state.ts';
import { selectEvent, setPaused, showAround } from '../timeline/timeline-store.ts';
import { GO_KEYS } from './keys.ts';

/** After `g`, the second key has this long. */
const CHORD_MS = 1200;

function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** True where Space or Enter already mean "press this". */
function pressable(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('button, a, [role=tab], [role=menuitem]') !== null;
}

function escape(): boolean {
  const { route } = useApp.getState();
  if (route.view === 'timeline' && useTimeline.getState().marked.size > 0) {
    clearMarks();
    return true;
  }
  if (route.eventId === undefined && route.around !== undefined) {
    navigate({ around: undefined });
    return true;
  }
  if (route.eventId === undefined) return false;
  selectEvent(undefined);
  document.getElementById('event-list')?.focus();
  return true;
}

function onRow(act: (eventId: string) => void): boolean {
  const eventId = currentRow();
  if (eventId !== undefined) act(eventId);
  return eventId !== undefined;
}

function timelineKey(key: string, target: EventTarget | null): boolean {
  const { route } = useApp.getState();
  if (route.view !== 'timeline') return false;
  switch (key) {
    case 'j':
      moveCursor(1);
      return true;
    case 'k':
      moveCursor(-1);
      return true;
    case 'x':
      return onRow(toggleMark);
    case 'b':
      return onRow(togglePin);
    case 'a':
      return onRow(showAround);
    case 'p':
      return onRow(showProcessOf);
    case 'm':
      return openRowMenu();
    case '[':
      stepTab(-1);
      return true;
    case ']':
      stepTab(1);
      return true;
    case 'f':
      setPanel('facets', { open: !usePrefs.getState().panels.facets.open });
      return true;
    case ' ':
      if (pressable(target)) return false;
      setPaused(!useTimeline.getState().paused);
      return true;
    case 'Enter': {
      const { cursor } = useTimeline.getState();
      if (pressable(target) || cursor === undefined) return false;
      selectEvent(cursor);
      return true;
    }
    default:
      return false;
  }
}

function singleKey(key: string, target: EventTarget | null): boolean {
  const digit = VIEWS[Number(key) - 1];
  if (/^[1-6]$/.test(key) && digit) {
    navigate({ view: digit, eventId: undefined, tab: undefined });
    return true;
  }
  if (key === '/') {
    const input = document.getElementById('query-input') as HTMLInputElement | null;
    input?.focus();
    input?.select();
    return true;
  }
  if (key === '?') {
    showOverlay({ keys: true });
    return true;
  }
  return timelineKey(key, target);
}

export function useKeyboard(): void {
  useEffect(() => {
    let chordUntil = 0;
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.isComposing) return;
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        showOverlay({ palette: true });
        return;
      }
      const { overlay, valueMenu } = useApp.getState();
      if (overlay.palette || overlay.keys || valueMenu || useTimeline.getState().rowMenu) return;
      if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
      if (event.key === 'Escape') {
        if (escape()) event.preventDefault();
        return;
      }
      if (!usePrefs.getState().singleKeys) return;
      const view = event.timeStamp < chordUntil ? GO_KEYS[event.key] : undefined;
      chordUntil = 0;
      if (view) {
        event.preventDefault();
        navigate({ view, eventId: undefined, tab: undefined });
      } else if (event.key === 'g') chordUntil = event.timeStamp + CHORD_MS;
      else if (singleKey(event.key, event.target)) event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}
