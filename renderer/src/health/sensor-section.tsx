/** What the sensor sees, what it cannot, and how full its rings are. */
import { useDeferredValue } from 'react';
import type { HealthSnapshot, HookJson } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { sayAgent } from '../i18n/say-agent.ts';
import { bytes, count } from '../ui/format.ts';
import { Meter } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { Figure, Section, State } from './section.tsx';

const HOOK_LEVEL = { active: 'ok', replaced: 'degraded', missing: 'failed' } as const;
const ORDER: readonly HookJson['state'][] = ['missing', 'replaced', 'active'];

/** A table with more rows than this scrolls, at its full height, whatever is in it. */
const FULL_ROWS = 20;

function Hooks({ hooks }: { hooks: readonly HookJson[] }) {
  // So many rows take a frame of their own: opening Health does not wait for them.
  const isLong = hooks.length > FULL_ROWS;
  const isShown = useDeferredValue(true, false) || !isLong;
  const sorted = hooks.toSorted(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || b.lost - a.lost || b.events - a.events,
  );
  return (
    <div
      className={isLong ? 'table-scroll table-long' : 'table-scroll'}
      tabIndex={0}
      role="region"
      aria-label={t('health.hooks')}
    >
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t('health.hook')}</th>
            <th scope="col">{t('health.hookState')}</th>
            <th scope="col">{t('health.attach')}</th>
            <th scope="col" className="right">
              {t('health.events')}
            </th>
            <th scope="col" className="right">
              {t('health.lost')}
            </th>
          </tr>
        </thead>
        <tbody>
          {(isShown ? sorted : []).map((hook) => (
            <tr key={hook.name}>
              <td className="mono">
                <SafeText text={hook.name} />
              </td>
              <td>
                <State level={HOOK_LEVEL[hook.state]}>{t(`health.hook.${hook.state}`)}</State>
                {hook.detail === undefined ? null : (
                  <p className="small dim">
                    <SafeText text={sayAgent(hook.detail)} />
                  </p>
                )}
              </td>
              <td className="mono dim">
                <SafeText text={hook.attach} />
              </td>
              <td className="right num">{count(hook.events)}</td>
              <td className={`right num ${hook.lost > 0 ? 'health-warn' : ''}`}>{count(hook.lost)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function SensorSection({ health }: { health: HealthSnapshot }) {
  const { sensor } = health;
  const by = (state: HookJson['state']): string =>
    count(sensor.hooks.filter((hook) => hook.state === state).length);
  return (
    <Section
      title={t('health.sensor')}
      aside={
        sensor.hooks.length === 0
          ? undefined
          : t('health.hooksSummary', {
              active: by('active'),
              replaced: by('replaced'),
              missing: by('missing'),
            })
      }
    >
      <dl className="figures">
        <Figure name={t('health.tier')}>
          <SafeText text={sensor.tier} limit={80} />
        </Figure>
        <Figure name={t('health.scope')}>
          <SafeText text={sensor.scope} limit={120} />
        </Figure>
        {sensor.rings.map((ring) => (
          <Figure
            key={ring.name}
            name={ring.name}
            note={ring.lost > 0 ? tn('health.ringLost', ring.lost) : undefined}
            trend={
              <>
                <Meter value={ring.usedBytes} max={ring.sizeBytes} label={ring.name} />
              </>
            }
          >
            {bytes(ring.usedBytes)} / {bytes(ring.sizeBytes)}
          </Figure>
        ))}
      </dl>
      <h3>{t('health.blind')}</h3>
      {sensor.blindSpots.length === 0 ? <p className="dim">{t('health.blindNone')}</p> : null}
      <ul className="blind">
        {sensor.blindSpots.map((spot) => (
          <li key={spot.what}>
            <State level="degraded">
              <SafeText text={sayAgent(spot.what)} />
            </State>
            <p className="small dim">
              <SafeText text={sayAgent(spot.why)} />
              {spot.remedy === undefined ? null : (
                <>
                  {' '}
                  <strong>{t('health.remedy')}:</strong> <SafeText text={sayAgent(spot.remedy)} />
                </>
              )}
            </p>
          </li>
        ))}
      </ul>
      {sensor.hooks.length === 0 ? null : (
        <>
          <h3>{t('health.hooks')}</h3>
          <Hooks hooks={sensor.hooks} />
        </>
      )}
    </Section>
  );
}
