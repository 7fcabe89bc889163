/** What a process and its descendants did, by type, with what rules matched first. */
import type { TreeNode } from '../../../agent/api/contract.ts';
import { tn, tryMessage } from '../i18n/i18n.ts';
import { count, shortCount } from '../ui/format.ts';
import { SeverityGlyph } from '../ui/severity.tsx';
import { worst } from './tree-model.ts';

const BADGES = ['file', 'network', 'dns', 'memory', 'module', 'dlp'] as const;
const NO_HUE: ReadonlySet<string> = new Set(['module', 'dlp']);

export function Badges({ node, role }: { node: TreeNode; role?: 'gridcell' }) {
  const counts = node.subtree?.counts ?? node.counts;
  const detections = node.subtree?.detections ?? node.detections;
  return (
    <span className="tree-badges" role={role}>
      {detections > 0 ? (
        <span className={`badge sev-${worst(node)}`} title={tn('processes.detections', detections)}>
          <SeverityGlyph severity={worst(node)} decorative />
          <span className="num">{shortCount(detections)}</span>
        </span>
      ) : null}
      {BADGES.filter((type) => (counts[type] ?? 0) > 0).map((type) => (
        <span
          key={type}
          className="badge"
          title={`${tryMessage(`type.${type}`) ?? type}: ${count(counts[type] ?? 0)}`}
        >
          <span
            className="type-swatch"
            style={{ background: `var(--type-${NO_HUE.has(type) ? 'other' : type})` }}
          />
          <span className="badge-word">{tryMessage(`type.${type}`) ?? type}</span>{' '}
          <span className="num">{shortCount(counts[type] ?? 0)}</span>
        </span>
      ))}
    </span>
  );
}
