/** Something could not be read: what happened, and another try. */
import { t } from '../i18n/i18n.ts';
import { Notice } from './primitives.tsx';

export function FailureNotice({
  title,
  message,
  again,
}: {
  title: string;
  message: string | undefined;
  again: () => void;
}) {
  return (
    <Notice title={title} alert>
      <p>{message}</p>
      <div className="notice-actions">
        <button type="button" className="button" onClick={again}>
          {t('common.retry')}
        </button>
      </div>
    </Notice>
  );
}
