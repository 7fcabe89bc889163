/** Everything that can be done by name. */
import { LOCALES, t } from '../i18n/i18n.ts';
import { DENSITIES, THEMES, setPanel, setPrefs, usePrefs } from '../prefs.ts';
import { VIEWS } from '../router.ts';
import { navigate, showOverlay } from '../store.ts';
import { runQuery, setPaused, showNewest, useTimeline } from '../timeline/timeline-store.ts';
import { LANGUAGE_NAMES } from './rail.tsx';

export interface Command {
  id: string;
  title: string;
  keys?: string;
  run: () => void;
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
    { id: 'clear', title: t('query.clear'), run: () => runQuery('') },
    { id: 'keys', title: t('palette.keys'), keys: '?', run: () => showOverlay({ keys: true }) },
    ...THEMES.map((theme) => ({
      id: `theme-${theme}`,
      title: t('palette.theme', { theme: t(`theme.${theme}`) }),
      run: () => setPrefs({ theme }),
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
