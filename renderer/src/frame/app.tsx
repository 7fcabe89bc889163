/** The frame: rail, state sentence, query bar, and the view the address names. */
import { Suspense, lazy, useEffect } from 'react';
import { t } from '../i18n/i18n.ts';
import { usePrefs } from '../prefs.ts';
import { DetectionsView } from '../detections/detections-view.tsx';
import { DlpView } from '../dlp/dlp-view.tsx';
import { ActNotices } from '../policies/act-notices.tsx';
import { PoliciesView } from '../policies/policies-view.tsx';
import { ProcessesView } from '../processes/processes-view.tsx';
import type { View } from '../router.ts';
import { useApp } from '../store.ts';
import { QueryBar } from '../timeline/query-bar.tsx';
import { TimelineView } from '../timeline/timeline-view.tsx';
import { MENU_HOST } from '../ui/menu-host.ts';
import { ValueMenu } from '../ui/value.tsx';
import { ConnectionBanner, NotYetConnected } from './connection-banner.tsx';
import { KeyMap } from './key-map.tsx';
import { useKeyboard } from './keyboard.ts';
import { Palette } from './palette.tsx';
import { Rail } from './rail.tsx';
import { loadTags } from '../processes/tag-store.ts';
import { StateSentence } from './state-sentence.tsx';
import '../ui/tokens.css';
import '../ui/base.css';
import './frame.css';

/** Brings the charts with it, which the first paint does not need. */
let health: React.ComponentType | undefined;
async function loadHealthView(): Promise<{ default: React.ComponentType }> {
  const module = await import('../health/health-view.tsx');
  health = module.HealthView;
  return { default: health };
}
const LazyHealthView = lazy(loadHealthView);
/** Once loaded it is drawn at once: React shows what it had to wait for 300 ms late, lest the page flicker. */
function HealthView() {
  const View = health ?? LazyHealthView;
  return <View />;
}
/** After the first paint, so that going to Health does not wait for it. */
const PRELOAD_MS = 3000;

const VIEW: Record<View, React.ComponentType> = {
  timeline: TimelineView,
  processes: ProcessesView,
  detections: DetectionsView,
  policies: PoliciesView,
  dlp: DlpView,
  health: HealthView,
};

export function App() {
  const locale = usePrefs((prefs) => prefs.locale);
  const view = useApp((state) => state.route.view);
  const connected = useApp((state) => state.session > 0);
  const session = useApp((state) => state.session);
  useKeyboard();
  useEffect(() => {
    if (session > 0) void loadTags();
  }, [session]);
  useEffect(() => {
    document.documentElement.lang = locale;
    document.title = `${t(`nav.${view}`)} · ${t('app.name')}`;
  }, [view, locale]);
  useEffect(() => {
    // What goes wrong is said when the view is opened.
    const timer = setTimeout(() => void loadHealthView().catch(() => undefined), PRELOAD_MS);
    return () => clearTimeout(timer);
  }, []);
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
        {connected ? (
          <>
            <ConnectionBanner />
            <Suspense key={view}>
              <Current />
            </Suspense>
          </>
        ) : (
          <NotYetConnected />
        )}
        <div id={MENU_HOST} />
      </main>
      <ActNotices />
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
