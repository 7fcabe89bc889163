/** The Processes view: a process with those it descends from and those that descend from it. */
import { useEffect, useMemo } from 'react';
import { type MessageKey, t, tn } from '../i18n/i18n.ts';
import { navigate, useApp } from '../store.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { FailureNotice } from '../ui/failure-notice.tsx';
import { Icon } from '../ui/icon.tsx';
import { IconButton, Notice } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { legendFor, ProcessTree } from './process-tree.tsx';
import { TreeSearch } from './tree-search.tsx';
import { ProcessesEntry } from './processes-entry.tsx';
import { ProcessPanel } from './process-panel.tsx';
import { COLOURINGS, enterProcesses, reloadTree, searchTree, useProcesses } from './process-store.ts';
import { SORTS, rowsOf } from './tree-model.ts';
import '../timeline/list.css';
import '../timeline/detail/detail.css';
import './processes.css';

function Select<T extends string>({
  label,
  value,
  options,
  name,
  onChange,
}: {
  label: MessageKey;
  value: T;
  options: readonly T[];
  name: (option: T) => MessageKey;
  onChange: (option: T) => void;
}) {
  return (
    <label className="tree-choice">
      {t(label)}
      <select value={value} onChange={(event) => onChange(event.target.value as T)}>
        {options.map((option) => (
          <option key={option} value={option}>
            {t(name(option))}
          </option>
        ))}
      </select>
    </label>
  );
}

function Empty() {
  const status = useProcesses((state) => state.status);
  const error = useProcesses((state) => state.error);
  if (status === 'loading') {
    return (
      <p className="dim list-wait" role="status">
        {t('common.loading')}
      </p>
    );
  }
  if (status === 'failed')
    return <FailureNotice title={t('processes.failed')} message={error} again={reloadTree} />;
  return (
    <Notice title={t('processes.gone')}>
      <p className="dim">{t('detail.notFoundMeaning')}</p>
      <div className="notice-actions">
        <button type="button" className="button" onClick={showEntry}>
          {t('processes.all')}
        </button>
        <button type="button" className="button" onClick={() => runQuery('type:process')}>
          {t('processes.fromTimeline')}
        </button>
      </div>
    </Notice>
  );
}

const showEntry = (): void => navigate({ process: undefined });

/** The tree of the process that was chosen, else where to begin. */
export function ProcessesView() {
  const asked = useApp((state) => state.route.process);
  return asked === undefined ? <ProcessesEntry /> : <ChosenTree asked={asked} />;
}

function ChosenTree({ asked }: { asked: string }) {
  const started = useApp((state) => state.session > 0);
  const tree = useProcesses((state) => state.tree);
  const sort = useProcesses((state) => state.sort);
  const colouring = useProcesses((state) => state.colouring);
  const cursor = useProcesses((state) => state.cursor);
  useEffect(() => (started ? enterProcesses(asked) : undefined), [asked, started]);
  const runs = useProcesses((state) => state.runs);
  const hits = useProcesses((state) => state.search.found);
  const found = useMemo(() => new Set(hits), [hits]);
  const rows = useMemo(() => (tree ? rowsOf(tree, sort, runs, found) : []), [tree, sort, runs, found]);
  const legend = useMemo(() => legendFor(rows, colouring), [rows, colouring]);
  const at = tree?.branches.get(cursor ?? '') ?? tree?.branches.get(tree.focus);
  const focus = tree?.branches.get(tree.focus);
  const partly = [...(tree?.branches.values() ?? [])].some(
    (branch) => branch.expanded && branch.total > branch.children.length,
  );
  return (
    <div className="processes">
      <h1 className="visually-hidden">{t('nav.processes')}</h1>
      <div className="toolbar tree-toolbar">
        <button type="button" className="button button-quiet" onClick={showEntry}>
          <Icon name="left" /> {t('processes.all')}
        </button>
        {focus ? (
          <p className="toolbar-total" role="status">
            <SafeText text={focus.node.process.name} limit={60} />{' '}
            <span className="num dim">{focus.node.process.pid}</span>{' '}
            {focus.node.subtree === undefined ? null : (
              <span className="dim num">
                {tn('processes.total', focus.node.subtree.processes - 1)}
                {focus.node.subtree.complete ? '' : '+'}
              </span>
            )}
          </p>
        ) : null}
        {tree ? <TreeSearch /> : null}
        <span className="toolbar-space" />
        <span className="legend">
          {legend.entries.map(({ key, colour }) => (
            <span key={key} className="legend-entry">
              <span className="type-swatch" style={{ background: colour }} />{' '}
              <SafeText text={key} limit={30} />
            </span>
          ))}
        </span>
        <label className="tree-choice">
          <input
            type="checkbox"
            checked={runs}
            onChange={(event) => useProcesses.setState({ runs: event.target.checked })}
          />
          {t('processes.runs')}
        </label>
        <Select
          label="processes.colour"
          value={colouring}
          options={COLOURINGS}
          name={(option) => `field.${option}`}
          onChange={(next) => useProcesses.setState({ colouring: next })}
        />
        <Select
          label="processes.sort"
          value={sort}
          options={SORTS}
          name={(option) => `processes.sort.${option}`}
          onChange={(next) => useProcesses.setState({ sort: next })}
        />
        <IconButton icon="reload" label={t('processes.reload')} onClick={reloadTree} />
      </div>
      {partly && sort !== 'start' ? (
        <p className="tree-partly small dim">
          {t('processes.sortPartly')}{' '}
          <button type="button" className="link-button" onClick={() => void searchTree('has:rule')}>
            {t('processes.findMatched')}
          </button>
        </p>
      ) : null}
      <div className="panels">
        <div className="list-column">
          {tree ? <ProcessTree tree={tree} rows={rows} legend={legend} found={found} /> : <Empty />}
        </div>
        {at ? (
          <ProcessPanel key={at.node.entityId} node={at.node} focused={at.node.entityId === tree?.focus} />
        ) : null}
      </div>
    </div>
  );
}
