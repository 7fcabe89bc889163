/** The event told as a sentence, then the few facts an analyst asks first. */
import type { EventDetail, EventJson } from '../../../../agent/api/contract.ts';
import { t, tn, tryMessage } from '../../i18n/i18n.ts';
import { absoluteTime, bytes, count } from '../../ui/format.ts';
import { Icon } from '../../ui/icon.tsx';
import { Ago } from '../../ui/time.tsx';
import { SeverityWord } from '../../ui/severity.tsx';
import { CopyButton } from '../../ui/primitives.tsx';
import { LongText, SafeText } from '../../ui/text.tsx';
import { Value } from '../../ui/value.tsx';
import { entityOf, showProcess } from '../../processes/process-store.ts';
import { Sentence } from '../event-row.tsx';
import { DlpSection } from './dlp-section.tsx';
import { shellCommand, sigmaSelection } from './copy-as.ts';
import { truncationOf } from '../fields.ts';
import { addClause } from '../query-text.ts';
import { quoteArg, verdictOf } from '../sentence.ts';
import { runQuery } from '../timeline-store.ts';

export function Cut({ event, path }: { event: EventJson; path: string }) {
  const original = truncationOf(event, path);
  if (original === undefined) return null;
  const n = bytes(original);
  return (
    <span className="tag tag-warn" title={t('common.cutTitle', { n })}>
      {t('common.cut', { n })}
    </span>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

/** "started by sshd for user dev" */
function Context({ event }: { event: EventJson }) {
  const { parent, process } = event;
  if (!process) return null;
  const byParent = parent !== undefined && event.action !== 'exec';
  const user = process.user ?? (process.uid === undefined ? undefined : String(process.uid));
  return (
    <p className="dim">
      {byParent ? (
        <>
          {process.name ? <SafeText text={process.name} limit={80} /> : process.pid} {t('say.startedBy')}{' '}
          <SafeText text={parent.name} limit={80} />{' '}
        </>
      ) : null}
      {user === undefined ? null : t('say.forUser', { user: '' })}
      {user === undefined ? null : <SafeText text={user} limit={80} />}
    </p>
  );
}

function CommandLine({ event }: { event: EventJson }) {
  const argv = event.process?.argv;
  if (!argv || argv.length === 0) return null;
  return (
    <section className="detail-section">
      <h3>
        {t('detail.command')} <span className="dimmer">{tn('detail.arguments', argv.length)}</span>{' '}
        <Cut event={event} path="process.argv" />
        <CopyButton text={() => shellCommand(argv)} label={t('detail.copyShell')} />
        <CopyButton text={() => sigmaSelection(event)} label={t('detail.copySigma')} words />
      </h3>
      <p className="command">
        {argv.slice(0, 200).map((arg, at) => (
          <span key={at} className="command-arg">
            <LongText text={quoteArg(arg)} />{' '}
          </span>
        ))}
        {argv.length > 200 ? t('list.more', { n: count(argv.length - 200) }) : null}
      </p>
    </section>
  );
}

function endpoint(ip: string | undefined, port: number | undefined): string | undefined {
  if (ip === undefined) return undefined;
  return port === undefined ? ip : `${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
}

function Facts({ event }: { event: EventJson }) {
  const { process, file, network } = event;
  const source = endpoint(network?.srcIp, network?.srcPort);
  const destination = endpoint(network?.dstIp, network?.dstPort);
  return (
    <dl className="facts">
      <Fact name={t('detail.when')}>
        <time className="num">{absoluteTime(event.tsNs)}</time>{' '}
        <span className="dimmer">
          <Ago ns={event.tsNs} />
        </span>
      </Fact>
      {process?.executable === undefined ? null : (
        <Fact name={t('detail.program')}>
          <Value value={process.executable} label={t('detail.program')} field="image" />{' '}
          <Cut event={event} path="process.executable" />
        </Fact>
      )}
      {file === undefined ? null : (
        <Fact name={t('detail.file')}>
          <Value value={file.path} label={t('detail.file')} field="file">
            <LongText text={file.path} />
          </Value>{' '}
          <Cut event={event} path="file.path" />
        </Fact>
      )}
      {network === undefined ? null : (
        <Fact name={t('detail.connection')}>
          {source === undefined ? null : (
            <Value value={network.srcIp ?? ''} label="src.ip" field="src.ip">
              {source}
            </Value>
          )}
          {source === undefined || destination === undefined ? null : ' → '}
          {destination === undefined ? null : (
            <Value value={network.dstIp ?? ''} label="ip" field="ip">
              {destination}
            </Value>
          )}{' '}
          <span className="dimmer">{network.protocol}</span>
        </Fact>
      )}
      {process?.user === undefined && process?.uid === undefined ? null : (
        <Fact name={t('detail.who')}>
          {process.user === undefined ? null : (
            <Value value={process.user} label={t('field.user')} field="user" />
          )}{' '}
          {process.uid === undefined ? null : <span className="dimmer num">uid {process.uid}</span>}
        </Fact>
      )}
      {process === undefined ? null : (
        <Fact name={t('list.pid')}>
          <Value value={String(process.pid)} label={t('list.pid')} field="pid" />
        </Fact>
      )}
      {process?.cwd === undefined ? null : (
        <Fact name={t('detail.directory')}>
          <Value value={process.cwd} label={t('detail.directory')} field="cwd" />
        </Fact>
      )}
      {process?.flags === undefined || process.flags.length === 0 ? null : (
        <Fact name={t('detail.flags')}>
          {process.flags.map((flag) => (
            <span key={flag}>
              <Value value={flag} label={t('detail.flags')} field="flag" />{' '}
            </span>
          ))}
        </Fact>
      )}
      {process?.containerId === undefined ? null : (
        <Fact name={t('detail.container')}>
          <Value value={process.containerId} label={t('detail.container')} field="container" />
        </Fact>
      )}
      {process?.hashes === undefined ? null : (
        <Fact name={t('detail.hash')}>
          <Value value={process.hashes.sha256} label={t('detail.hash')} field="sha256" />
        </Fact>
      )}
      {event.message === undefined ? null : (
        <Fact name={t('detail.message')}>
          <LongText text={event.message} />
        </Fact>
      )}
    </dl>
  );
}

function Related({ detail }: { detail: EventDetail }) {
  const { process } = detail.event;
  const entries = Object.entries(detail.related).filter(([, n]) => n > 0);
  if (process === undefined) return null;
  const { pid } = process;
  const query = addClause('', 'pid', String(pid));
  const image = process.executable;
  return (
    <section className="detail-section">
      {entries.length === 0 ? null : <h3>{t('detail.related')}</h3>}
      <div className="notice-actions">
        {entries.map(([type, n]) => (
          <button
            key={type}
            type="button"
            className="button"
            onClick={() => runQuery(addClause(query, 'type', type))}
          >
            {tryMessage(`type.${type}`) ?? type} <span className="num dimmer">{count(n)}</span>
          </button>
        ))}
        <button type="button" className="button" onClick={() => showProcess(entityOf(process))}>
          <Icon name="processes" /> {t('processes.show')}
        </button>
        <button type="button" className="button" onClick={() => runQuery(query)}>
          {t('detail.pivot.process')}
        </button>
        <button type="button" className="button" onClick={() => runQuery(addClause('', 'ppid', String(pid)))}>
          {t('detail.pivot.children')}
        </button>
        {image === undefined ? null : (
          <button
            type="button"
            className="button"
            onClick={() => runQuery(addClause(addClause('', 'image', image), 'action', 'exec'))}
          >
            {t('detail.pivot.image')}
          </button>
        )}
      </div>
    </section>
  );
}

export function SummaryTab({ detail }: { detail: EventDetail }) {
  const { event } = detail;
  const verdict = verdictOf(event);
  return (
    <>
      <div className="summary-marks">
        <SeverityWord severity={event.severity} />
        <span className="tag tag-lane" data-lane={event.lane}>
          {t(`lane.${event.lane}`)}
        </span>
        {verdict === undefined ? null : <span className="tag tag-bad">{verdict}</span>}
        {event.synthetic ? <span className="tag">{t('list.synthetic')}</span> : null}
      </div>
      <h2 className="summary-sentence">
        <Sentence event={event} />
      </h2>
      <Context event={event} />
      {(event.detections ?? []).map((detection) => (
        <p key={detection.ruleId} className={`summary-rule sev-${detection.level}`}>
          <SafeText text={detection.title} limit={200} />
          <span className="dimmer"> {detection.attack.join(' ')}</span>
        </p>
      ))}
      <DlpSection event={event} />
      <CommandLine event={event} />
      <Facts event={event} />
      <Related detail={detail} />
    </>
  );
}
