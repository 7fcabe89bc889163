/** What can be done with the rows that were chosen. */
import { t, tn } from '../i18n/i18n.ts';
import { CopyButton, IconButton } from '../ui/primitives.tsx';
import { asNdjson, asText, clearMarks, markAll, markedEvents, pinMarked } from './marks.ts';
import { useTimeline } from './timeline-state.ts';

export function SelectionBar() {
  const marked = useTimeline((state) => state.marked);
  if (marked.size === 0) return null;
  const events = markedEvents();
  return (
    <div className="selection-bar" role="toolbar" aria-label={t('marks.label')}>
      <p className="num" role="status">
        {tn('marks.count', marked.size)}
      </p>
      <CopyButton text={() => asText(events)} label={t('marks.copyText')} words />
      <CopyButton text={() => asNdjson(events)} label={t('marks.copyNdjson')} words />
      <button type="button" className="button" onClick={pinMarked}>
        {t('marks.pin')}
      </button>
      <button type="button" className="button" onClick={markAll}>
        {t('marks.all')}
      </button>
      <IconButton icon="close" label={t('marks.clear')} onClick={clearMarks} />
    </div>
  );
}
