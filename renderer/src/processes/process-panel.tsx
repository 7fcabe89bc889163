/** The process under the cursor: what it is, and one click to everything it did. */
import type { TreeNode } from '../../../agent/api/contract.ts';
import { t, tryMessage } from '../i18n/i18n.ts';
import { absoluteTime, count, isoOf } from '../ui/format.ts';
import { LongText, SafeText } from '../ui/text.tsx';
import { SeverityWord } from '../ui/severity.tsx';
import { Value } from '../ui/value.tsx';
import { addClause } from '../timeline/query-text.ts';
import { quoteArg } from '../timeline/sentence.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { lifeText } from './process-row.tsx';
import { showProcess } from './process-store.ts';
import { Tags } from './tags.tsx';

/** Its own events and no other process's: a pid is used again, so its life bounds the query. */
export function eventsOf(node: TreeNode): string {
  const bounds = `pid:${node.process.pid} and since:${isoOf(node.startNs)}`;
  return node.endNs === undefined ? bounds : `${bounds} and until:${isoOf(BigInt(node.lastNs) + 1000n)}`;
}

function Counts({ node }: { node: TreeNode }) {
  const query = eventsOf(node);
  const entries = Object.entries(node.counts).filter(([, n]) => n > 0);
  return (
    <section className="detail-section">
      <h3>{t('processes.did')}</h3>
      <div className="notice-actions">
        <button type="button" className="button" onClick={() => runQuery(query)}>
          {t('detail.pivot.process')}
        </button>
        {entries.map(([type, n]) => (
          <button
            key={type}
            type="button"
            className="button"
            onClick={() => runQuery(addClause(query, 'type', type))}
          >
            {tryMessage(`type.${type}`) ?? type} <span className="num dimmer">{count(n)}</span>
          </button>
        ))}
        {node.detections > 0 ? (
          <button type="button" className="button" onClick={() => runQuery(`${query} and has:rule`)}>
            {t('nav.detections')} <span className="num dimmer">{count(node.detections)}</span>
          </button>
        ) : null}
        <button
          type="button"
          className="button"
          onClick={() =>
            runQuery(`ppid:${node.process.pid} and action:exec and since:${isoOf(node.startNs)}`)
          }
        >
          {t('detail.pivot.children')} <span className="num dimmer">{count(node.children)}</span>
        </button>
      </div>
    </section>
  );
}

function Ending({ node }: { node: TreeNode }) {
  const { exitCode, exitSignal } = node.process;
  if (node.endNs === undefined) return <span>{t('processes.running')}</span>;
  let how = '';
  if (exitSignal !== undefined && exitSignal !== 0) how = t('say.signal', { signal: exitSignal });
  else if (exitCode !== undefined) how = t('say.with', { code: exitCode });
  return (
    <span className="num">
      {absoluteTime(node.endNs)} <span className="dimmer">{how}</span>
    </span>
  );
}

export function ProcessPanel({ node, focused }: { node: TreeNode; focused: boolean }) {
  const { process } = node;
  return (
    <aside className="detail-body process-panel" aria-label={t('processes.panel')}>
      <div className="summary-marks">
        <SeverityWord severity={node.severity} />
        {(process.flags ?? []).map((flag) => (
          <span key={flag} className="tag">
            <SafeText text={flag} limit={40} />
          </span>
        ))}
        {node.told ? <span className="tag">{t('processes.told')}</span> : null}
      </div>
      <h2 className="summary-sentence">
        <span className="say-actor">
          <SafeText text={process.name || t('common.unknown')} limit={80} />
        </span>{' '}
        <span className="num dim">{process.pid}</span>
      </h2>
      {focused || node.told ? null : (
        <button type="button" className="button" onClick={() => showProcess(node.entityId)}>
          {t('processes.focus')}
        </button>
      )}
      {node.told ? null : <Tags node={node} />}
      {process.argv && process.argv.length > 0 ? (
        <section className="detail-section">
          <h3>{t('detail.command')}</h3>
          <p className="command">
            {process.argv.slice(0, 200).map((arg, at) => (
              <span key={at} className="command-arg">
                <LongText text={quoteArg(arg)} />{' '}
              </span>
            ))}
          </p>
        </section>
      ) : null}
      <dl className="facts">
        {process.executable === undefined ? null : (
          <>
            <dt>{t('detail.program')}</dt>
            <dd>
              <Value value={process.executable} label={t('detail.program')} field="image" />
            </dd>
          </>
        )}
        {process.user === undefined ? null : (
          <>
            <dt>{t('field.user')}</dt>
            <dd>
              <Value value={process.user} label={t('field.user')} field="user" />
            </dd>
          </>
        )}
        {process.sessionId === undefined ? null : (
          <>
            <dt>{t('field.session')}</dt>
            <dd>
              <Value value={String(process.sessionId)} label={t('field.session')} field="session" />
            </dd>
          </>
        )}
        <dt>{t('processes.started')}</dt>
        <dd className="num">{absoluteTime(node.startNs)}</dd>
        <dt>{t('processes.ended')}</dt>
        <dd>
          <Ending node={node} />
        </dd>
        <dt>{t('processes.lived')}</dt>
        <dd className="num">{lifeText(node)}</dd>
        {node.subtree === undefined ? null : (
          <>
            <dt>{t('processes.below')}</dt>
            <dd className="num">
              {count(node.subtree.processes - 1)}
              {node.subtree.complete ? '' : '+'}
            </dd>
          </>
        )}
      </dl>
      {node.told ? <p className="dim">{t('processes.toldMeaning')}</p> : <Counts node={node} />}
    </aside>
  );
}
