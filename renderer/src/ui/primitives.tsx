/** Small parts that every view is made of. */
import { useEffect, useRef, useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { Icon, type IconName } from './icon.tsx';

export function IconButton({
  icon,
  label,
  onClick,
  pressed,
  className = '',
}: {
  icon: IconName;
  label: string;
  onClick: () => void;
  pressed?: boolean;
  className?: string;
}) {
  return (
    <button
      type="button"
      className={`icon-button ${className}`}
      aria-label={label}
      aria-pressed={pressed}
      title={label}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** Copies `text` exactly as it is; says so for a moment. With `words` the label is shown, not only said. */
export function CopyButton({
  text,
  label,
  words = false,
}: {
  text: string | (() => string);
  label?: string;
  words?: boolean;
}) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  const name = label ?? t('common.copy');
  const copy = (): void => {
    const exact = typeof text === 'string' ? text : text();
    void navigator.clipboard.writeText(exact).then(() => setDone(true));
  };
  return (
    <>
      {words ? (
        <button type="button" className="button" onClick={copy}>
          <Icon name={done ? 'check' : 'copy'} /> {name}
        </button>
      ) : (
        <IconButton icon={done ? 'check' : 'copy'} label={name} onClick={copy} />
      )}
      <span className="visually-hidden" role="status">
        {done ? t('common.copied') : ''}
      </span>
    </>
  );
}

export function CodeLine({ code }: { code: string }) {
  return (
    <div className="code-line">
      <code>{code}</code>
      <CopyButton text={code} />
    </div>
  );
}

export function Kbd({ keys }: { keys: string }) {
  return (
    <>
      {keys.split(' ').map((key, at) => (
        <kbd key={at} className="kbd">
          {key}
        </kbd>
      ))}
    </>
  );
}

/** A state that says what happened, what it means and what to do. */
export function Notice({
  title,
  children,
  alert = false,
  page = false,
}: {
  title: string;
  children?: React.ReactNode;
  alert?: boolean;
  /** It is all the page says, so its title is the page's. */
  page?: boolean;
}) {
  return (
    <div className="notice" role={alert ? 'alert' : undefined}>
      {page ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}

/** How full something is, or with `budget` how much of a promise is used: only beyond it is anything wrong. */
export function Meter({
  value,
  max,
  label,
  budget = false,
}: {
  value: number;
  max: number;
  label: string;
  budget?: boolean;
}) {
  const used = max > 0 ? value / max : 0;
  const share = Math.min(1, used);
  const [warn, bad] = budget ? [1.001, 2] : [0.7, 0.95];
  const level = used >= bad ? 'failed' : used >= warn ? 'degraded' : 'ok';
  return (
    <div
      className="meter"
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={Math.max(max, 1)}
      aria-valuenow={Math.min(value, Math.max(max, 1))}
    >
      <div className="meter-fill" data-level={level} style={{ width: `${share * 100}%` }} />
    </div>
  );
}

/** The browser's own modal dialog: focus stays inside, Escape closes, the rest of the page is inert. */
export function Modal({
  title,
  open,
  onClose,
  children,
  bare = false,
}: {
  title: string;
  open: boolean;
  onClose: () => void;
  children: React.ReactNode;
  /** Without a heading bar; the title is still announced. */
  bare?: boolean;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (open && dialog && !dialog.open) dialog.showModal();
    if (!open && dialog?.open) dialog.close();
  }, [open]);
  if (!open) return null;
  return (
    <dialog
      ref={ref}
      className="modal"
      aria-label={title}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      {bare ? null : (
        <div className="modal-head">
          <h2>{title}</h2>
          <IconButton icon="close" label={t('common.close')} onClick={onClose} />
        </div>
      )}
      {children}
    </dialog>
  );
}
