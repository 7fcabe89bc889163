/** Top values of the fields people narrow by; each value includes, or excludes. */
import type { Severity } from '../../../agent/api/contract.ts';
import { SEVERITY_ORDER } from '../ui/severity-order.ts';
import { t } from '../i18n/i18n.ts';
import { setPrefs, usePrefs } from '../prefs.ts';
import { useApp } from '../store.ts';
import { count, shortCount } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { neutralise } from '../ui/neutralise.ts';
import { SeverityGlyph } from '../ui/severity.tsx';
import { EndEllipsis, MiddleEllipsis } from '../ui/text.tsx';
import { fieldName } from './fields.ts';
import { addClause, hasClause, removeClause } from './query-text.ts';
import { FACET_FIELDS, runQuery, useTimeline } from './timeline-store.ts';

const OPEN_BY_DEFAULT: ReadonlySet<string> = new Set(['type', 'severity', 'image', 'user', 'rule']);

/** Rules are counted by id and by title; the title is the one to read. */
const RULE_ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

function FacetText({ value }: { value: string }) {
  if (value === '') return '""';
  return value.includes('/') ? <MiddleEllipsis text={value} /> : <EndEllipsis text={value} />;
}

function FacetValue({ field, value, n, most }: { field: string; value: string; n: number; most: number }) {
  const query = useApp((state) => state.route.query);
  const included = hasClause(query, field, value);
  const shown = neutralise(value);
  const severity =
    field === 'severity' && SEVERITY_ORDER.includes(value as Severity) ? (value as Severity) : undefined;
  return (
    <li className="facet-value" data-on={included || undefined}>
      <button
        type="button"
        className="facet-pick"
        aria-pressed={included}
        title={`${t('facets.include', { value: shown })} · ${count(n)}`}
        onClick={() =>
          runQuery(included ? removeClause(query, field, value) : addClause(query, field, value))
        }
      >
        <span className="facet-bar" style={{ width: `${(n / Math.max(1, most)) * 100}%` }} />
        {severity ? <SeverityGlyph severity={severity} decorative /> : null}
        <span className="facet-text">{severity ? t(`sev.${severity}`) : <FacetText value={value} />}</span>
        <span className="facet-count num">{shortCount(n)}</span>
      </button>
      <button
        type="button"
        className="icon-button facet-not"
        aria-label={t('facets.exclude', { value: shown })}
        title={t('facets.exclude', { value: shown })}
        onClick={() => runQuery(addClause(query, field, value, true))}
      >
        <Icon name="exclude" />
      </button>
    </li>
  );
}

function FacetGroup({ field }: { field: string }) {
  const facet = useTimeline((state) => state.facets[field]);
  const open = usePrefs((prefs) => prefs.facets[field] ?? OPEN_BY_DEFAULT.has(field));
  const values = (facet?.values ?? []).filter(({ value }) => field !== 'rule' || !RULE_ID.test(value));
  const most = values.reduce((max, value) => Math.max(max, value.count), 0);
  const name = fieldName(field);
  return (
    <section className="facet">
      <h2>
        <button
          type="button"
          className="facet-head"
          aria-expanded={open}
          onClick={() => setPrefs({ facets: { ...usePrefs.getState().facets, [field]: !open } })}
        >
          <Icon name={open ? 'down' : 'right'} />
          {name}
        </button>
      </h2>
      {open && values.length > 0 ? (
        <ul>
          {values.map((value) => (
            <FacetValue key={value.value} field={field} value={value.value} n={value.count} most={most} />
          ))}
        </ul>
      ) : null}
      {open && facet && values.length === 0 ? <p className="facet-none">{t('facets.none')}</p> : null}
    </section>
  );
}

export function Facets() {
  const approximate = useTimeline((state) => Object.values(state.facets).some((facet) => facet.approximate));
  return (
    <aside className="facets" aria-label={t('facets.label')}>
      {FACET_FIELDS.map((field) => (
        <FacetGroup key={field} field={field} />
      ))}
      {approximate ? <p className="facet-none">{t('facets.approximate')}</p> : null}
    </aside>
  );
}
