import { describe, expect, it } from 'vitest';
import type { TreeNode } from '../../../agent/api/contract.ts';
import { axisOf, lifeBox } from './life-axis.ts';
import { addChildren, addPath, change, openAlike, openTree, rowsOf } from './tree-model.ts';

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
  rows.map((row) => {
    const indent = ' '.repeat(row.depth);
    if (row.kind === 'more') return `${indent}+${row.left}`;
    if (row.kind === 'alike') return `${indent}${row.nodes[0]?.process.name} x ${row.nodes.length}`;
    return `${indent}${row.branch.node.process.name}`;
  });

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
  it('makes one row of alike siblings, never of what matched, has children or was looked for', () => {
    const cc = (pid: number, rest: Partial<TreeNode> = {}): TreeNode => ({
      ...node(pid, 0, rest),
      process: { pid, startNs: String(pid * 10), name: 'cc1' },
    });
    const page = [31, 32, 33, 34].map((pid) => cc(pid));
    page.push(cc(35, { severity: 'high', detections: 1 }), node(36));
    page.push(...[37, 38, 39, 40, 41].map((pid) => cc(pid)), cc(42, { children: 1 }), cc(43), cc(44));
    const tree = addChildren(opened, '30-300', { children: page, total: page.length });
    const below = (found: string[], of = tree): string[] =>
      shown(rowsOf(of, 'start', true, new Set(found)))
        .slice(3, -1)
        .map((text) => text.trim());
    expect(below([])).toEqual(['cc1 x 4', 'cc1', 'p36', 'cc1 x 5', 'cc1', 'cc1', 'cc1']);
    // With one of five found the rest are too few on both sides.
    expect(below(['39-390'])).toHaveLength(11);
    expect(below([], openAlike(tree, '37-370'))).toHaveLength(11);
  });
  it('puts in the way down to a process without the pages between', () => {
    const tree = addPath(
      addChildren(opened, '30-300', { children: [node(31)], total: 900, more: 'x' }),
      '30-300',
      [node(600, 1), node(700)],
    );
    expect(shown(rowsOf(tree, 'start')).slice(2, 7)).toEqual([
      '  p30',
      '   p31',
      '   p600',
      '    p700',
      '   +898',
    ]);
    // The page that holds it comes later and does not show it twice.
    const more = addChildren(tree, '30-300', { children: [node(599), node(600, 1), node(601)], total: 900 });
    expect(shown(rowsOf(more, 'start')).slice(2, 8)).toEqual([
      '  p30',
      '   p31',
      '   p599',
      '   p600',
      '    p700',
      '   p601',
    ]);
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
  it('draws more lives than a call can have arguments, up to the one that ends last', () => {
    const children = Array.from({ length: 150_000 }, (_, n) =>
      node(n + 31, 0, { endNs: String(2_000_000 + n) }),
    );
    const tree = addChildren(openTree(node(30, 150_000), []), '30-300', { children, total: 150_000 });
    expect(axisOf(tree)).toEqual({ fromNs: 300n, toNs: 2_149_999n });
  });
});
