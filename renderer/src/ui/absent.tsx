/** A view that does not exist yet, said plainly: what it will be, what that means now, what to do instead. */
import { t } from '../i18n/i18n.ts';
import { Notice } from './primitives.tsx';

export function Absent({
  title,
  what,
  now,
  instead,
}: {
  title: string;
  what: string;
  now: string;
  instead: React.ReactNode;
}) {
  return (
    <div className="page">
      <Notice title={title} page>
        <p>{what}</p>
        <p>{now}</p>
        <p>{t('absent.instead')}</p>
        <div className="notice-actions">{instead}</div>
      </Notice>
    </div>
  );
}
