/** Policies: not in this version. */
import { t } from '../i18n/i18n.ts';
import { navigate } from '../store.ts';
import { Absent } from '../ui/absent.tsx';

export function PoliciesView() {
  return (
    <Absent
      title={t('absent.title', { view: t('nav.policies') })}
      what={t('absent.policies.what')}
      now={t('absent.policies.now')}
      instead={
        <button type="button" className="button" onClick={() => navigate({ view: 'detections' })}>
          {t('absent.policies.link')}
        </button>
      }
    />
  );
}
