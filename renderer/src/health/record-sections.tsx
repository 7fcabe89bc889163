/** The record: logs, lanes, sinks and how long things take to get into it. */
import type { HealthSnapshot, WalJson } from '../../../agent/api/contract.ts';
import { t, tn, tryMessage } from '../i18n/i18n.ts';
import { bytes, count, micros } from '../ui/format.ts';
import { Meter } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { Figure, Section, State } from './section.tsx';

function Wal({ wal }: { wal: WalJson }) {
  const behind = Number(BigInt(wal.lastSeq) - BigInt(wal.durableSeq));
  return (
    <div className="wal">
      <h3>
        {t(`lane.${wal.lane}`)} <State level={wal.state}>{t(`level.${wal.state}`)}</State>
      </h3>
      <dl className="figures">
        <Figure
          name={t('health.wal.durable')}
          note={behind > 0 ? t('health.wal.behind', { n: count(behind) }) : undefined}
        >
          {count(wal.durableSeq)}
        </Figure>
        <Figure name={t('health.wal.f')} note={t('health.wal.fMeaning')}>
          {micros(wal.flushP50Us)} / {micros(wal.flushP99Us)}
        </Figure>
        <Figure name={t('health.wal.disk')} note={tn('health.wal.segments', wal.segments)}>
          {bytes(wal.bytesOnDisk)}
        </Figure>
        <Figure name={t('health.wal.pending')}>{bytes(wal.pendingBytes)}</Figure>
        <Figure name={t('health.wal.writer')}>{wal.writer}</Figure>
      </dl>
      {wal.failedWrites > 0 ? (
        <p className="health-warn">{tn('health.wal.failed', wal.failedWrites)}</p>
      ) : null}
    </div>
  );
}

export function WalSection({ health }: { health: HealthSnapshot }) {
  return (
    <Section title={t('health.wal')}>
      {health.wal.map((wal) => (
        <Wal key={wal.lane} wal={wal} />
      ))}
    </Section>
  );
}

export function LaneSection({ health }: { health: HealthSnapshot }) {
  const lane = health.observabilityLane;
  const dropped = Object.entries(lane.dropped).filter(([, n]) => n > 0);
  return (
    <Section title={t('health.obs')}>
      <dl className="figures">
        <Figure name={t('health.obs.state')}>{tryMessage(`health.obs.${lane.state}`) ?? lane.state}</Figure>
        <Figure
          name={t('health.obs.buffer')}
          trend={
            <>
              <Meter value={lane.bufferedBytes} max={lane.maxBufferBytes} label={t('health.obs.buffer')} />
            </>
          }
        >
          {bytes(lane.bufferedBytes)} / {bytes(lane.maxBufferBytes)}
        </Figure>
        <Figure name={t('health.obs.dropped')}>
          {dropped.length === 0 ? count(0) : dropped.map(([level, n]) => `${level} ${count(n)}`).join(', ')}
        </Figure>
        <Figure name={t('health.obs.batch')}>{count(lane.batchSize)}</Figure>
        <Figure name={t('health.obs.synthetic')}>{count(lane.synthetic)}</Figure>
      </dl>
    </Section>
  );
}

export function SinksSection({ health }: { health: HealthSnapshot }) {
  return (
    <Section title={t('health.sinks')}>
      <dl className="figures">
        {health.sinks.map((sink) => (
          <Figure key={`${sink.name} ${sink.lane}`} name={sink.name} note={t(`lane.${sink.lane}`)}>
            {sink.lagRecords === 0 ? t('health.lagNone') : tn('health.lag', sink.lagRecords)}
          </Figure>
        ))}
      </dl>
    </Section>
  );
}

export function LatencySection({ health }: { health: HealthSnapshot }) {
  const names = ['kernelToDecision', 'kernelToObserved', 'kernelToDurable', 'detect'] as const;
  return (
    <Section title={t('health.latency')}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">
              <span className="visually-hidden">{t('health.latency')}</span>
            </th>
            <th scope="col" className="right">
              {t('health.p50')}
            </th>
            <th scope="col" className="right">
              {t('health.p99')}
            </th>
            <th scope="col" className="right">
              {t('health.samples')}
            </th>
          </tr>
        </thead>
        <tbody>
          {names.map((name) => {
            const { p50Us, p99Us, count: samples } = health.latency[name];
            return (
              <tr key={name}>
                <th scope="row" className="plain">
                  <SafeText text={t(`health.latency.${name}`)} />
                </th>
                <td className="right num">{samples === 0 ? '–' : micros(p50Us)}</td>
                <td className="right num">{samples === 0 ? '–' : micros(p99Us)}</td>
                <td className="right num dim">{count(samples)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Section>
  );
}
