/** The text of a policy, to try changes in: checked by the agent as it is typed. Nothing is saved from here. */
import { useEffect, useRef, useState } from 'react';
import type { PolicyProblemJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { agent } from '../store.ts';
import { CopyButton } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';

const CHECK_MS = 250;

/** Offset of a 1-based line and column in a text; within it, whatever they are. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  const before = lines.slice(0, Math.max(0, line - 1)).reduce((sum, each) => sum + each.length + 1, 0);
  return Math.min(text.length, before + Math.max(0, column - 1));
}

interface Checked {
  text: string;
  problems: readonly PolicyProblemJson[];
  warnings: readonly PolicyProblemJson[];
}

function useCheck(text: string): Checked | undefined {
  const [checked, setChecked] = useState<Checked>();
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => {
      agent()
        .call('policy.validate', { text }, abort.signal)
        .then(({ problems, warnings }) => setChecked({ text, problems, warnings }))
        // The next key asks again; the connection banner says when nobody answers.
        .catch(() => undefined);
    }, CHECK_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text]);
  return checked;
}

export function PolicyText({ text }: { text: string }) {
  const [typed, setTyped] = useState<string>();
  const area = useRef<HTMLTextAreaElement>(null);
  const now = typed ?? text;
  const checked = useCheck(now);
  const found = [...(checked?.problems ?? []), ...(checked?.warnings ?? [])];
  const marks = new Set(found.map(({ line }) => line));
  const goTo = ({ line, column }: PolicyProblemJson): void => {
    const at = offsetOf(now, line, column);
    area.current?.focus();
    area.current?.setSelectionRange(at, at + 1);
  };
  const lines = now.split('\n');
  return (
    <section className="policy-section">
      <h2>{t('policies.text')}</h2>
      <p className="dim">{t('policies.textMeaning')}</p>
      <div
        className="policy-editor"
        style={{ '--lines': Math.min(40, lines.length + 1) } as React.CSSProperties}
      >
        <pre className="policy-lines" aria-hidden="true">
          {lines.map((_, at) => (
            <span key={at} data-bad={marks.has(at + 1) || undefined}>
              {at + 1}
            </span>
          ))}
        </pre>
        <textarea
          ref={area}
          className="policy-area"
          aria-label={t('policies.text')}
          aria-invalid={(checked?.problems.length ?? 0) > 0}
          aria-describedby="policy-check"
          value={now}
          wrap="off"
          spellCheck={false}
          onChange={(event) => setTyped(event.target.value)}
        />
      </div>
      <div id="policy-check" role="status">
        {checked?.text !== now ? <p className="dim">{t('policies.checking')}</p> : null}
        {checked?.text === now && checked.problems.length === 0 ? <p>{t('policies.valid')}</p> : null}
        <ul className="policy-problems">
          {found.map((problem, at) => (
            <li key={at}>
              <button type="button" className="link-button num" onClick={() => goTo(problem)}>
                {t('policies.place', { line: problem.line, column: problem.column })}
              </button>{' '}
              <SafeText text={problem.message} limit={300} />{' '}
              <span className="dim">
                <SafeText text={problem.remedy} limit={300} />
              </span>
            </li>
          ))}
        </ul>
      </div>
      <div className="notice-actions">
        <CopyButton text={now} label={t('policies.copyText')} words />
        {typed === undefined || typed === text ? null : (
          <button type="button" className="button" onClick={() => setTyped(undefined)}>
            {t('policies.revert')}
          </button>
        )}
      </div>
    </section>
  );
}
