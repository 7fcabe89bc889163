/** The list under the query bar: completions or earlier queries. */
import { useEffect } from 'react';
import { neutralise } from '../ui/neutralise.ts';

export interface Suggestion {
  text: string;
  label: string;
  detail?: string;
  replaceFrom: number;
  replaceTo: number;
}

export function QuerySuggestions({
  id,
  title,
  suggestions,
  active,
  below,
  onTake,
}: {
  id: string;
  title: string;
  suggestions: readonly Suggestion[];
  active: number | undefined;
  /** An error line stands between the bar and the list. */
  below: boolean;
  onTake: (suggestion: Suggestion) => void;
}) {
  useEffect(() => {
    if (active !== undefined)
      document.getElementById(`${id}-${active}`)?.scrollIntoView({ block: 'nearest' });
  }, [id, active]);
  return (
    <ul
      id={`${id}-list`}
      className="suggestions"
      role="listbox"
      aria-label={title}
      hidden={suggestions.length === 0}
      data-below={below || undefined}
    >
      {suggestions.map((suggestion, at) => (
        <li
          key={`${suggestion.label} ${suggestion.text}`}
          id={`${id}-${at}`}
          role="option"
          aria-selected={at === active}
          className="menu-item"
          data-highlighted={at === active ? '' : undefined}
          onPointerDown={(event) => {
            event.preventDefault();
            onTake(suggestion);
          }}
        >
          <span className="mono suggestion-text">{neutralise(suggestion.label)}</span>
          {suggestion.detail === undefined ? null : <span className="menu-hint">{suggestion.detail}</span>}
        </li>
      ))}
    </ul>
  );
}
