/** The keyboard map, as data: the help dialog shows it, `keyboard.ts` acts on it. */
import type { MessageKey } from '../i18n/i18n.ts';
import type { View } from '../router.ts';

export const GO_KEYS: Readonly<Record<string, View>> = {
  t: 'timeline',
  r: 'processes',
  d: 'detections',
  p: 'policies',
  l: 'dlp',
  h: 'health',
};

export interface KeyGroup {
  title: MessageKey;
  keys: readonly (readonly [keys: string, what: MessageKey])[];
}

export const KEY_GROUPS: readonly KeyGroup[] = [
  {
    title: 'keys.group.everywhere',
    keys: [
      ['1 2 3 4 5 6', 'keys.views'],
      ['g t r d p l h', 'keys.goto'],
      ['/', 'keys.query'],
      ['Ctrl K', 'keys.palette'],
      ['?', 'keys.help'],
      ['Esc', 'keys.escape'],
    ],
  },
  {
    title: 'keys.group.list',
    keys: [
      ['j k', 'keys.next'],
      ['PgDn PgUp', 'keys.page'],
      ['Home End', 'keys.ends'],
      ['Enter', 'keys.open'],
      ['→ ←', 'keys.repeats'],
      ['x', 'keys.mark'],
      ['Shift ↑ ↓', 'keys.markMore'],
      ['b', 'keys.pin'],
      ['a', 'keys.around'],
      ['p', 'keys.process'],
      ['m', 'keys.values'],
      ['Space', 'keys.pause'],
      ['f', 'keys.facets'],
    ],
  },
  { title: 'keys.group.detail', keys: [['[ ]', 'keys.tabs']] },
  {
    title: 'keys.group.tree',
    keys: [
      ['→ ←', 'keys.treeOpen'],
      ['Enter', 'keys.treeFocus'],
    ],
  },
  {
    title: 'keys.group.query',
    keys: [
      ['Enter', 'keys.run'],
      ['Tab', 'keys.complete'],
      ['↑', 'keys.histUp'],
    ],
  },
  {
    title: 'keys.group.histogram',
    keys: [
      ['← →', 'keys.bucket'],
      ['Shift ← →', 'keys.select'],
      ['Enter Backspace', 'keys.zoom'],
    ],
  },
];
