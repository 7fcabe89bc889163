/** Colours of lifetimes: by severity, or one of a few hues for each user or session, always with a legend in words. */
import type { TreeNode } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import type { Colouring } from './process-store.ts';
import { userOf } from './tree-model.ts';

const HUES = ['process', 'network', 'dns', 'file', 'memory'] as const;

/** What a process is coloured by, in words. */
export function colourKey(node: TreeNode, colouring: Colouring): string {
  if (colouring === 'severity') return t(`sev.${node.severity}`);
  if (colouring === 'user') return userOf(node) || t('common.unknown');
  const session = node.process.sessionId;
  return session === undefined ? t('common.unknown') : String(session);
}

export interface Legend {
  colourOf: (node: TreeNode) => string;
  entries: { key: string; colour: string }[];
}

/** Hues are given out in order of appearance; beyond the last, the rest share one. */
export function legendOf(nodes: readonly TreeNode[], colouring: Colouring): Legend {
  const colours = new Map<string, string>();
  const colourOf = (node: TreeNode): string => {
    if (colouring === 'severity') return `var(--sev-${node.severity}-bar)`;
    return colours.get(colourKey(node, colouring)) ?? 'var(--type-other)';
  };
  for (const node of nodes) {
    const key = colourKey(node, colouring);
    if (colours.has(key)) continue;
    const hue = HUES[colours.size];
    if (colouring !== 'severity' && hue === undefined) break;
    colours.set(key, colouring === 'severity' ? `var(--sev-${node.severity}-bar)` : `var(--type-${hue})`);
  }
  return { colourOf, entries: [...colours].map(([key, colour]) => ({ key, colour })) };
}
