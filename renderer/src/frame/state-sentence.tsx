/** The one line that must be true: what the agent is doing, and whether the record is complete. */
import { t } from '../i18n/i18n.ts';
import { navigate, useApp } from '../store.ts';
import { Icon } from '../ui/icon.tsx';
import { neutralise } from '../ui/neutralise.ts';
import { sayState } from './say-state.ts';

const GLYPH = { ok: 'check', degraded: 'warning', failed: 'warning' } as const;

export function StateSentence() {
  const said = useApp((state) => state.health?.sentence);
  const current = useApp((state) => state.health?.level);
  const connection = useApp((state) => state.connection.state);
  const open = connection === 'open';
  const level = open ? current : undefined;
  const sentence = said === undefined ? undefined : neutralise(sayState(said));
  let text = t('state.waiting');
  if (sentence !== undefined) text = open ? sentence : t('state.stale', { sentence });
  else if (connection === 'refused') text = t('state.refused');
  else if (connection === 'waiting') text = t('connection.lost');
  return (
    <button
      type="button"
      className="state"
      data-level={level}
      aria-label={t('state.toHealth', { sentence: text })}
      title={text}
      onClick={() => navigate({ view: 'health', eventId: undefined, tab: undefined })}
    >
      {level === undefined ? null : <Icon name={GLYPH[level]} />}
      <span className="state-text">{text}</span>
    </button>
  );
}
