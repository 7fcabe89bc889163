/**
 * What policies just stopped, in a corner: what, by which policy, how, and why on request. It takes no focus, covers no
 * control, asks nothing, and goes by itself.
 */
import { useState } from 'react';
import type { PolicyActJson } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { navigate, useApp } from '../store.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { nsOfMs } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { IconButton } from '../ui/primitives.tsx';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { useNow } from '../ui/use-now.ts';
import { toldActs } from './act-model.ts';
import { PolicyExceptionButton } from './policy-except-dialog.tsx';
import { guaranteeText } from './policy-state.tsx';
import './act-notices.css';

/** All that policies did, in the timeline. */
const QUERY = 'type:decision (effect:applied or effect:failed)';
const NONE: readonly PolicyActJson[] = [];

function Act({ act, onDismiss }: { act: PolicyActJson; onDismiss: () => void }) {
  const failed = act.state === 'failed';
  return (
    <li className="act" data-failed={failed || undefined}>
      <div className="act-head">
        <Icon name="policies" />
        <strong>{failed ? t('block.failed') : guaranteeText(act.guarantee)}</strong>
        <span className="dim small num">
          {act.count > 1 ? `${tn('block.times', act.count)} · ` : ''}
          <Ago ns={String(nsOfMs(act.lastMs))} />
        </span>
        <IconButton icon="close" label={t('block.dismiss')} onClick={onDismiss} />
      </div>
      <p className="mono act-what">
        <MiddleEllipsis text={[act.program, act.what].filter((part) => part !== '').join(' · ')} />
      </p>
      {act.error === undefined ? null : (
        <p className="small">
          <SafeText text={act.error} limit={200} />
        </p>
      )}
      <p className="small">
        {t('block.by')}{' '}
        <button
          type="button"
          className="link-button"
          onClick={() => navigate({ view: 'policies', policy: act.policyId, tab: undefined })}
        >
          <SafeText text={act.policyTitle === '' ? act.policyId : act.policyTitle} limit={120} />
        </button>
      </p>
      <div className="notice-actions">
        <button
          type="button"
          className="button"
          onClick={() => {
            onDismiss();
            navigate({ view: 'timeline', query: '', eventId: act.eventId, tab: 'why' });
          }}
        >
          {t('block.why')}
        </button>
        <PolicyExceptionButton
          id={act.policyId}
          eventId={act.eventId}
          title={act.policyTitle === '' ? act.policyId : act.policyTitle}
        />
      </div>
    </li>
  );
}

export function ActNotices() {
  const acts = useApp((state) => state.health?.policyActs?.acts) ?? NONE;
  const [openedMs] = useState(() => Date.now());
  const [dismissed, setDismissed] = useState<ReadonlySet<string>>(() => new Set());
  const [held, setHeld] = useState<{ acts: readonly PolicyActJson[]; nowMs: number }>();
  const now = useNow();
  // Nothing moves or goes under the pointer, nor while the keyboard is in it.
  const from = held ?? { acts, nowMs: now };
  const told = toldActs(from.acts, openedMs, dismissed, from.nowMs);
  const dismiss = (id: string): void => {
    setDismissed((before) => new Set([...before, id].slice(-200)));
    setHeld(undefined);
  };
  const hold = (): void => setHeld((before) => before ?? { acts, nowMs: now });
  return (
    <section
      className="acts"
      aria-label={t('block.label')}
      onPointerEnter={hold}
      onPointerLeave={() => setHeld(undefined)}
      onFocus={hold}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setHeld(undefined);
      }}
    >
      <ul aria-live="polite" aria-relevant="additions">
        {told.acts.map((act) => (
          <Act key={act.id} act={act} onDismiss={() => dismiss(act.id)} />
        ))}
      </ul>
      {told.more > 0 ? (
        <p className="act act-more small">
          {tn('block.more', told.more)}{' '}
          <button type="button" className="link-button" onClick={() => runQuery(QUERY)}>
            {t('block.all')}
          </button>
        </p>
      ) : null}
    </section>
  );
}
