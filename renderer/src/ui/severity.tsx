/** Severity as a shape and a colour; the shape alone tells them apart. */
import type { Severity } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';

const SHAPES: Record<Severity, React.ReactNode> = {
  info: <circle cx="6" cy="6" r="1.8" fill="currentColor" />,
  low: <circle cx="6" cy="6" r="3.6" fill="none" stroke="currentColor" strokeWidth="1.6" />,
  medium: <path d="M6 1.4 11 10.4H1z" fill="currentColor" />,
  high: <path d="M6 .6 11.4 6 6 11.4.6 6z" fill="currentColor" />,
  critical: (
    <>
      <path d="M3.6.6h4.8l3 3v4.8l-3 3H3.6l-3-3V3.6z" fill="currentColor" />
      <path d="M6 3v3.4M6 8.6v.2" stroke="var(--bg)" strokeWidth="1.6" strokeLinecap="round" />
    </>
  ),
};

export function SeverityGlyph({
  severity,
  decorative = false,
}: {
  severity: Severity;
  decorative?: boolean;
}) {
  const label = t('severity.label', { severity: t(`sev.${severity}`) });
  return (
    <svg
      className={`glyph sev-${severity}`}
      viewBox="0 0 12 12"
      role={decorative ? undefined : 'img'}
      aria-label={decorative ? undefined : label}
      aria-hidden={decorative || undefined}
    >
      {decorative ? null : <title>{label}</title>}
      {SHAPES[severity] ?? SHAPES.info}
    </svg>
  );
}

export function SeverityWord({ severity }: { severity: Severity }) {
  return (
    <span className={`tag sev-${severity}`}>
      <SeverityGlyph severity={severity} decorative />
      {t(`sev.${severity}`)}
    </span>
  );
}
