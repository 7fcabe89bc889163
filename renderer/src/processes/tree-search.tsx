/** Search below the opened process, in the language of the timeline: what was found is opened and gone through. */
import { useState } from 'react';
import { t, tn } from '../i18n/i18n.ts';
import { count } from '../ui/format.ts';
import { IconButton } from '../ui/primitives.tsx';
import { nextFound, searchTree, useProcesses } from './process-store.ts';

function Found() {
  const { busy, error, found, complete } = useProcesses((state) => state.search);
  const cursor = useProcesses((state) => state.cursor);
  if (busy) return <>{t('common.loading')}</>;
  if (error !== undefined) return <span className="tag tag-bad">{error}</span>;
  if (!found) return null;
  if (found.length === 0) return <>{t(complete ? 'processes.foundNone' : 'processes.foundNoneYet')}</>;
  const at = found.indexOf(cursor ?? '');
  const total = `${count(found.length)}${complete ? '' : '+'}`;
  return (
    <>
      <span className="num">
        {at < 0 ? tn('processes.found', found.length) : t('processes.foundAt', { at: count(at + 1), total })}
      </span>
      <IconButton icon="up" label={t('processes.foundBefore')} onClick={() => nextFound(-1)} />
      <IconButton icon="down" label={t('processes.foundNext')} onClick={() => nextFound(1)} />
    </>
  );
}

export function TreeSearch() {
  const asked = useProcesses((state) => state.search.text);
  const [text, setText] = useState(asked);
  return (
    <form
      className="tree-search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== '' && text === asked) nextFound(1);
        else void searchTree(text);
      }}
    >
      <input
        type="search"
        className="text-input"
        value={text}
        placeholder={t('processes.find')}
        aria-label={t('processes.find')}
        onChange={(event) => {
          setText(event.target.value);
          if (event.target.value === '') void searchTree('');
        }}
      />
      <span className="tree-found" role="status">
        <Found />
      </span>
    </form>
  );
}
