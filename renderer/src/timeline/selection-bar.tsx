/** What can be done with the rows that were chosen. */
import { Popover } from 'radix-ui';
import { t, tn } from '../i18n/i18n.ts';
import { TriageForm } from '../triage/triage-form.tsx';
import { menuHost } from '../ui/menu-host.ts';
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
      <Popover.Root>
        <Popover.Trigger className="button">{t('triage.title')}</Popover.Trigger>
        <Popover.Portal container={menuHost()}>
          <Popover.Content
            className="menu triage-menu"
            side="top"
            sideOffset={6}
            aria-label={t('triage.title')}
          >
            <TriageForm target={{ eventIds: events.map((event) => event.eventId), ruleId: undefined }} />
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
      <IconButton icon="close" label={t('marks.clear')} onClick={clearMarks} />
    </div>
  );
}
