import { describe, expect, it } from 'vitest';
import type { TreeNode } from '../../../agent/api/contract.ts';
import { addChildren, axisOf, change, lifeBox, openTree, rowsOf } from './tree-model.ts';

const node = (pid: number, children = 0, rest: Partial<TreeNode> = {}): TreeNode => ({
  entityId: `${pid}-${pid * 10}`,
  process: { pid, startNs: String(pid * 10), name: `p${pid}` },
  startNs: String(pid * 10),
  lastNs: String(pid * 10 + 5),
  children,
  counts: {},
  severity: 'info',
  detections: 0,
  ...rest,
});
const shown = (rows: ReturnType<typeof rowsOf>): string[] =>
  rows.map(
    (row) => `${' '.repeat(row.depth)}${row.kind === 'more' ? `+${row.left}` : row.branch.node.process.name}`,
  );

describe('the tree', () => {
  const opened = openTree(node(30, 2), [node(20, 50), node(10, 1)]);
  it('opens on the way down to a process and says what lies beside it', () => {
    expect(shown(rowsOf(opened, 'start'))).toEqual(['p10', ' p20', '  p30', '   +2', '  +49']);
  });
  it('takes pages of children in any order, each child once', () => {
    let tree = addChildren(opened, '20-200', { children: [node(25), node(30, 2)], total: 50, more: 'x' });
    tree = addChildren(tree, '20-200', { children: [node(40)], total: 50 });
    expect(shown(rowsOf(tree, 'start'))).toEqual([
      'p10',
      ' p20',
      '  p25',
      '  p30',
      '   +2',
      '  p40',
      '  +47',
    ]);
    tree = change(tree, '20-200', { expanded: false });
    expect(shown(rowsOf(tree, 'start'))).toEqual(['p10', ' p20']);
  });
  it('sorts children, never generations', () => {
    const tree = addChildren(opened, '30-300', {
      children: [node(31), node(32, 0, { severity: 'high' })],
      total: 2,
    });
    expect(shown(rowsOf(tree, 'severity')).slice(2, 5)).toEqual(['  p30', '   p32', '   p31']);
  });
  it('holds fifty thousand children without recursion', () => {
    const many = Array.from({ length: 50_000 }, (_, at) => node(at + 31));
    const tree = addChildren(opened, '30-300', { children: many, total: many.length });
    expect(rowsOf(tree, 'start')).toHaveLength(50_004);
    let deep = openTree(
      node(9000),
      Array.from({ length: 8000 }, (_, at) => node(8999 - at, 1)),
    );
    deep = change(deep, deep.focus, { expanded: true });
    expect(rowsOf(deep, 'start')).toHaveLength(8001);
  });
});

describe('lifetimes', () => {
  it('lie on the life of the opened process', () => {
    const tree = openTree(node(30, 0, { startNs: '300', endNs: '1300', lastNs: '1300' }), [node(10, 1)]);
    const axis = { fromNs: 300n, toNs: 1300n };
    expect(axisOf({ ...tree })).toEqual({ fromNs: 300n, toNs: 1_000_300n });
    expect(lifeBox(axis, node(10))).toMatchObject({ left: 0, before: true, after: true });
    expect(lifeBox(axis, node(31, 0, { startNs: '800', endNs: '900' }))).toEqual({
      left: 0.5,
      width: expect.closeTo(0.1),
      before: false,
      after: false,
    });
    expect(lifeBox(axis, node(1, 0, { startNs: '1', endNs: '2' }))).toBeUndefined();
  });
});
