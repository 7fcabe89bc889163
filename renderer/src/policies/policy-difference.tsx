/** What a text would change of the version in force: its meaning first, then line by line. */
import type { PolicyDifferenceJson } from '../../../agent/api/contract.ts';
import { t, tn, tryMessage } from '../i18n/i18n.ts';
import { agent } from '../store.ts';
import { SafeText } from '../ui/text.tsx';
import { useLoad } from '../use-load.ts';
import './editor.css';

/** Unchanged lines that are shown around a change. */
const AROUND = 3;
const MARK = { same: ' ', removed: '−', added: '+' } as const;

type Line = PolicyDifferenceJson['lines'][number];
type Shown = Line | { kind: 'skipped'; count: number };

/** The lines near a change; runs of others as their number. */
function shownLines(lines: readonly Line[]): Shown[] {
  const near = lines.map((_, at) =>
    lines.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(({ kind }) => kind !== 'same'),
  );
  const shown: Shown[] = [];
  for (const [at, line] of lines.entries()) {
    const last = shown.at(-1);
    if (near[at]) shown.push(line);
    else if (last?.kind === 'skipped') last.count += 1;
    else shown.push({ kind: 'skipped', count: 1 });
  }
  return shown;
}

function Texts({ title, texts }: { title: string; texts: readonly string[] }) {
  return texts.map((text, at) => (
    <li key={`${title} ${at}`}>
      {title}:{' '}
      <span className="mono">
        <SafeText text={text} limit={1000} />
      </span>
    </li>
  ));
}

function Meaning({ meaning }: { meaning: NonNullable<PolicyDifferenceJson['meaning']> }) {
  const { fields, clauses, exceptions, rejoined } = meaning;
  const nothing =
    fields.length + clauses.added.length + clauses.removed.length === 0 &&
    exceptions.added.length + exceptions.removed.length === 0 &&
    !rejoined;
  if (nothing) return <p>{t('policies.sameMeaning')}</p>;
  return (
    <ul className="policy-meaning">
      {fields.map(({ field, from, to }) => (
        <li key={field}>
          <span className="mono">{field}</span>:{' '}
          <del>
            <SafeText text={from === '' ? t('policies.empty') : from} limit={300} />
          </del>{' '}
          →{' '}
          <ins>
            <SafeText text={to === '' ? t('policies.empty') : to} limit={300} />
          </ins>
        </li>
      ))}
      <Texts title={t('policies.clauseRemoved')} texts={clauses.removed} />
      <Texts title={t('policies.clauseAdded')} texts={clauses.added} />
      {rejoined ? <li>{t('policies.rejoined')}</li> : null}
      <Texts title={t('policies.exceptionRemoved')} texts={exceptions.removed} />
      <Texts title={t('policies.exceptionAdded')} texts={exceptions.added} />
    </ul>
  );
}

export function PolicyDifference({ id, text }: { id: string; text: string }) {
  const { data, error } = useLoad(`difference ${id} ${text}`, (signal) =>
    agent().call('policy.diff', { id, text }, signal),
  );
  if (error) return <p role="alert">{error.message}</p>;
  if (!data) return <p className="dim">{t('common.loading')}</p>;
  const { against, lines, meaning } = data;
  if (!against) return <p className="dim">{t('policies.noneInForce')}</p>;
  const state = tryMessage(`policies.state.${against.state}`) ?? against.state;
  const name = t('policies.differenceFrom', { version: against.version, state });
  if (lines.every(({ kind }) => kind === 'same')) return <p>{t('policies.noDifference')}</p>;
  return (
    <>
      <h3>{name}</h3>
      {meaning ? <Meaning meaning={meaning} /> : <p className="dim">{t('policies.meaningLater')}</p>}
      {/* It scrolls, so the keyboard must reach it. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className="policy-difference" role="region" aria-label={name} tabIndex={0}>
        <table>
          <tbody>
            {shownLines(lines).map((line, at) =>
              line.kind === 'skipped' ? (
                <tr key={at} data-kind="skipped">
                  <td colSpan={4}>{tn('policies.skipped', line.count)}</td>
                </tr>
              ) : (
                <tr key={at} data-kind={line.kind}>
                  <td className="num">{line.oldLine}</td>
                  <td className="num">{line.newLine}</td>
                  <td aria-label={line.kind === 'same' ? undefined : t(`policies.line.${line.kind}`)}>
                    {MARK[line.kind]}
                  </td>
                  <td>
                    <SafeText text={line.text} limit={1000} />
                  </td>
                </tr>
              ),
            )}
          </tbody>
        </table>
      </div>
    </>
  );
}
