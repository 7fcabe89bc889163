/** Everything known of one event, in tabs; the first reads as a sentence. */
import { Tabs } from 'radix-ui';
import { useEffect } from 'react';
import type { EventDetail } from '../../../../agent/api/contract.ts';
import type { AgentError } from '../../agent-client.ts';
import { t } from '../../i18n/i18n.ts';
import { agent, navigate, useApp } from '../../store.ts';
import { useLoad } from '../../use-load.ts';
import { FailureNotice } from '../../ui/failure-notice.tsx';
import { CopyButton, IconButton } from '../../ui/primitives.tsx';
import { useTriage } from '../../triage/triage-store.ts';
import { eventOf } from '../page-window.ts';
import { useTimeline } from '../timeline-state.ts';
import { reveal, selectEvent, showAround } from '../timeline-store.ts';
import { AncestryTab } from './ancestry-tab.tsx';
import { FieldsTab } from './fields-tab.tsx';
import { ProofTab } from './proof-tab.tsx';
import { RawTab } from './raw-tab.tsx';
import { SummaryTab } from './summary-tab.tsx';
import { WhyTab } from './why-tab.tsx';
import './detail.css';

export const DETAIL_TABS = ['summary', 'why', 'ancestry', 'fields', 'raw', 'proof'] as const;
export type DetailTab = (typeof DETAIL_TABS)[number];

export function currentTab(tab: string | undefined): DetailTab {
  return DETAIL_TABS.find((name) => name === tab) ?? 'summary';
}

/** Steps to the next or previous tab (keys [ and ]). */
export function stepTab(step: number): void {
  const { route } = useApp.getState();
  if (route.eventId === undefined) return;
  const at = DETAIL_TABS.indexOf(currentTab(route.tab)) + step;
  const next = DETAIL_TABS[(at + DETAIL_TABS.length) % DETAIL_TABS.length];
  navigate({ tab: next }, true);
}

/** What the list already knows of the event, until the rest arrives. */
function useEarly(eventId: string): EventDetail | undefined {
  const row = useTimeline((state) => eventOf(state.window, eventId));
  return row && { event: row, ancestors: row.parent ? [row.parent] : [], related: {} };
}

function Failure({ error, again }: { error: AgentError; again: () => void }) {
  const gone = error.code === 'not_found';
  return (
    <FailureNotice
      title={gone ? t('detail.notFound') : t('detail.failed')}
      message={gone ? t('detail.notFoundMeaning') : error.message}
      again={again}
    />
  );
}

export function DetailPanel({ eventId }: { eventId: string }) {
  const tab = currentTab(useApp((state) => state.route.tab));
  const early = useEarly(eventId);
  const made = useTriage((state) => state.made);
  const { data, error, again } = useLoad(
    eventId,
    (signal) => agent().call('events.get', { eventId }, signal),
    undefined,
    made,
  );
  const status = useTimeline((state) => state.status);
  useEffect(() => {
    if (data && status === 'ready') void reveal(data.event);
  }, [data, status]);
  const detail = data ?? early;
  const complete = data !== undefined;
  return (
    <aside className="detail" aria-label={t('detail.label')}>
      <Tabs.Root
        className="detail-tabs"
        value={tab}
        activationMode="automatic"
        onValueChange={(value) => navigate({ tab: value === 'summary' ? undefined : value }, true)}
      >
        <div className="detail-head">
          <Tabs.List className="tabs" aria-label={t('detail.label')}>
            {DETAIL_TABS.map((name) => (
              <Tabs.Trigger key={name} value={name} className="tab">
                {t(`detail.tab.${name}`)}
                {name === 'why' && detail?.event.detections?.length ? (
                  <span className="tab-count num">{detail.event.detections.length}</span>
                ) : null}
              </Tabs.Trigger>
            ))}
          </Tabs.List>
          <IconButton icon="around" label={t('around.show')} onClick={() => showAround(eventId)} />
          <CopyButton text={() => location.href} label={t('detail.copyLink')} />
          <IconButton icon="close" label={t('detail.close')} onClick={() => selectEvent(undefined)} />
        </div>
        {error && !detail ? <Failure error={error} again={again} /> : null}
        {detail ? (
          <>
            <Tabs.Content value="summary" className="detail-body" tabIndex={0}>
              <SummaryTab detail={detail} />
            </Tabs.Content>
            <Tabs.Content value="why" className="detail-body" tabIndex={0}>
              <WhyTab detail={detail} />
            </Tabs.Content>
            <Tabs.Content value="ancestry" className="detail-body" tabIndex={0}>
              <AncestryTab detail={detail} />
            </Tabs.Content>
            <Tabs.Content value="fields" className="detail-body" tabIndex={0}>
              <FieldsTab event={detail.event} />
            </Tabs.Content>
            <Tabs.Content value="raw" className="detail-body" tabIndex={0}>
              <RawTab detail={detail} complete={complete} />
            </Tabs.Content>
            <Tabs.Content value="proof" className="detail-body" tabIndex={0}>
              <ProofTab detail={detail} complete={complete} />
            </Tabs.Content>
          </>
        ) : null}
      </Tabs.Root>
    </aside>
  );
}
