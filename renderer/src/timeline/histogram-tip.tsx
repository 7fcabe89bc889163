/** What the bar under the pointer holds, and which gaps touch it. */
import type { Histogram } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { count, duration, timeOfDay } from '../ui/format.ts';
import { SeverityGlyph } from '../ui/severity.tsx';
import { STACK, gapsIn, spanOf } from './histogram-model.ts';
import { gapCause, gapCount } from './sentence.ts';

export function HistogramTip({
  histogram,
  at,
  brush,
}: {
  histogram: Histogram;
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
        <span className="dimmer">{duration(Number((toNs - fromNs) / 1_000_000n))}</span>
      </p>
      {sums.length === 0 ? <p className="dim">{t('histogram.empty')}</p> : null}
      {sums.toReversed().map((entry) => (
        <p key={entry.severity} className="histogram-tip-row">
          <SeverityGlyph severity={entry.severity} decorative />
          <span>{t(`sev.${entry.severity}`)}</span>
          <span className="num">{count(entry.count)}</span>
        </p>
      ))}
      {gaps.slice(0, 3).map((gap, index) => (
        <p key={index} className="histogram-tip-gap">
          {t('histogram.gap', {
            count: gapCount(gap),
            cause: gapCause(gap),
            from: timeOfDay(gap.fromNs),
            to: timeOfDay(gap.toNs),
          })}
        </p>
      ))}
      {histogram.approximate ? <p className="dimmer">{t('histogram.approximate')}</p> : null}
    </div>
  );
}
