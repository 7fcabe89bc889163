/** The tags of a process: badges that ask for what has the tag, and where they are given and taken away. */
import { useId, useState } from 'react';
import type { TreeNode } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { useApp } from '../store.ts';
import { clauseText } from '../timeline/query-text.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { Icon } from '../ui/icon.tsx';
import { IconButton } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { allTags, isTag, setTags, useTags, useTagsOf } from './tag-store.ts';

/** To be read only, in a row. */
export function TagBadges({ entityId }: { entityId: string | undefined }) {
  const tags = useTagsOf(entityId);
  return tags.map((tag) => (
    <span key={tag} className="tag tag-own">
      <SafeText text={tag} limit={32} />
    </span>
  ));
}

function AddTag({ node, tags }: { node: TreeNode; tags: readonly string[] }) {
  const [text, setText] = useState('');
  const list = useId();
  const wanted = text.trim();
  const wrong = wanted !== '' && !isTag(wanted);
  return (
    <form
      className="tag-add"
      onSubmit={(event) => {
        event.preventDefault();
        if (wanted === '' || wrong) return;
        void setTags(node, [...tags, wanted]);
        setText('');
      }}
    >
      <input
        className="text-input"
        value={text}
        list={list}
        maxLength={32}
        placeholder={t('tags.add')}
        aria-label={t('tags.add')}
        aria-invalid={wrong}
        onChange={(event) => setText(event.target.value)}
      />
      <datalist id={list}>
        {allTags().map((tag) => (
          <option key={tag} value={tag} />
        ))}
      </datalist>
      <button type="submit" className="button" disabled={wanted === '' || wrong}>
        {t('tags.give')}
      </button>
      {wrong ? (
        <span className="small" role="alert">
          {t('tags.wrong')}
        </span>
      ) : null}
    </form>
  );
}

export function Tags({ node }: { node: TreeNode }) {
  const tags = useTagsOf(node.entityId);
  const error = useTags((state) => state.error);
  const may = useApp(({ connection }) => connection.state === 'open' && connection.privileged);
  if (!may && tags.length === 0) return null;
  return (
    <section className="detail-section">
      <h3>{t('tags.title')}</h3>
      <div className="tag-list">
        {tags.map((tag) => (
          <span key={tag} className="tag tag-own">
            <button
              type="button"
              className="link-button"
              title={t('tags.find')}
              onClick={() => runQuery(clauseText('tag', tag))}
            >
              <SafeText text={tag} limit={32} />
            </button>
            {may ? (
              <IconButton
                icon="close"
                label={t('tags.remove', { tag })}
                onClick={() =>
                  void setTags(
                    node,
                    tags.filter((each) => each !== tag),
                  )
                }
              />
            ) : null}
          </span>
        ))}
      </div>
      {may ? <AddTag key={node.entityId} node={node} tags={tags} /> : null}
      {error === undefined ? null : (
        <p role="alert">
          <Icon name="warning" /> {error}
        </p>
      )}
    </section>
  );
}
