/** DLP: not in this version. */
import { t } from '../i18n/i18n.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { Absent } from '../ui/absent.tsx';

export function DlpView() {
  return (
    <Absent
      title={t('absent.titleOne', { view: t('nav.dlp') })}
      what={t('absent.dlp.what')}
      now={t('absent.dlp.now')}
      instead={
        <button type="button" className="button" onClick={() => runQuery('type:file and action:write')}>
          {t('absent.dlp.link')}
        </button>
      }
    />
  );
}
