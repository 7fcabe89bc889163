/** Top values of the fields people narrow by; each value includes, or excludes. */
import type { Severity } from '../../../agent/api/contract.ts';
import { SEVERITY_ORDER } from '../ui/severity-order.ts';
import { t, tryMessage } from '../i18n/i18n.ts';
import { setPrefs, toggleFacetField, usePrefs } from '../prefs.ts';
import { useApp } from '../store.ts';
import { count, shortCount } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { IconButton } from '../ui/primitives.tsx';
import { neutralise } from '../ui/neutralise.ts';
import { SeverityGlyph } from '../ui/severity.tsx';
import { EndEllipsis, MiddleEllipsis } from '../ui/text.tsx';
import { FIELD_NAMES, fieldName } from './fields.ts';
import { totalOf } from './histogram-model.ts';
import { addClause, hasClause, removeClause } from './query-text.ts';
import { FACET_FIELDS } from './overview.ts';
import { useTimeline } from './timeline-state.ts';
import { refreshOverview, runQuery } from './timeline-store.ts';

const OPEN_BY_DEFAULT: ReadonlySet<string> = new Set(['type', 'severity', 'image', 'user', 'rule']);

/** Words of the console for values that are its own. */
function wordOf(field: 'type' | 'severity', value: string): string | undefined {
  return tryMessage(`${field === 'type' ? 'type' : 'sev'}.${value}`);
}

function FacetText({ value }: { value: string }) {
  if (value === '') return '""';
  return value.includes('/') ? <MiddleEllipsis text={value} /> : <EndEllipsis text={value} />;
}

interface ValueProps {
  field: string;
  value: string;
  /** What people call the value: of a rule its title. */
  label: string | undefined;
  n: number;
  of: number;
}

function FacetValue({ field, value, label, n, of }: ValueProps) {
  const query = useApp((state) => state.route.query);
  const included = hasClause(query, field, value);
  const shown = neutralise(label ?? value);
  const severity =
    field === 'severity' && SEVERITY_ORDER.includes(value as Severity) ? (value as Severity) : undefined;
  const word = field === 'type' || field === 'severity' ? wordOf(field, value) : undefined;
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
        <span className="facet-bar" style={{ width: `${Math.min(1, n / Math.max(1, of)) * 100}%` }} />
        {severity ? <SeverityGlyph severity={severity} decorative /> : null}
        <span className="facet-text">{word ?? <FacetText value={label ?? value} />}</span>
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
  const values = facet?.values ?? [];
  // A bar is the value's share of everything the query finds, so a full one means "all of it".
  const found = useTimeline((state) =>
    state.histogram?.buckets.reduce((sum, each) => sum + totalOf(each), 0),
  );
  const most = values.reduce((max, value) => Math.max(max, value.count), 0);
  const chosen = usePrefs((prefs) => prefs.facetFields.includes(field));
  const name = fieldName(field);
  return (
    <section className="facet">
      <h2 className="facet-title">
        <button
          type="button"
          className="facet-head"
          aria-expanded={open}
          onClick={() => setPrefs({ facets: { ...usePrefs.getState().facets, [field]: !open } })}
        >
          <Icon name={open ? 'down' : 'right'} />
          {name}
        </button>
        {chosen ? (
          <IconButton
            icon="close"
            label={t('facets.remove', { field: name })}
            onClick={() => toggleFacetField(field)}
          />
        ) : null}
      </h2>
      {open && values.length > 0 ? (
        <ul>
          {values.map((value) => (
            <FacetValue
              key={value.value}
              field={field}
              value={value.value}
              label={value.label}
              n={value.count}
              of={Math.max(found ?? 0, most)}
            />
          ))}
        </ul>
      ) : null}
      {open && facet && values.length === 0 ? <p className="facet-none">{t('facets.none')}</p> : null}
    </section>
  );
}

function AddFacet({ without }: { without: readonly string[] }) {
  return (
    <select
      className="facet-add"
      aria-label={t('facets.add')}
      value=""
      onChange={(event) => {
        toggleFacetField(event.target.value);
        void refreshOverview();
      }}
    >
      <option value="" disabled>
        {t('facets.add')}
      </option>
      {FIELD_NAMES.filter((field) => !without.includes(field) && field !== 'id').map((field) => (
        <option key={field} value={field}>
          {field}
        </option>
      ))}
    </select>
  );
}

export function Facets() {
  const approximate = useTimeline((state) => Object.values(state.facets).some((facet) => facet.approximate));
  const chosen = usePrefs((prefs) => prefs.facetFields);
  const usual = FACET_FIELDS.filter((field) => !chosen.includes(field));
  return (
    <aside className="facets" aria-label={t('facets.label')}>
      {[...chosen, ...usual].map((field) => (
        <FacetGroup key={field} field={field} />
      ))}
      <AddFacet without={[...chosen, ...usual]} />
      {approximate ? <p className="facet-none">{t('facets.approximate')}</p> : null}
    </aside>
  );
}
