/** The left rail: where one can go, and what the last few settings are. */
import { DropdownMenu } from 'radix-ui';
import { useEffect, useRef } from 'react';
import { menuHost } from '../ui/menu-host.ts';
import { LOCALES, t } from '../i18n/i18n.ts';
import { DENSITIES, THEMES, setPrefs, usePrefs } from '../prefs.ts';
import { VIEWS } from '../router.ts';
import { navigate, showOverlay, useApp } from '../store.ts';
import { Icon } from '../ui/icon.tsx';
import { MenuChoice } from '../ui/menu-choice.tsx';
import { IconButton, Kbd } from '../ui/primitives.tsx';

export const LANGUAGE_NAMES = { en: 'English', es: 'Español' } as const;

/** Another language draws the whole frame anew: whoever chose it goes on from the same button. */
let refocus = false;

function Settings() {
  const prefs = usePrefs();
  const trigger = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (refocus) trigger.current?.focus();
    refocus = false;
  }, []);
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger
        ref={trigger}
        className="icon-button"
        aria-label={t('settings.label')}
        title={t('settings.label')}
      >
        <Icon name="settings" />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal container={menuHost()}>
        <DropdownMenu.Content className="menu" side="right" align="end" sideOffset={8}>
          <MenuChoice
            title={t('settings.theme')}
            value={prefs.theme}
            options={THEMES}
            name={(option) => t(`theme.${option}`)}
            onChange={(theme) => setPrefs({ theme })}
          />
          <MenuChoice
            title={t('settings.density')}
            value={prefs.density}
            options={DENSITIES}
            name={(option) => t(`density.${option}`)}
            onChange={(density) => setPrefs({ density })}
          />
          <MenuChoice
            title={t('settings.language')}
            value={prefs.locale}
            options={LOCALES}
            name={(option) => LANGUAGE_NAMES[option]}
            onChange={(locale) => {
              refocus = locale !== prefs.locale;
              setPrefs({ locale });
            }}
          />
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

export function Rail() {
  const current = useApp((state) => state.route.view);
  const level = useApp((state) => state.health?.level);
  return (
    <nav className="rail" aria-label={t('nav.label')}>
      <ul>
        {VIEWS.map((view, at) => (
          <li key={view}>
            <button
              type="button"
              className="rail-item"
              aria-current={view === current ? 'page' : undefined}
              title={`${t(`nav.${view}`)} (${at + 1})`}
              onClick={() => navigate({ view, eventId: undefined, tab: undefined })}
            >
              <Icon name={view} />
              <span className="rail-word">{t(`nav.${view}`)}</span>
              {view === 'health' && level !== undefined && level !== 'ok' ? (
                <span className="rail-mark" data-level={level} role="img" aria-label={t(`level.${level}`)} />
              ) : null}
            </button>
          </li>
        ))}
      </ul>
      <div className="rail-foot">
        <IconButton icon="keyboard" label={t('palette.keys')} onClick={() => showOverlay({ keys: true })} />
        <Settings />
        <Kbd keys="?" />
      </div>
    </nav>
  );
}
