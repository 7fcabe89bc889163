/** A policy's text: coloured, numbered, checked by the agent as one types, with completion at the caret. */
import { useId, useRef, useState } from 'react';
import type { PolicyProblemJson } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { QuerySuggestions, type Suggestion } from '../timeline/query-suggestions.tsx';
import { SafeText } from '../ui/text.tsx';
import { offsetOf, paintPolicy } from './paint-policy.ts';
import type { PolicyCheck } from './use-policy-check.ts';
import './editor.css';

const MAX_SUGGESTIONS = 12;
const MAX_LINES = 40;

function Problems({
  problems,
  onGo,
}: {
  problems: readonly PolicyProblemJson[];
  onGo: (problem: PolicyProblemJson) => void;
}) {
  return (
    <ul className="policy-problems">
      {problems.map((problem, at) => (
        <li key={at}>
          <button type="button" className="link-button num" onClick={() => onGo(problem)}>
            {t('policies.place', { line: problem.line, column: problem.column })}
          </button>{' '}
          <SafeText text={problem.message} limit={300} />{' '}
          <span className="dim">
            <SafeText text={problem.remedy} limit={300} />
          </span>
        </li>
      ))}
    </ul>
  );
}

export function PolicyEditor({
  text,
  check,
  onChange,
  onCaret,
  onSave,
}: {
  text: string;
  check: PolicyCheck | undefined;
  onChange: (text: string) => void;
  onCaret: (caret: number) => void;
  onSave: () => void;
}) {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const [caret, setCaret] = useState<number>();
  const [listed, setListed] = useState<'typed' | 'asked'>();
  const [active, setActive] = useState<number>();
  const [scroll, setScroll] = useState({ left: 0, top: 0 });
  const current = check?.text === text;
  const found = current ? [...check.problems, ...check.warnings] : [];
  const marks = new Set(found.map(({ line }) => line));
  const lines = text.split('\n');
  const longest = lines.reduce((most, line) => Math.max(most, line.length), 0);
  const offered: Suggestion[] =
    listed !== undefined && current && check.caret === caret
      ? check.completions.slice(0, MAX_SUGGESTIONS)
      : [];
  // Unasked only behind the beginning of a name: a list on every empty line would be in the way.
  const begun = (offered[0]?.replaceFrom ?? 0) < (caret ?? 0) || text[(caret ?? 0) - 1] === '.';
  const suggestions = listed === 'asked' || begun ? offered : [];
  const before = text.slice(0, suggestions[0]?.replaceFrom ?? caret ?? 0);
  const column = before.length - before.lastIndexOf('\n') - 1;
  const row = before.split('\n').length;

  const moved = (at: number, isTyped: boolean): void => {
    if (!isTyped && at !== caret) setListed(undefined);
    setCaret(at);
    setActive(undefined);
    onCaret(at);
  };
  const take = ({ text: insert, replaceFrom, replaceTo }: Suggestion): void => {
    const box = area.current;
    if (!box) return;
    box.focus();
    box.setSelectionRange(replaceFrom, replaceTo);
    // The one way of writing into a text field that its undo knows of.
    if (!document.execCommand('insertText', false, insert))
      onChange(text.slice(0, replaceFrom) + insert + text.slice(replaceTo));
    // Into the quotes or brackets that were written with it.
    const inner = insert.endsWith('"")') ? 2 : insert === 'has()' ? 1 : 0;
    const at = replaceFrom + insert.length - inner;
    if (inner > 0) box.setSelectionRange(at, at);
    moved(box.selectionStart, true);
    setListed(undefined);
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return;
    const { key, ctrlKey, metaKey } = event;
    const chosen = active === undefined ? undefined : suggestions[active];
    const stop = (act: () => void): void => {
      event.preventDefault();
      event.stopPropagation();
      act();
    };
    if (key === 's' && (ctrlKey || metaKey)) stop(onSave);
    else if (key === ' ' && ctrlKey)
      stop(() => (setListed('asked'), onCaret(area.current?.selectionStart ?? 0)));
    else if (suggestions.length === 0) return;
    else if (key === 'Escape') stop(() => setListed(undefined));
    else if (key === 'ArrowDown') stop(() => setActive(Math.min(suggestions.length - 1, (active ?? -1) + 1)));
    else if (key === 'ArrowUp' && active !== undefined)
      stop(() => setActive(active === 0 ? undefined : active - 1));
    else if (key === 'Enter' && chosen) stop(() => take(chosen));
    else if (key === 'Tab' && !event.shiftKey) stop(() => take(chosen ?? suggestions[0]!));
  };
  const goTo = ({ line, column: at }: PolicyProblemJson): void => {
    const offset = offsetOf(text, line, at);
    area.current?.focus();
    area.current?.setSelectionRange(offset, offset + 1);
  };
  return (
    <>
      <div className="policy-editor-frame">
        <div
          className="policy-editor"
          onScroll={({ currentTarget: { scrollLeft, scrollTop } }) =>
            setScroll({ left: scrollLeft, top: scrollTop })
          }
          style={
            {
              '--lines': Math.min(MAX_LINES, lines.length + 1),
              '--all': lines.length + 1,
              '--cols': longest + 2,
            } as React.CSSProperties
          }
        >
          <pre className="policy-lines" aria-hidden="true">
            {lines.map((_, at) => (
              <span key={at} data-bad={marks.has(at + 1) || undefined}>
                {at + 1}
              </span>
            ))}
          </pre>
          <div className="policy-field">
            <pre className="policy-paint" aria-hidden="true">
              {paintPolicy(text, found).map((part, at) => (
                <span
                  key={at}
                  className={part.kind === '' ? undefined : `policy-token-${part.kind}`}
                  data-bad={part.bad || undefined}
                >
                  {part.text}
                </span>
              ))}
            </pre>
            <textarea
              ref={area}
              className="policy-area"
              aria-label={t('policies.text')}
              aria-invalid={current && check.problems.length > 0}
              aria-describedby={`${id}-check ${id}-keys`}
              aria-autocomplete="list"
              aria-controls={`${id}-list`}
              aria-activedescendant={
                active === undefined || suggestions[active] === undefined ? undefined : `${id}-${active}`
              }
              value={text}
              wrap="off"
              dir="ltr"
              spellCheck={false}
              autoCapitalize="off"
              autoComplete="off"
              onChange={(event) => {
                onChange(event.target.value);
                moved(event.target.selectionStart, true);
                setListed('typed');
              }}
              onSelect={(event) => {
                const at = event.currentTarget.selectionStart;
                if (at !== caret) moved(at, false);
              }}
              onBlur={() => setListed(undefined)}
              onKeyDown={onKeyDown}
            />
          </div>
        </div>
        <div
          className="policy-completions"
          style={
            {
              '--row': row,
              '--column': column,
              '--gutter': String(lines.length).length,
              '--x': `${scroll.left}px`,
              '--y': `${scroll.top}px`,
            } as React.CSSProperties
          }
        >
          <QuerySuggestions
            id={id}
            title={t('query.completions')}
            suggestions={suggestions}
            active={active}
            below={false}
            onTake={take}
          />
        </div>
      </div>
      <p className="small dim" id={`${id}-keys`}>
        {t('policies.editorKeys')}
      </p>
      <div id={`${id}-check`} className="policy-check" role="status">
        {current ? null : <p className="dim">{t('policies.checking')}</p>}
        {current && check.problems.length === 0 ? <p>{t('policies.valid')}</p> : null}
        {current && check.problems.length > 0 ? (
          <p>{tn('policies.mistakes', check.problems.length)}</p>
        ) : null}
        <Problems problems={found} onGo={goTo} />
      </div>
    </>
  );
}
