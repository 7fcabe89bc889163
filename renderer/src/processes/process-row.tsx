/** One process of the tree: who it is, what it and its descendants did, and its life on the time axis. */
import { memo } from 'react';
import type { TreeNode } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { absoluteTime, count, duration, micros, shortCount } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { SeverityGlyph } from '../ui/severity.tsx';
import { EndEllipsis, MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { commandLine } from '../timeline/sentence.ts';
import { loadChildren, setExpanded } from './process-store.ts';
import { Badges } from './badges.tsx';
import { type Axis, lifeBox } from './life-axis.ts';
import { TagBadges } from './tags.tsx';
import { type Branch, type TreeRow, durationOf, userOf } from './tree-model.ts';

export const INDENT_PX = 14;
/** Deeper rows are not set further to the right: the command line must stay readable. */
export const MAX_INDENT = 16;
/** "2 min", "350 ms"; of one whose end was not seen what is certain. */
export function lifeText(node: TreeNode): string {
  const us = Number(durationOf(node) / 1000n);
  const time = us < 60_000_000 ? micros(us) : duration(us / 1000);
  return node.endNs === undefined ? t('processes.atLeast', { time }) : time;
}

export function Life({ node, axis, colour }: { node: TreeNode; axis: Axis; colour: string }) {
  const box = lifeBox(axis, node);
  const ended = node.endNs === undefined ? t('processes.running') : absoluteTime(node.endNs);
  return (
    <span
      className="tree-life"
      role="gridcell"
      title={`${absoluteTime(node.startNs)} – ${ended} (${lifeText(node)})`}
    >
      <span className="visually-hidden">{lifeText(node)}</span>
      {box ? (
        <span
          className="life"
          data-before={box.before || undefined}
          data-after={box.after || undefined}
          style={{ left: `${box.left * 100}%`, width: `max(3px, ${box.width * 100}%)`, background: colour }}
        />
      ) : null}
    </span>
  );
}

function Toggle({ id, branch }: { id: string; branch: Branch }) {
  if (branch.total === 0) return <span className="tree-toggle" />;
  return (
    <button
      type="button"
      className="tree-toggle"
      tabIndex={-1}
      aria-label={t(branch.expanded ? 'processes.collapse' : 'processes.expand')}
      onClick={(event) => {
        event.stopPropagation();
        setExpanded(id, !branch.expanded);
      }}
    >
      <Icon name={branch.expanded ? 'down' : 'right'} />
    </button>
  );
}

export const processRowId = (id: string): string => `process-${id}`;

export const ProcessRow = memo(function ProcessRow({
  row,
  top,
  axis,
  colour,
  cursor,
  focus,
  found,
}: {
  row: Extract<TreeRow, { kind: 'process' }>;
  top: number;
  axis: Axis;
  colour: string;
  cursor: boolean;
  focus: boolean;
  /** Looked for and found. */
  found: boolean;
}) {
  const { branch, depth, id } = row;
  const { node } = branch;
  const { process } = node;
  const command = commandLine(process.argv ?? [], 600) || process.executable || '';
  return (
    <div
      id={processRowId(id)}
      role="row"
      className="row tree-row"
      data-process={id}
      data-cursor={cursor || undefined}
      data-focus={focus || undefined}
      data-told={node.told || undefined}
      data-found={found || undefined}
      aria-level={depth + 1}
      aria-expanded={branch.total > 0 ? branch.expanded : undefined}
      aria-selected={cursor}
      style={{ transform: `translateY(${top}px)` }}
    >
      <span
        className="tree-name"
        role="gridcell"
        style={{ paddingLeft: Math.min(depth, MAX_INDENT) * INDENT_PX }}
      >
        <Toggle id={id} branch={branch} />
        {node.severity === 'info' ? null : <SeverityGlyph severity={node.severity} />}
        <span className="say-actor">
          <EndEllipsis text={process.name || t('common.unknown')} />
        </span>
        <span className="num dim">{process.pid}</span>
        <span className="say-object dim">
          <MiddleEllipsis text={command} />
        </span>
        <TagBadges entityId={id} />
        {node.told ? <span className="tag">{t('processes.told')}</span> : null}
        {branch.total > 0 ? (
          <span className="tag num" title={t('processes.children', { n: count(branch.total) })}>
            {shortCount(node.subtree ? node.subtree.processes - 1 : branch.total)}
            {node.subtree?.complete === false ? '+' : ''}
          </span>
        ) : null}
      </span>
      <span className="cell" role="gridcell">
        <SafeText text={userOf(node)} limit={40} />
      </span>
      <Badges node={node} role="gridcell" />
      <Life node={node} axis={axis} colour={colour} />
    </div>
  );
});

/** Children that are not loaded: pressed, or scrolled to, they are. */
export function MoreRow({
  row,
  top,
  failed,
  loading,
}: {
  row: Extract<TreeRow, { kind: 'more' }>;
  top: number;
  failed: string | undefined;
  loading: boolean;
}) {
  return (
    <div role="row" className="row tree-row tree-more" style={{ transform: `translateY(${top}px)` }}>
      <span role="gridcell" style={{ paddingLeft: Math.min(row.depth, MAX_INDENT) * INDENT_PX + 20 }}>
        <button
          type="button"
          className="link-button"
          tabIndex={-1}
          onClick={() => void loadChildren(row.parent)}
        >
          {loading ? t('common.loading') : tn('processes.more', row.left)}
        </button>
        {failed === undefined ? null : <span className="tag tag-bad">{failed}</span>}
      </span>
    </div>
  );
}
