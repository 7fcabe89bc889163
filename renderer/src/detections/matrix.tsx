/** The ATT&CK matrix: a column for each tactic, a cell for each technique the rules here are about. */
import { Fragment, useMemo } from 'react';
import type { RuleSummary } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { clauseText } from '../timeline/query-text.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { count } from '../ui/format.ts';
import { type Cell, matrixOf } from './matrix-model.ts';
import './matrix.css';

function Technique({ cell }: { cell: Cell }) {
  const rules = tn('matrix.rules', cell.rules);
  const fired = cell.fired > 0 ? tn('detections.events', cell.fired) : t('matrix.quiet');
  return (
    <li>
      <button
        type="button"
        className="technique"
        data-fired={cell.fired > 0 || undefined}
        title={`${cell.technique} ${cell.name}: ${rules}, ${fired}. ${cell.parts.join(' ')}`}
        onClick={() => runQuery(clauseText('attack', cell.technique))}
      >
        <span className="technique-name">
          {cell.name.split('/').map((part, at) => (
            <Fragment key={at}>
              {at > 0 ? (
                <>
                  /<wbr />
                </>
              ) : null}
              {part}
            </Fragment>
          ))}
        </span>
        <span className="technique-foot num">
          <span>{cell.technique}</span>
          <span>{rules}</span>
          {cell.fired > 0 ? <strong>{t('matrix.fired', { n: count(cell.fired) })}</strong> : null}
        </span>
      </button>
    </li>
  );
}

export function AttackMatrix({
  rules,
  counts,
}: {
  rules: readonly RuleSummary[];
  counts: ReadonlyMap<string, number>;
}) {
  const matrix = useMemo(() => matrixOf(rules, counts), [rules, counts]);
  return (
    <section className="matrix-section" aria-labelledby="matrix-title">
      <div className="rules-head">
        <h2 id="matrix-title">ATT&amp;CK</h2>
        <p className="dim num">
          {tn('matrix.covered', matrix.covered)}, {tn('matrix.firedTechniques', matrix.fired)}
        </p>
      </div>
      <div className="matrix" tabIndex={0} role="region" aria-label={t('matrix.label')}>
        {matrix.columns.map(({ tactic, cells }) => (
          <section key={tactic} className="tactic">
            <h3>
              {t(`tactic.${tactic}`)} <span className="dimmer num">{cells.length}</span>
            </h3>
            <ul>
              {cells.map((cell) => (
                <Technique key={cell.technique} cell={cell} />
              ))}
            </ul>
          </section>
        ))}
      </div>
    </section>
  );
}
