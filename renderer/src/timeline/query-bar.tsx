/** The query bar: one line, coloured and checked by the agent as one types, with completion and history. */
import { useEffect, useId, useRef, useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { useApp } from '../store.ts';
import { IconButton } from '../ui/primitives.tsx';
import { Icon } from '../ui/icon.tsx';
import { neutralise } from '../ui/neutralise.ts';
import { QuerySuggestions, type Suggestion } from './query-suggestions.tsx';
import { SavedSearches } from './saved-searches.tsx';
import { paint } from './query-text.ts';
import { runQuery } from './timeline-store.ts';
import { useQueryCheck } from './use-query-check.ts';
import { usePrefs } from '../prefs.ts';
import './query.css';

export function QueryBar() {
  const address = useApp((state) => state.route.query);
  const aside = useApp(({ route }) => route.view === 'timeline' && route.around !== undefined);
  const history = usePrefs((prefs) => prefs.history);
  const [text, setText] = useState(address);
  const [caret, setCaret] = useState<number>();
  const [active, setActive] = useState<number>();
  const [list, setList] = useState<'none' | 'completions' | 'history'>('none');
  const input = useRef<HTMLInputElement>(null);
  const painted = useRef<HTMLDivElement>(null);
  const id = useId();
  const { checked, check } = useQueryCheck(text, caret);
  const [seen, setSeen] = useState(address);
  if (seen !== address) {
    setSeen(address);
    setText(address);
    setList('none');
  }

  const suggestions: Suggestion[] =
    list === 'history'
      ? history.map((entry) => ({ text: entry, label: entry, replaceFrom: 0, replaceTo: text.length }))
      : list === 'completions' && checked === text
        ? (check?.completions ?? []).slice(0, 12)
        : [];
  const chosen = active === undefined ? undefined : suggestions[active];
  const error = text.trim() === '' || checked !== text || check?.ok ? undefined : check?.error;

  const syncScroll = (): void => {
    if (painted.current && input.current) painted.current.scrollLeft = input.current.scrollLeft;
  };
  // Only when the text or its colours changed: asking where the input is scrolled to lays out the whole page.
  useEffect(syncScroll, [text, check]);

  const take = (suggestion: Suggestion): void => {
    const next = text.slice(0, suggestion.replaceFrom) + suggestion.text + text.slice(suggestion.replaceTo);
    const at = suggestion.replaceFrom + suggestion.text.length;
    setText(next);
    setActive(undefined);
    setList(list === 'history' ? 'none' : 'completions');
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(at, at);
      setCaret(at);
    });
  };
  const run = (query: string): void => {
    setList('none');
    setActive(undefined);
    runQuery(query);
  };

  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return;
    const { key } = event;
    if (key === 'Enter') {
      event.preventDefault();
      if (chosen && list === 'history') run(chosen.text);
      else if (chosen) take(chosen);
      else if (!error) run(text);
    } else if (key === 'Tab' && chosen) {
      event.preventDefault();
      take(chosen);
    } else if (key === 'ArrowDown' && suggestions.length > 0) {
      event.preventDefault();
      setActive(active === undefined ? 0 : Math.min(suggestions.length - 1, active + 1));
    } else if (key === 'ArrowUp') {
      event.preventDefault();
      if (active !== undefined && active > 0) setActive(active - 1);
      else if (active === 0) setActive(undefined);
      else if (history.length > 0) {
        setList('history');
        setActive(0);
      }
    } else if (key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      if (list === 'none') {
        setText(address);
        document.getElementById('event-list')?.focus();
      }
      setList('none');
      setActive(undefined);
    }
  };

  return (
    <form
      className="query"
      data-aside={aside || undefined}
      role="search"
      aria-label={t('query.label')}
      onSubmit={(event) => event.preventDefault()}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setList('none');
      }}
    >
      <Icon name="search" />
      <div className="query-field">
        <div ref={painted} className="query-paint" aria-hidden="true">
          {paint(text, checked, check?.tokens ?? []).map((part, at) => (
            <span key={at} className={part.kind === '' ? undefined : `token-${part.kind}`}>
              {part.text}
            </span>
          ))}
          {error ? (
            <span className="query-squiggle">
              <span>{text.slice(0, error.offset ?? 0)}</span>
              <mark>{text.slice(error.offset ?? 0, (error.offset ?? 0) + (error.length ?? 1)) || ' '}</mark>
            </span>
          ) : null}
        </div>
        <input
          ref={input}
          id="query-input"
          className="query-input"
          value={text}
          placeholder={t('query.placeholder')}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          maxLength={8000}
          role="combobox"
          aria-label={t('query.label')}
          aria-expanded={suggestions.length > 0}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={active === undefined || !chosen ? undefined : `${id}-${active}`}
          aria-invalid={error ? true : undefined}
          aria-describedby={error ? `${id}-error` : undefined}
          onChange={(event) => {
            setText(event.target.value);
            setCaret(event.target.selectionStart ?? event.target.value.length);
            setActive(undefined);
            setList('completions');
          }}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart ?? undefined)}
          onScroll={syncScroll}
          onKeyDown={onKeyDown}
        />
      </div>
      {text === '' ? <kbd className="kbd query-key">/</kbd> : null}
      {text === '' ? null : <IconButton icon="close" label={t('query.clear')} onClick={() => run('')} />}
      <SavedSearches />
      {error ? (
        <p className="query-error" id={`${id}-error`} role="alert">
          <span className="query-caret" aria-hidden="true">
            {`${' '.repeat(Math.min(60, error.offset ?? 0))}↑ `}
          </span>
          {t('query.error', { column: (error.offset ?? 0) + 1, message: neutralise(error.message) })}
        </p>
      ) : null}
      <QuerySuggestions
        id={id}
        title={list === 'history' ? t('query.history') : t('query.completions')}
        suggestions={suggestions}
        active={active}
        below={error !== undefined}
        onTake={(suggestion) => (list === 'history' ? run(suggestion.text) : take(suggestion))}
      />
    </form>
  );
}
