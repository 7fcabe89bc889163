/** What this page costs the machine it is looking at. */
import { heapLimit } from '../console-cost.ts';
import { t } from '../i18n/i18n.ts';
import { useApp } from '../store.ts';
import { bytes, count, percent } from '../ui/format.ts';
import { TrendLine } from './rates-section.tsx';
import { Figure, Section } from './section.tsx';

/** Below this, a line of memory at rest stays flat. */
const HEAP_FLOOR_BYTES = 50_000_000;
const BUSY_FLOOR_PERCENT = 5;

export function ConsoleSection() {
  const latest = useApp((state) => state.trend.at(-1));
  const limit = heapLimit();
  return (
    <Section title={t('health.console')}>
      <dl className="figures">
        <Figure
          name={t('health.console.heap')}
          note={limit === undefined ? undefined : t('health.console.heapNote', { n: bytes(limit) })}
          trend={
            <TrendLine
              name={t('health.console.heap')}
              of="consoleHeapBytes"
              show={bytes}
              floor={HEAP_FLOOR_BYTES}
            />
          }
        >
          {limit === undefined ? t('health.console.unknown') : bytes(latest?.consoleHeapBytes ?? 0)}
        </Figure>
        <Figure
          name={t('health.console.busy')}
          note={t('health.console.busyNote')}
          trend={
            <TrendLine
              name={t('health.console.busy')}
              of="consoleBusyPercent"
              show={percent}
              floor={BUSY_FLOOR_PERCENT}
            />
          }
        >
          {percent(latest?.consoleBusyPercent ?? 0)}
        </Figure>
        <Figure name={t('health.console.elements')}>
          {count(document.getElementsByTagName('*').length)}
        </Figure>
      </dl>
    </Section>
  );
}
