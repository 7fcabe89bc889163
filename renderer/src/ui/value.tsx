/** A recorded value that can be acted on: include, exclude, copy. One menu serves the whole window. */
import { DropdownMenu } from 'radix-ui';
import { menuHost } from './menu-host.ts';
import { t } from '../i18n/i18n.ts';
import { openValueMenu, useApp } from '../store.ts';
import { addClause, clauseText } from '../timeline/query-text.ts';
import { FIELD_NAMES } from '../timeline/fields.ts';
import { FACET_FIELDS } from '../timeline/overview.ts';
import { refreshOverview, runQuery } from '../timeline/timeline-store.ts';
import { setPanel, toggleColumn, toggleFacetField, usePrefs } from '../prefs.ts';
import { Icon } from './icon.tsx';
import { clip, neutralise } from './neutralise.ts';
import { SafeText } from './text.tsx';

export function Value({
  value,
  label,
  field,
  children,
}: {
  value: string;
  /** Name of the field for people. */
  label: string;
  /** Name in the query language, when the value can be asked for. */
  field?: string;
  children?: React.ReactNode;
}) {
  return (
    <button
      type="button"
      className="value"
      aria-haspopup="menu"
      onClick={(event) => {
        const box = event.currentTarget.getBoundingClientRect();
        const x = event.clientX > 0 ? event.clientX : box.left;
        openValueMenu({
          x,
          y: Math.min(box.bottom, event.clientY > 0 ? event.clientY + 8 : box.bottom),
          label,
          field,
          value,
        });
      }}
    >
      {children ?? <SafeText text={value} />}
    </button>
  );
}

/** Any field can be a column of the list or be counted beside it. */
function FieldItems({ field }: { field: string }) {
  const column = usePrefs((prefs) => prefs.columns.includes(field));
  const facet = usePrefs((prefs) => prefs.facetFields.includes(field));
  const usual = (FACET_FIELDS as readonly string[]).includes(field);
  return (
    <>
      {FIELD_NAMES.includes(field) ? (
        <DropdownMenu.Item className="menu-item" onSelect={() => toggleColumn(field)}>
          <Icon name="columns" /> {t(column ? 'value.columnOff' : 'value.column')}
        </DropdownMenu.Item>
      ) : null}
      {usual ? null : (
        <DropdownMenu.Item
          className="menu-item"
          onSelect={() => {
            toggleFacetField(field);
            setPanel('facets', { open: true });
            void refreshOverview();
          }}
        >
          <Icon name="facets" /> {t(facet ? 'value.facetOff' : 'value.facet')}
        </DropdownMenu.Item>
      )}
    </>
  );
}

/** What can be done with a value: ask for it, leave it out, show its field, copy it. */
export function ValueItems({ field, value }: { field: string | undefined; value: string }) {
  const query = useApp((state) => state.route.query);
  const copy = (text: string): void => void navigator.clipboard.writeText(text);
  return (
    <>
      {field === undefined ? null : (
        <>
          <DropdownMenu.Item className="menu-item" onSelect={() => runQuery(addClause(query, field, value))}>
            <Icon name="include" /> {t('value.include')}
          </DropdownMenu.Item>
          <DropdownMenu.Item
            className="menu-item"
            onSelect={() => runQuery(addClause(query, field, value, true))}
          >
            <Icon name="exclude" /> {t('value.exclude')}
          </DropdownMenu.Item>
          <DropdownMenu.Item className="menu-item" onSelect={() => runQuery(clauseText(field, value))}>
            <Icon name="search" /> {t('value.only')}
          </DropdownMenu.Item>
          <FieldItems field={field} />
          <DropdownMenu.Item className="menu-item" onSelect={() => copy(clauseText(field, value))}>
            <Icon name="link" /> {t('value.copyField')}
          </DropdownMenu.Item>
        </>
      )}
      <DropdownMenu.Item className="menu-item" onSelect={() => copy(value)}>
        <Icon name="copy" /> {t('value.copy')}
      </DropdownMenu.Item>
    </>
  );
}

export function ValueMenu() {
  const target = useApp((state) => state.valueMenu);
  if (!target) return null;
  const { field, value } = target;
  return (
    <DropdownMenu.Root open modal={false} onOpenChange={(open) => !open && openValueMenu(undefined)}>
      <DropdownMenu.Trigger asChild>
        <span className="menu-anchor" style={{ left: target.x, top: target.y }} aria-hidden="true" />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal container={menuHost()}>
        <DropdownMenu.Content
          className="menu"
          align="start"
          aria-label={t('value.menu', { field: target.label })}
          onCloseAutoFocus={(event) => event.preventDefault()}
        >
          <div className="menu-label">
            {target.label}: {neutralise(clip(value, 200).text)}
          </div>
          <ValueItems field={field} value={value} />
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
