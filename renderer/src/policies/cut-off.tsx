/**
 * Who policies cut off from the network now, for which file, and until when; each can be let go. What that does is said
 * first, and why it was done goes on record.
 */
import { useEffect, useRef, useState } from 'react';
import type { CutProcessJson } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { showProcess } from '../processes/process-store.ts';
import { agent, navigate, useApp } from '../store.ts';
import { count, duration, nsOfMs } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { useNow } from '../ui/use-now.ts';
import './policies.css';

const MOST = 50;
const MAX_REASON = 500;
const COLUMNS = 6;
const NONE: readonly CutProcessJson[] = [];

const named = ({ name, pid }: CutProcessJson): string => `${name.slice(name.lastIndexOf('/') + 1)} (${pid})`;

/** What letting it go does, and why it is done. */
function Ask({
  cut,
  onRelease,
  onKeep,
}: {
  cut: CutProcessJson;
  onRelease: (reason: string) => void;
  onKeep: () => void;
}) {
  const [reason, setReason] = useState('');
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  return (
    <form
      className="cut-ask"
      onSubmit={(event) => {
        event.preventDefault();
        if (reason.trim() !== '') onRelease(reason.trim());
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onKeep();
      }}
    >
      <p>
        <SafeText
          text={t('policies.cut.meaning', { process: named(cut), policy: cut.policyId })}
          limit={400}
        />
      </p>
      <div className="notice-actions">
        <input
          ref={input}
          className="text-input"
          value={reason}
          maxLength={MAX_REASON}
          placeholder={t('policies.cut.reason')}
          aria-label={t('policies.cut.reason')}
          onChange={(event) => setReason(event.target.value)}
        />
        <button type="submit" className="button" disabled={reason.trim() === ''}>
          {t('policies.cut.confirm')}
        </button>
        <button type="button" className="button" onClick={onKeep}>
          {t('policies.cut.keep')}
        </button>
      </div>
    </form>
  );
}

function Row({
  cut,
  canAct,
  onRelease,
}: {
  cut: CutProcessJson;
  canAct: boolean;
  onRelease: (reason: string) => void;
}) {
  const [asked, setAsked] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const leftMs = cut.untilMs - useNow();
  return (
    <>
      <tr>
        <td>
          <button type="button" className="link-button" onClick={() => showProcess(cut.entityId)}>
            <SafeText text={named(cut)} limit={80} />
          </button>
        </td>
        <td className="cut-file mono">
          <MiddleEllipsis text={cut.path} />
        </td>
        <td>
          <button
            type="button"
            className="link-button mono small"
            onClick={() => navigate({ view: 'policies', policy: cut.policyId, tab: undefined })}
          >
            {cut.policyId}
          </button>
        </td>
        <td className="num nowrap">
          <Ago ns={String(nsOfMs(cut.sinceMs))} />
        </td>
        <td className="num nowrap">{duration(Math.max(0, leftMs))}</td>
        <td className="right">
          <button
            ref={button}
            type="button"
            className="button"
            aria-label={t('policies.cut.releaseOf', { process: named(cut) })}
            aria-expanded={asked}
            disabled={!canAct}
            onClick={() => setAsked(!asked)}
          >
            {t('policies.cut.release')}
          </button>
        </td>
      </tr>
      {asked ? (
        <tr>
          <td colSpan={COLUMNS}>
            <Ask
              cut={cut}
              onRelease={onRelease}
              onKeep={() => {
                setAsked(false);
                button.current?.focus();
              }}
            />
          </td>
        </tr>
      ) : null}
    </>
  );
}

function Table({
  cuts,
  onRelease,
}: {
  cuts: readonly CutProcessJson[];
  onRelease: (cut: CutProcessJson, reason: string) => void;
}) {
  const canAct = useApp(({ connection }) => connection.state === 'open' && connection.privileged);
  return (
    <>
      <table className="table cut-table">
        <thead>
          <tr>
            <th scope="col">{t('policies.cut.process')}</th>
            <th scope="col">{t('policies.cut.file')}</th>
            <th scope="col">{t('policies.policy')}</th>
            <th scope="col">{t('policies.cut.since')}</th>
            <th scope="col">{t('policies.cut.left')}</th>
            <th scope="col">
              <span className="visually-hidden">{t('policies.cut.release')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {cuts.slice(0, MOST).map((cut) => (
            <Row
              key={cut.entityId}
              cut={cut}
              canAct={canAct}
              onRelease={(reason) => onRelease(cut, reason)}
            />
          ))}
        </tbody>
      </table>
      {cuts.length > MOST ? (
        <p className="small dim">{t('policies.cut.more', { n: count(cuts.length - MOST) })}</p>
      ) : null}
      {canAct ? null : <p className="small dim">{t('policies.cut.notAllowed')}</p>}
    </>
  );
}

/** What came of it; takes the focus, as the button that had it is gone. */
function Said({ text, refused }: { text: string; refused: boolean }) {
  const saying = useRef<HTMLParagraphElement>(null);
  useEffect(() => saying.current?.focus(), []);
  return (
    <p
      ref={saying}
      tabIndex={-1}
      role={refused ? 'alert' : 'status'}
      className={refused ? 'policy-refused' : undefined}
    >
      {refused ? <Icon name="warning" /> : null} <SafeText text={text} limit={400} />
    </p>
  );
}

/** Nothing while nobody is cut off, but with `always` that it is so. `of` chooses whom it is about. */
export function CutOff({ of, always = false }: { of?: (cut: CutProcessJson) => boolean; always?: boolean }) {
  const all = useApp((state) => state.health?.enforcement?.cut) ?? NONE;
  const lost = useApp((state) => state.health?.enforcement?.cutsLost) ?? 0;
  const [released, setReleased] = useState<ReadonlySet<string>>(() => new Set());
  const [said, setSaid] = useState<{ text: string; refused: boolean }>();
  // Health tells a moment later.
  const cuts = all.filter((cut) => !released.has(`${cut.entityId} ${cut.sinceMs}`) && (of?.(cut) ?? true));
  if (cuts.length === 0 && said === undefined && !always) return null;
  const release = (cut: CutProcessJson, reason: string): void => {
    agent()
      .call('policy.release', { pid: cut.pid, reason })
      .then(
        (answer) => {
          setReleased((before) => new Set([...before, `${cut.entityId} ${cut.sinceMs}`].slice(-200)));
          const done = answer.released.length > 0 ? 'policies.cut.released' : 'policies.cut.gone';
          setSaid({ text: t(done, { process: named(cut) }), refused: false });
        },
        (error: unknown) =>
          setSaid({ text: error instanceof Error ? error.message : String(error), refused: true }),
      );
  };
  return (
    <section className="policy-section cut-off">
      <h2>{t('policies.cut')}</h2>
      {said === undefined ? null : <Said key={said.text} {...said} />}
      {cuts.length === 0 ? <p className="dim">{t('policies.cut.none')}</p> : null}
      {cuts.length === 0 ? null : <Table cuts={cuts} onRelease={release} />}
      {lost === 0 ? null : (
        <p className="policy-refused">
          <Icon name="warning" /> {tn('policies.cut.lost', lost)}
        </p>
      )}
    </section>
  );
}
