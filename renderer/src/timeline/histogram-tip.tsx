/** What the bar under the pointer holds, and which gaps touch it. */
import type { Histogram } from '../../../agent/api/contract.ts';
import { t, tryMessage } from '../i18n/i18n.ts';
import { count, duration, micros, timeOfDay } from '../ui/format.ts';
import { SeverityGlyph } from '../ui/severity.tsx';
import { STACK, type TypeLayer, gapsIn, spanOf } from './histogram-model.ts';
import { gapText } from './holes.ts';

/** A span as people say it: 221 ms, 4 s, 12 min. */
function spanText(us: number): string {
  return us < 60_000_000 ? micros(us) : duration(us / 1000);
}

function typeName(type: string): string {
  return tryMessage(`type.${type}`) ?? type;
}

export function HistogramTip({
  histogram,
  byType,
  at,
  brush,
}: {
  histogram: Histogram;
  byType: readonly TypeLayer[] | undefined;
  at: number;
  brush: readonly [number, number] | undefined;
}) {
  const [a, b] = brush ?? [at, at];
  const { fromNs, toNs } = spanOf(histogram, a, b);
  const low = Math.min(a, b);
  const chosen = histogram.buckets.slice(low, Math.max(a, b) + 1);
  const withMs = toNs - fromNs < 2_000_000_000n * BigInt(chosen.length);
  const share = (at + 0.5) / Math.max(1, histogram.buckets.length);
  const gaps = gapsIn(histogram, a, b);
  const sums = STACK.map((severity) => ({
    severity,
    count: chosen.reduce((sum, bucket) => sum + bucket[severity], 0),
  })).filter((entry) => entry.count > 0);
  return (
    <div
      className="histogram-tip"
      data-side={share > 0.6 ? 'left' : 'right'}
      style={{ left: `${share * 100}%` }}
      aria-hidden="true"
    >
      <p className="num">
        {timeOfDay(String(fromNs), withMs)} – {timeOfDay(String(toNs), withMs)}{' '}
        <span className="dimmer">{spanText(Number((toNs - fromNs) / 1000n))}</span>
      </p>
      {sums.length === 0 ? <p className="dim">{t('histogram.empty')}</p> : null}
      {byType
        ?.map(({ type, counts }) => ({
          type,
          n: counts.slice(low, Math.max(a, b) + 1).reduce((sum, n) => sum + n, 0),
        }))
        .filter(({ n }) => n > 0)
        .toReversed()
        .map(({ type, n }) => (
          <p key={type} className="histogram-tip-row">
            <span className="type-swatch" style={{ background: `var(--type-${type})` }} />
            <span>{typeName(type)}</span>
            <span className="num">{count(n)}</span>
          </p>
        ))}
      {sums.toReversed().map((entry) => (
        <p key={entry.severity} className="histogram-tip-row">
          <SeverityGlyph severity={entry.severity} decorative />
          <span>{t(`sev.${entry.severity}`)}</span>
          <span className="num">{count(entry.count)}</span>
        </p>
      ))}
      {gaps.slice(0, 3).map((gap, index) => (
        <p key={index} className="histogram-tip-gap">
          {gapText(gap)}
        </p>
      ))}
      {histogram.approximate ? <p className="dimmer">{t('histogram.approximate')}</p> : null}
    </div>
  );
}
