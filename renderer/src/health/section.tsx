/** Parts that Health is laid out with. */
export function Section({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: React.ReactNode;
  children: React.ReactNode;
}) {
  return (
    <section className="health-section">
      <h2>
        {title}
        {aside === undefined ? null : <span className="health-aside">{aside}</span>}
      </h2>
      {children}
    </section>
  );
}

/** One named number; `trend` stands beside it. */
export function Figure({
  name,
  children,
  note,
  trend,
}: {
  name: string;
  children: React.ReactNode;
  note?: React.ReactNode;
  trend?: React.ReactNode;
}) {
  return (
    <div className={trend === undefined ? 'figure' : 'figure figure-trend'}>
      <dt>{name}</dt>
      <dd>
        <span className="figure-value num">{children}</span>
        {note === undefined ? null : <span className="figure-note num">{note}</span>}
      </dd>
      {trend === undefined ? null : <dd className="figure-line">{trend}</dd>}
    </div>
  );
}

/** A state in a word with a shape: dot, triangle or cross. */
export function State({
  level,
  children,
}: {
  level: 'ok' | 'degraded' | 'failed';
  children: React.ReactNode;
}) {
  return (
    <span className="health-state" data-level={level}>
      <svg viewBox="0 0 12 12" className="glyph" aria-hidden="true">
        {level === 'ok' ? <circle cx="6" cy="6" r="4" fill="currentColor" /> : null}
        {level === 'degraded' ? <path d="M6 1.4 11 10.4H1z" fill="currentColor" /> : null}
        {level === 'failed' ? (
          <path d="M2.5 2.5l7 7M9.5 2.5l-7 7" stroke="currentColor" strokeWidth="2.2" strokeLinecap="round" />
        ) : null}
      </svg>
      {children}
    </span>
  );
}
