/** Every part of `ui/` and every state of a view, once in each theme, for looking at. Never part of the product. */
import { createRoot } from 'react-dom/client';
import { setPrefs, THEMES } from '../src/prefs.ts';
import { startApp } from '../src/store.ts';
import { ValueMenu } from '../src/ui/value.tsx';
import { MENU_HOST } from '../src/ui/menu-host.ts';
import { PRIMITIVES } from './primitives.tsx';
import { prepare, STATES } from './states.tsx';
import '../src/ui/tokens.css';
import '../src/ui/base.css';
import '../src/frame/frame.css';
import '../src/health/health.css';
import './stories.css';

function Stories({ state }: { state: ReturnType<typeof prepare> }) {
  return (
    <div className="stories">
      <header className="stories-head">
        <h1 className="page-title">Parts of the console</h1>
        <nav aria-label="Pages">
          <a href="?" aria-current={state === undefined ? 'page' : undefined}>
            parts
          </a>
          {STATES.map(({ name }) => (
            <a key={name} href={`?state=${name}`} aria-current={name === state?.name ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
        {THEMES.map((theme) => (
          <button key={theme} type="button" className="button" onClick={() => setPrefs({ theme })}>
            {theme}
          </button>
        ))}
      </header>
      <main>
        {state === undefined ? (
          <div className="stories-grid">
            {PRIMITIVES.map(({ name, wide, show: Show }) => (
              <section key={name} className={wide ? 'story story-wide' : 'story'} aria-label={name}>
                <h2 className="story-name">{name}</h2>
                <div className="story-body">
                  <Show />
                </div>
              </section>
            ))}
          </div>
        ) : (
          <div className="story-view" data-state={state.name}>
            <state.show />
          </div>
        )}
        <div id={MENU_HOST} />
      </main>
      <ValueMenu />
    </div>
  );
}

// No agent stands behind these pages: what they show, they bring along.
startApp(() => new Promise(() => undefined));
const state = prepare(new URLSearchParams(location.search).get('state'));
const root = document.getElementById('root');
if (root) createRoot(root).render(<Stories state={state} />);
