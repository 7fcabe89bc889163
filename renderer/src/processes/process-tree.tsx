/** The rows of the tree: virtual, worked by pointer or by the keys of a tree, with one time axis for all lives. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef } from 'react';
import { t } from '../i18n/i18n.ts';
import { usePrefs } from '../prefs.ts';
import { tickText } from '../timeline/histogram-draw.ts';
import { ticks } from '../timeline/histogram-model.ts';
import { type Legend, legendOf } from './colours.ts';
import { AlikeRow } from './alike-row.tsx';
import { MoreRow, ProcessRow, processRowId } from './process-row.tsx';
import { loadChildren, setExpanded, showAlike, showProcess, useProcesses } from './process-store.ts';
import { type Axis, axisOf } from './life-axis.ts';
import type { Tree, TreeRow } from './tree-model.ts';

const ROW_PX = { normal: 28, compact: 24 } as const;
const HEAD_PX = 28;
/** Children of one process that are read unasked when alike ones are one row and the end is always near. */
const UNASKED = 5000;

function AxisTicks({ axis }: { axis: Axis }) {
  const [from, to] = [Number(axis.fromNs) / 1e6, Number(axis.toNs) / 1e6];
  return ticks(from, to, 3).map(({ atMs, stepMs }) => (
    <span key={atMs} className="axis-tick num" style={{ left: `${((atMs - from) / (to - from)) * 100}%` }}>
      {tickText(atMs, stepMs)}
    </span>
  ));
}

/** Keys of a tree: right opens or goes in, left closes or goes out. */
function onTreeKey(
  event: React.KeyboardEvent,
  rows: readonly TreeRow[],
  pageRows: number,
  reveal: (index: number) => void,
): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { cursor, tree } = useProcesses.getState();
  const processes = rows.filter((row) => row.kind !== 'more');
  const at = processes.findIndex((row) => row.id === cursor);
  const row = processes[at];
  const go = (to: number): void => {
    const next = processes[Math.min(processes.length - 1, Math.max(0, to))];
    if (!next) return;
    // The same row again: it may have been scrolled out of sight.
    if (next.id === cursor) reveal(rows.indexOf(next));
    useProcesses.setState({ cursor: next.id });
  };
  const opens = (): boolean => {
    const first = row?.kind === 'alike' ? row.nodes[0] : undefined;
    if (first) showAlike(first.entityId);
    return first !== undefined;
  };
  const parent = (): number => {
    for (let up = at - 1; up >= 0; up -= 1) {
      if ((processes[up]?.depth ?? 0) < (row?.depth ?? 0)) return up;
    }
    return at;
  };
  const keys: Record<string, () => void> = {
    ArrowDown: () => go(at + 1),
    j: () => go(at + 1),
    ArrowUp: () => go(at - 1),
    k: () => go(at - 1),
    PageDown: () => go(at + pageRows),
    PageUp: () => go(at - pageRows),
    Home: () => go(0),
    End: () => {
      go(processes.length - 1);
      // With what is not loaded yet, which is then asked for.
      reveal(rows.length - 1);
    },
    ArrowRight: () => {
      if (opens() || row?.kind !== 'process' || row.branch.total === 0) return;
      if (row.branch.expanded) go(at + 1);
      else setExpanded(row.id, true);
    },
    ArrowLeft: () => {
      if (row?.kind === 'process' && row.branch.expanded) setExpanded(row.id, false);
      else go(parent());
    },
    Enter: () => {
      if (opens()) return;
      if (row?.kind === 'process' && !row.branch.node.told && row.id !== tree?.focus) showProcess(row.id);
    },
  };
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

export function ProcessTree({
  tree,
  rows,
  legend,
  found,
}: {
  tree: Tree;
  rows: readonly TreeRow[];
  legend: Legend;
  found: ReadonlySet<string>;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const cursor = useProcesses((state) => state.cursor);
  const rowPx = ROW_PX[usePrefs((prefs) => prefs.density)];
  const runs = useProcesses((state) => state.runs);
  const axis = useMemo(() => axisOf(tree), [tree]);
  // Its functions change what they answer without changing identity; nothing here memoises over them.
  // oxlint-disable-next-line react/incompatible-library
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    overscan: 8,
    scrollMargin: HEAD_PX,
    scrollPaddingStart: HEAD_PX,
    useFlushSync: false,
  });
  useEffect(() => virtualizer.measure(), [virtualizer, rowPx]);
  const items = virtualizer.getVirtualItems();
  const cursorAt = rows.findIndex((row) => row.id === cursor);
  useEffect(() => {
    if (cursorAt >= 0) virtualizer.scrollToIndex(cursorAt);
    // Rows that come in above must not pull the list to the cursor again.
    // oxlint-disable-next-line react/exhaustive-deps, react/exhaustive-effect-dependencies
  }, [cursor, virtualizer]);
  // A page of children is asked for when its place comes on screen, once the first was asked for by opening.
  useEffect(() => {
    for (const item of items) {
      const row = rows[item.index];
      if (row?.kind !== 'more') continue;
      const branch = tree.branches.get(row.parent);
      if (!branch || branch.unread || branch.failed !== undefined) continue;
      if (!runs || branch.children.length < UNASKED) void loadChildren(row.parent);
    }
  });
  return (
    <div
      ref={scroller}
      id="process-tree"
      className="list-scroll tree-scroll"
      role="treegrid"
      tabIndex={0}
      aria-label={t('nav.processes')}
      aria-rowcount={rows.length + 1}
      aria-activedescendant={
        cursor !== undefined && items.some((item) => rows[item.index]?.id === cursor)
          ? processRowId(cursor)
          : undefined
      }
      onKeyDown={(event) =>
        onTreeKey(event, rows, Math.floor((scroller.current?.clientHeight ?? 400) / rowPx) - 2, (index) =>
          virtualizer.scrollToIndex(index),
        )
      }
      onClick={(event) => {
        const at = (event.target as HTMLElement).closest<HTMLElement>('[data-process], [data-alike]');
        const id = at?.dataset.process ?? at?.dataset.alike;
        if (id !== undefined) useProcesses.setState({ cursor: id });
      }}
      onDoubleClick={(event) => {
        const id = (event.target as HTMLElement).closest<HTMLElement>('[data-process]')?.dataset.process;
        if (id !== undefined && id !== tree.focus && !tree.branches.get(id)?.node.told) showProcess(id);
      }}
    >
      <div role="row" className="list-head tree-row">
        <span role="columnheader">{t('processes.process')}</span>
        <span role="columnheader">{t('field.user')}</span>
        <span role="columnheader">{t('processes.badges')}</span>
        <span role="columnheader" className="tree-life">
          <span className="visually-hidden">{t('processes.life')}</span>
          <AxisTicks axis={axis} />
        </span>
      </div>
      <div role="rowgroup" className="list-body" style={{ height: virtualizer.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          const top = item.start - HEAD_PX;
          if (row.kind === 'more') {
            const parent = tree.branches.get(row.parent);
            return (
              <MoreRow
                key={row.id}
                row={row}
                top={top}
                failed={parent?.failed}
                loading={parent?.loading ?? false}
              />
            );
          }
          if (row.kind === 'alike') {
            return (
              <AlikeRow
                key={row.id}
                row={row}
                top={top}
                axis={axis}
                colour={row.nodes[0] ? legend.colourOf(row.nodes[0]) : ''}
                cursor={row.id === cursor}
              />
            );
          }
          return (
            <ProcessRow
              key={row.id}
              row={row}
              top={top}
              axis={axis}
              colour={legend.colourOf(row.branch.node)}
              cursor={row.id === cursor}
              focus={row.id === tree.focus}
              found={found.has(row.id)}
            />
          );
        })}
      </div>
    </div>
  );
}

/** What is on screen decides which colours are needed; the first rows of the tree stand for all. */
export function legendFor(rows: readonly TreeRow[], colouring: Parameters<typeof legendOf>[1]): Legend {
  const nodes = rows.slice(0, 2000).flatMap((row) => {
    if (row.kind === 'process') return [row.branch.node];
    return row.kind === 'alike' ? row.nodes.slice(0, 1) : [];
  });
  return legendOf(nodes, colouring);
}
