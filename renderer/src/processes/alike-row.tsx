/** Alike siblings of the tree as one row. */
import type { TreeNode } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { count } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { EndEllipsis, MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Badges } from './badges.tsx';
import type { Axis } from './life-axis.ts';
import { INDENT_PX, Life, MAX_INDENT, processRowId } from './process-row.tsx';
import { showAlike } from './process-store.ts';
import { type TreeRow, userOf } from './tree-model.ts';

/** How many, from the first start to the last end. */
export function AlikeRow({
  row,
  top,
  axis,
  colour,
  cursor,
}: {
  row: Extract<TreeRow, { kind: 'alike' }>;
  top: number;
  axis: Axis;
  colour: string;
  cursor: boolean;
}) {
  const { nodes, depth, id } = row;
  const [first] = nodes;
  const last = nodes.at(-1);
  if (!first || !last) return null;
  const whole: TreeNode = { ...first, lastNs: last.lastNs, endNs: last.endNs };
  const files = nodes.reduce((sum, node) => sum + (node.counts['file'] ?? 0), 0);
  const network = nodes.reduce((sum, node) => sum + (node.counts['network'] ?? 0), 0);
  const sums: TreeNode = { ...whole, counts: { file: files, network }, subtree: undefined };
  return (
    <div
      id={processRowId(id)}
      role="row"
      className="row tree-row tree-alike"
      data-alike={id}
      data-cursor={cursor || undefined}
      aria-level={depth + 1}
      aria-expanded={false}
      aria-selected={cursor}
      style={{ transform: `translateY(${top}px)` }}
    >
      <span
        className="tree-name"
        role="gridcell"
        style={{ paddingLeft: Math.min(depth, MAX_INDENT) * INDENT_PX }}
      >
        <button
          type="button"
          className="tree-toggle"
          tabIndex={-1}
          aria-label={t('processes.expand')}
          onClick={() => showAlike(first.entityId)}
        >
          <Icon name="right" />
        </button>
        <span className="say-actor">
          <EndEllipsis text={first.process.name || t('common.unknown')} />
        </span>
        <span className="tag num">{t('processes.alike', { n: count(nodes.length) })}</span>
        <span className="say-object dim">
          <MiddleEllipsis text={first.process.executable ?? ''} />
        </span>
      </span>
      <span className="cell" role="gridcell">
        <SafeText text={userOf(first)} limit={40} />
      </span>
      <Badges node={sums} role="gridcell" />
      <Life node={whole} axis={axis} colour={colour} />
    </div>
  );
}
