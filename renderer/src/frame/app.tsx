/** The frame: rail, state sentence, query bar, and the view the address names. */
import { useEffect } from 'react';
import { t } from '../i18n/i18n.ts';
import { usePrefs } from '../prefs.ts';
import { DetectionsView } from '../detections/detections-view.tsx';
import { DlpView } from '../dlp/dlp-view.tsx';
import { HealthView } from '../health/health-view.tsx';
import { PoliciesView } from '../policies/policies-view.tsx';
import type { View } from '../router.ts';
import { useApp } from '../store.ts';
import { QueryBar } from '../timeline/query-bar.tsx';
import { TimelineView } from '../timeline/timeline-view.tsx';
import { ValueMenu } from '../ui/value.tsx';
import { ConnectionBanner } from './connection-banner.tsx';
import { KeyMap } from './key-map.tsx';
import { useKeyboard } from './keyboard.ts';
import { Palette } from './palette.tsx';
import { Rail } from './rail.tsx';
import { StateSentence } from './state-sentence.tsx';
import '../ui/tokens.css';
import '../ui/base.css';
import './frame.css';

const VIEW: Record<View, () => React.ReactNode> = {
  timeline: TimelineView,
  detections: DetectionsView,
  policies: PoliciesView,
  dlp: DlpView,
  health: HealthView,
};

export function App() {
  const locale = usePrefs((prefs) => prefs.locale);
  const view = useApp((state) => state.route.view);
  useKeyboard();
  useEffect(() => {
    document.documentElement.lang = locale;
    document.title = `${t(`nav.${view}`)} · ${t('app.name')}`;
  }, [view, locale]);
  const Current = VIEW[view];
  // A new key draws every text again in the new language.
  return (
    <div className="frame" key={locale}>
      <a className="skip" href="#content" onClick={(event) => skipTo(event)}>
        {t('nav.skip')}
      </a>
      <Rail />
      <header className="topbar">
        <StateSentence />
        <QueryBar />
      </header>
      <main id="content" className="content" tabIndex={-1}>
        <ConnectionBanner />
        <Current />
      </main>
      <ValueMenu />
      <Palette />
      <KeyMap />
    </div>
  );
}

/** The address is taken by views, so the skip link moves focus itself. */
function skipTo(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}
