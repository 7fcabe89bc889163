/** Queries kept under a name: a star in the query bar that saves what is typed and lists what was saved. */
import { Popover } from 'radix-ui';
import { useEffect, useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { type SavedSearch, usePrefs } from '../prefs.ts';
import { useApp } from '../store.ts';
import { Icon } from '../ui/icon.tsx';
import { menuHost } from '../ui/menu-host.ts';
import { IconButton } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { allSearches, dropSearch, keepSearch, loadSaved, useSaved } from './saved-store.ts';
import { runQuery } from './timeline-store.ts';

const MAX_NAME = 80;

function useSearches(): SavedSearch[] {
  const kept = useSaved((state) => state.kept);
  const local = usePrefs((prefs) => prefs.saved);
  return allSearches(kept, local);
}

function SaveForm({ query }: { query: string }) {
  const [name, setName] = useState('');
  const taken = useSearches().some((search) => search.name === name.trim());
  return (
    <form
      className="saved-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim() === '') return;
        void keepSearch(name.trim(), query);
        setName('');
      }}
    >
      <p className="mono saved-query">
        <SafeText text={query} limit={200} />
      </p>
      <div className="saved-line">
        <input
          className="text-input"
          value={name}
          maxLength={MAX_NAME}
          placeholder={t('saved.name')}
          aria-label={t('saved.name')}
          onChange={(event) => setName(event.target.value)}
        />
        <button type="submit" className="button button-primary" disabled={name.trim() === ''}>
          {t(taken ? 'saved.replace' : 'saved.save')}
        </button>
      </div>
    </form>
  );
}

export function SavedSearches() {
  const [open, setOpen] = useState(false);
  const query = useApp((state) => state.route.query);
  const saved = useSearches();
  const error = useSaved((state) => state.error);
  const session = useApp((state) => state.session);
  useEffect(() => {
    if (session > 0) void loadSaved();
  }, [session]);
  const known = saved.find((search) => search.query === query);
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger
        className="icon-button saved-star"
        aria-label={t('saved.label')}
        title={known ? known.name : t('saved.label')}
        data-on={known ? '' : undefined}
      >
        <Icon name="star" />
      </Popover.Trigger>
      <Popover.Portal container={menuHost()}>
        <Popover.Content className="menu saved" align="end" sideOffset={6} aria-label={t('saved.label')}>
          {query.trim() === '' ? null : <SaveForm query={query} />}
          {error === undefined ? null : (
            <p className="menu-foot" role="alert">
              {t('saved.failed')} {error}
            </p>
          )}
          {saved.length === 0 ? <p className="menu-foot">{t('saved.none')}</p> : null}
          <ul>
            {saved.map((search) => (
              <li key={search.name} className="saved-item">
                <button
                  type="button"
                  className="menu-item"
                  onClick={() => {
                    setOpen(false);
                    runQuery(search.query);
                  }}
                >
                  <span className="saved-name">{search.name}</span>
                  <span className="menu-hint mono">
                    <SafeText text={search.query} limit={60} />
                  </span>
                </button>
                <IconButton
                  icon="trash"
                  label={t('saved.remove', { name: search.name })}
                  onClick={() => void dropSearch(search.name)}
                />
              </li>
            ))}
          </ul>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
