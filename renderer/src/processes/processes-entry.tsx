/**
 * Where to begin when no process has been chosen: what rules matched, the trees that did most, those that began last,
 * and a search over all processes in the language of the timeline.
 */
import { useState } from 'react';
import type { ProcessRefJson, TreeNode } from '../../../agent/api/contract.ts';
import { AgentError } from '../agent-client.ts';
import { type MessageKey, t, tn } from '../i18n/i18n.ts';
import { agent } from '../store.ts';
import { commandLine } from '../timeline/sentence.ts';
import { useLoad } from '../use-load.ts';
import { count } from '../ui/format.ts';
import { FailureNotice } from '../ui/failure-notice.tsx';
import { CodeLine, Notice } from '../ui/primitives.tsx';
import { SeverityGlyph } from '../ui/severity.tsx';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { Badges } from './badges.tsx';
import { entityOf, showProcess } from './process-store.ts';
import { TagBadges } from './tags.tsx';
import { userOf, worst } from './tree-model.ts';

const REFRESH_MS = 10_000;
/** Events read by a search, and processes shown of them. */
const SEARCHED = 500;
const MAX_FOUND = 20;

function Line({
  process,
  startNs,
  node,
}: {
  process: ProcessRefJson;
  startNs: string | undefined;
  node?: TreeNode;
}) {
  const command = commandLine(process.argv ?? [], 600) || process.executable || '';
  const below = node?.subtree === undefined ? 0 : node.subtree.processes - 1;
  return (
    <li>
      <button type="button" className="entry-line" onClick={() => showProcess(entityOf(process))}>
        <span className="entry-sev">
          {node && worst(node) !== 'info' ? <SeverityGlyph severity={worst(node)} /> : null}
        </span>
        <span className="entry-name">
          <span className="say-actor">
            <SafeText text={process.name || t('common.unknown')} limit={40} />
          </span>
          <span className="num dim">{process.pid}</span>
          <TagBadges entityId={entityOf(process)} />
          <span className="say-object dim">
            <MiddleEllipsis text={command} />
          </span>
        </span>
        <span className="entry-user dim">
          <SafeText text={node ? userOf(node) : (process.user ?? '')} limit={30} />
        </span>
        <span className="entry-below num dim">
          {below > 0 ? tn('processes.total', below) : ''}
          {below > 0 && node?.subtree?.complete === false ? '+' : ''}
        </span>
        {node ? <Badges node={node} /> : <span />}
        <span className="entry-when num dim">{startNs === undefined ? null : <Ago ns={startNs} />}</span>
      </button>
    </li>
  );
}

function Section({ title, nodes }: { title: MessageKey; nodes: readonly TreeNode[] }) {
  if (nodes.length === 0) return null;
  return (
    <section className="entry-section">
      <h2>{t(title)}</h2>
      <ul>
        {nodes.map((node) => (
          <Line key={node.entityId} process={node.process} startNs={node.startNs} node={node} />
        ))}
      </ul>
    </section>
  );
}

interface Found {
  processes: readonly ProcessRefJson[];
  more: boolean;
  error?: string;
}

/** A number is a process's; anything else is a query. */
async function find(text: string): Promise<Found> {
  const query = /^\d{1,10}$/.test(text) ? `pid:${text}` : text;
  try {
    const page = await agent().call('events.query', { query, limit: SEARCHED });
    const found = new Map<string, ProcessRefJson>();
    for (const { process } of page.events) {
      if (process && !found.has(entityOf(process))) found.set(entityOf(process), process);
    }
    const processes = [...found.values()];
    return {
      processes: processes.slice(0, MAX_FOUND),
      more: processes.length > MAX_FOUND || page.older !== undefined,
    };
  } catch (error) {
    return { processes: [], more: false, error: error instanceof AgentError ? error.message : String(error) };
  }
}

function Search() {
  const [text, setText] = useState('');
  const [found, setFound] = useState<Found>();
  const [busy, setBusy] = useState(false);
  const run = async (): Promise<void> => {
    if (text.trim() === '') {
      setFound(undefined);
      return;
    }
    setBusy(true);
    setFound(await find(text.trim()));
    setBusy(false);
  };
  return (
    <>
      <form
        className="entry-search"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <input
          type="search"
          className="text-input"
          value={text}
          placeholder={t('processes.findAny')}
          aria-label={t('processes.findAny')}
          onChange={(event) => {
            setText(event.target.value);
            if (event.target.value === '') setFound(undefined);
          }}
        />
        <button type="submit" className="button">
          {t('processes.search')}
        </button>
        <span className="dim small" role="status">
          {busy ? t('common.loading') : null}
          {found && !busy && found.error === undefined
            ? `${tn('processes.found', found.processes.length)}${found.more ? '+' : ''}`
            : null}
        </span>
      </form>
      {found?.error === undefined ? null : (
        <p className="tag-bad" role="alert">
          {found.error}
        </p>
      )}
      {found && found.processes.length > 0 ? (
        <section className="entry-section">
          <h2>{t('processes.searched')}</h2>
          <ul>
            {found.processes.map((process) => (
              <Line key={entityOf(process)} process={process} startNs={undefined} />
            ))}
          </ul>
        </section>
      ) : null}
    </>
  );
}

export function ProcessesEntry() {
  const { data, error, again } = useLoad(
    'processes',
    (signal) => agent().call('tree.overview', {}, signal),
    REFRESH_MS,
  );
  const none = data !== undefined && data.latest.length + data.matched.length + data.busiest.length === 0;
  return (
    <div className="page processes-entry">
      <h1 className="page-title">{t('nav.processes')}</h1>
      <Search />
      {error === undefined ? null : (
        <FailureNotice title={t('processes.failed')} message={error.message} again={again} />
      )}
      {data === undefined && error === undefined ? (
        <p className="dim" role="status">
          {t('common.loading')}
        </p>
      ) : null}
      {none ? (
        <Notice title={t('processes.none')}>
          <p className="dim">{t('processes.noneMeaning')}</p>
          <CodeLine code="sh -c 'ls | wc -l'" />
        </Notice>
      ) : null}
      {data ? (
        <>
          <Section title="processes.entry.matched" nodes={data.matched} />
          <Section title="processes.entry.busiest" nodes={data.busiest} />
          <Section title="processes.entry.latest" nodes={data.latest} />
          {data.complete ? null : (
            <p className="dim small">{t('processes.entry.partial', { n: count(80_000) })}</p>
          )}
        </>
      ) : null}
    </div>
  );
}
