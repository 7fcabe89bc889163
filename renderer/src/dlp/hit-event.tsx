/** One finding: the file, what was found in it, who put it there; and the ways on from it. */
import { DropdownMenu } from 'radix-ui';
import type { EventJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { keepDraft, NEW_POLICY } from '../policies/policy-drafts.ts';
import { entityOf, showProcess } from '../processes/process-store.ts';
import { navigate } from '../store.ts';
import { clauseText } from '../timeline/query-text.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { Icon } from '../ui/icon.tsx';
import { menuHost } from '../ui/menu-host.ts';
import { SeverityGlyph } from '../ui/severity.tsx';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { containmentOf, policyFor, whatText } from './hits-model.ts';
import { ShareBar } from './share-bar.tsx';
import { destinationText } from './words.ts';

export function showEvent(eventId: string, tab?: string): void {
  navigate({ view: 'timeline', query: '', eventId, tab, around: undefined });
}

/** Everything that was done to a file, and what was found in it. */
function showHistory(path: string): void {
  runQuery(clauseText('file', path));
}

function draftPolicy(event: EventJson): void {
  keepDraft(NEW_POLICY, { text: policyFor(event), base: undefined });
  navigate({ view: 'policies', policy: undefined, eventId: undefined, tab: 'new' });
}

function Item({ children, onSelect }: { children: React.ReactNode; onSelect: () => void }) {
  return (
    <DropdownMenu.Item className="menu-item" onSelect={onSelect}>
      {children}
    </DropdownMenu.Item>
  );
}

function Ways({ event }: { event: EventJson }) {
  const path = event.file?.path ?? '';
  const [source] = event.dlp?.sources ?? [];
  const { process } = event;
  const copy = (text: string): void => void navigator.clipboard.writeText(text);
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>
        <button type="button" className="icon-button dlp-more" aria-label={t('dlp.hit.more', { path })}>
          <Icon name="more" />
        </button>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal container={menuHost()}>
        <DropdownMenu.Content className="menu" align="end">
          <Item onSelect={() => showEvent(event.eventId)}>
            <Icon name="timeline" /> {t('dlp.hits.open')}
          </Item>
          {process === undefined ? null : (
            <Item onSelect={() => showProcess(entityOf(process))}>
              <Icon name="processes" /> {t('dlp.hit.tree')}
            </Item>
          )}
          <Item onSelect={() => showHistory(path)}>
            <Icon name="clock" /> {t('dlp.hit.history')}
          </Item>
          {source === undefined ? null : (
            <Item onSelect={() => showHistory(source.path)}>
              <Icon name="clock" /> {t('dlp.hit.source')}
            </Item>
          )}
          <Item onSelect={() => showEvent(event.eventId, 'why')}>
            <Icon name="policies" /> {t('dlp.hit.policies')}
          </Item>
          <Item onSelect={() => draftPolicy(event)}>
            <Icon name="policies" /> {t('dlp.hit.draft')}
          </Item>
          <Item onSelect={() => copy(path)}>
            <Icon name="copy" /> {t('dlp.hit.copyPath')}
          </Item>
          <Item onSelect={() => copy(JSON.stringify(event, undefined, 2))}>
            <Icon name="copy" /> {t('dlp.hit.copyJson')}
          </Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

export function HitEvent({ event }: { event: EventJson }) {
  const { process } = event;
  const contained = containmentOf(event);
  const what = whatText(event);
  const [source] = event.dlp?.sources ?? [];
  return (
    <li className="dlp-event">
      <SeverityGlyph severity={event.severity} />
      <span className="dlp-event-what">
        <button
          type="button"
          className="link-button mono dlp-event-file"
          onClick={() => showEvent(event.eventId)}
        >
          <MiddleEllipsis text={event.file?.path ?? ''} />
        </button>
        <span className="small dim">
          <SafeText text={what} limit={160} />
          {source === undefined ? null : (
            <>
              {' · '}
              {t('dlp.hit.from')} <SafeText text={source.path} limit={120} />
            </>
          )}
        </span>
      </span>
      <span>
        {contained === undefined ? null : <ShareBar share={contained} label={t('dlp.hits.containment')} />}
      </span>
      <span className="small">{destinationText(event.dlp?.destination ?? '')}</span>
      {process === undefined ? (
        <span className="small dim">{t('dlp.hits.unknownProcess')}</span>
      ) : (
        <button type="button" className="link-button small" onClick={() => showProcess(entityOf(process))}>
          <SafeText text={process.name} limit={40} />
        </button>
      )}
      <span className="small num nowrap">
        <Ago ns={event.tsNs} />
      </span>
      <Ways event={event} />
    </li>
  );
}
