/** Every field of the event; every value can be acted on. */
import { useState } from 'react';
import type { EventJson } from '../../../../agent/api/contract.ts';
import { t } from '../../i18n/i18n.ts';
import { bytes } from '../../ui/format.ts';
import { LongText } from '../../ui/text.tsx';
import { Value } from '../../ui/value.tsx';
import { gloss, leavesOf } from '../fields.ts';

export function FieldsTab({ event }: { event: EventJson }) {
  const [filter, setFilter] = useState('');
  const wanted = filter.toLowerCase();
  const leaves = leavesOf(event).filter(
    ({ path, value }) =>
      wanted === '' || path.toLowerCase().includes(wanted) || value.toLowerCase().includes(wanted),
  );
  return (
    <>
      <input
        className="text-input"
        type="search"
        value={filter}
        placeholder={t('detail.fields.filter')}
        aria-label={t('detail.fields.filter')}
        onChange={(change) => setFilter(change.target.value)}
      />
      <dl className="fields">
        {leaves.slice(0, 400).map(({ path, value, field, originalLength }) => {
          const meaning = gloss(path, value);
          return (
            <div key={path} className="field">
              <dt title={path}>{path}</dt>
              <dd>
                <Value value={value} label={path} field={field}>
                  <LongText text={value === '' ? '""' : value} />
                </Value>
                {meaning === undefined ? null : <span className="dimmer small"> {meaning}</span>}
                {originalLength === undefined ? null : (
                  <span className="tag tag-warn">{t('common.cut', { n: bytes(originalLength) })}</span>
                )}
              </dd>
            </div>
          );
        })}
      </dl>
    </>
  );
}
