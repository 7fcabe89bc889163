/** Everything that can be done by name. */
import { LOCALES, t } from '../i18n/i18n.ts';
import { DENSITIES, STACKINGS, THEMES, TIME_STYLES, setPanel, setPrefs, usePrefs } from '../prefs.ts';
import { showProcessOf } from '../processes/process-store.ts';
import { VIEWS } from '../router.ts';
import { navigate, showOverlay, useApp } from '../store.ts';
import { currentRow } from '../timeline/list-keys.ts';
import { toggleMark, togglePin } from '../timeline/marks.ts';
import { useTimeline } from '../timeline/timeline-state.ts';
import { allSearches } from '../timeline/saved-store.ts';
import { refreshOverview, runQuery, setPaused, showAround, showNewest } from '../timeline/timeline-store.ts';
import { LANGUAGE_NAMES } from './rail.tsx';

export interface Command {
  id: string;
  title: string;
  keys?: string;
  run: () => void;
}

/** What can be done with the row under the cursor. */
function onRow(): Command[] {
  const eventId = currentRow();
  if (useApp.getState().route.view !== 'timeline' || eventId === undefined) return [];
  return [
    { id: 'around', title: t('around.show'), keys: 'a', run: () => showAround(eventId) },
    { id: 'process', title: t('processes.show'), keys: 'p', run: () => showProcessOf(eventId) },
    { id: 'pin', title: t('palette.pin'), keys: 'b', run: () => togglePin(eventId) },
    { id: 'mark', title: t('marks.toggle'), keys: 'x', run: () => toggleMark(eventId) },
  ];
}

export function commands(): Command[] {
  return [
    ...VIEWS.map((view, at) => ({
      id: `go-${view}`,
      title: t('palette.go', { view: t(`nav.${view}`) }),
      keys: String(at + 1),
      run: () => navigate({ view, eventId: undefined, tab: undefined }),
    })),
    {
      id: 'live',
      title: t('palette.live'),
      keys: 'Space',
      run: () => setPaused(!useTimeline.getState().paused),
    },
    { id: 'latest', title: t('palette.latest'), keys: 'Home', run: () => showNewest() },
    {
      id: 'facets',
      title: t('palette.facets'),
      keys: 'f',
      run: () => setPanel('facets', { open: !usePrefs.getState().panels.facets.open }),
    },
    ...allSearches().map(({ name, query }) => ({
      id: `saved-${name}`,
      title: t('palette.saved', { name }),
      run: () => runQuery(query),
    })),
    ...onRow(),
    { id: 'clear', title: t('query.clear'), run: () => runQuery('') },
    { id: 'keys', title: t('palette.keys'), keys: '?', run: () => showOverlay({ keys: true }) },
    ...THEMES.map((theme) => ({
      id: `theme-${theme}`,
      title: t('palette.theme', { theme: t(`theme.${theme}`) }),
      run: () => setPrefs({ theme }),
    })),
    ...STACKINGS.map((stacking) => ({
      id: `stack-${stacking}`,
      title: t('palette.stack', { stacking: t(`display.stack.${stacking}`) }),
      run: () => {
        setPrefs({ stacking });
        void refreshOverview(false);
      },
    })),
    ...TIME_STYLES.map((timeStyle) => ({
      id: `time-${timeStyle}`,
      title: t('palette.time', { style: t(`display.time.${timeStyle}`) }),
      run: () => setPrefs({ timeStyle }),
    })),
    ...DENSITIES.map((density) => ({
      id: `density-${density}`,
      title: t('palette.density', { density: t(`density.${density}`) }),
      run: () => setPrefs({ density }),
    })),
    ...LOCALES.map((locale) => ({
      id: `language-${locale}`,
      title: t('palette.language', { language: LANGUAGE_NAMES[locale] }),
      run: () => setPrefs({ locale }),
    })),
  ];
}
