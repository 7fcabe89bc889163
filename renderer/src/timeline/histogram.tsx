/** Events over time: stacked by severity, gaps hatched, brush to zoom by pointer or keyboard. */
import { useEffect, useRef, useState } from 'react';
import type { Histogram as HistogramData } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { useTheme } from '../prefs.ts';
import { useApp } from '../store.ts';
import { count, dayOf, isoOf, timeOfDay } from '../ui/format.ts';
import { HistogramTip } from './histogram-tip.tsx';
import { STACK, bucketAt, gapsIn, spanOf, totalOf } from './histogram-model.ts';
import { draw } from './histogram-draw.ts';
import { eventOf } from './page-window.ts';
import { withTime } from './query-text.ts';
import { gapText } from './holes.ts';
import { useTimeline } from './timeline-state.ts';
import { runQuery } from './timeline-store.ts';

/** Zooms the query to buckets `a` to `b`. */
function zoomTo(histogram: HistogramData, a: number, b: number): void {
  const { fromNs, toNs } = spanOf(histogram, a, b);
  const { query, around } = useApp.getState().route;
  runQuery(
    withTime(around === undefined ? query : '', `since:${isoOf(fromNs)} and until:${isoOf(toNs - 1n)}`),
  );
}

/** Twice as much time around the middle of what is shown. */
export function zoomOut(histogram: HistogramData): void {
  const from = BigInt(histogram.fromNs);
  const to = BigInt(histogram.toNs);
  const half = (to - from) / 2n;
  const now = BigInt(Date.now()) * 1_000_000n;
  const { query, around } = useApp.getState().route;
  const until = to + half >= now ? '' : ` and until:${isoOf(to + half)}`;
  runQuery(withTime(around === undefined ? query : '', `since:${isoOf(from - half)}${until}`));
}

function bucketText(histogram: HistogramData, at: number): string {
  const { fromNs, toNs } = spanOf(histogram, at, at);
  const bucket = histogram.buckets[at];
  const counts = STACK.filter((severity) => (bucket?.[severity] ?? 0) > 0)
    .map((severity) => `${count(bucket?.[severity] ?? 0)} ${t(`sev.${severity}`)}`)
    .join(', ');
  const gaps = gapsIn(histogram, at, at).map(gapText);
  const text = t('histogram.bucket', {
    from: timeOfDay(String(fromNs), false),
    to: timeOfDay(String(toNs), false),
    counts: counts === '' ? t('histogram.empty') : counts,
  });
  return [text, ...gaps].join('. ');
}

function label(histogram: HistogramData): string {
  const total = histogram.buckets.reduce((sum, bucket) => sum + totalOf(bucket), 0);
  const range = t('histogram.label', {
    from: `${dayOf(histogram.fromNs)} ${timeOfDay(histogram.fromNs, false)}`,
    to: `${dayOf(histogram.toNs)} ${timeOfDay(histogram.toNs, false)}`,
  });
  return `${range}. ${tn('histogram.total', total)}. ${t('histogram.help')}`;
}

export function Histogram() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const histogram = useTimeline((state) => state.histogram);
  const byType = useTimeline((state) => state.byType);
  const error = useTimeline((state) => state.histogramError);
  const theme = useTheme((state) => state.theme);
  const selected = useApp((state) => state.route.eventId);
  const eventNs = useTimeline((state) =>
    selected === undefined ? undefined : eventOf(state.window, selected)?.tsNs,
  );
  const [hover, setHover] = useState<number>();
  const [brush, setBrush] = useState<readonly [number, number]>();
  const [focused, setFocused] = useState(false);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const last = (histogram?.buckets.length ?? 1) - 1;
  const at = hover === undefined ? undefined : Math.min(hover, last);

  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() =>
      setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    const marks = { selection: brush, hover: at, eventNs };
    const frame = requestAnimationFrame(() => draw(element, { histogram, byType }, marks, size, theme));
    return () => cancelAnimationFrame(frame);
  }, [histogram, byType, brush, at, eventNs, size, theme]);

  const bucketOf = (event: React.PointerEvent): number => {
    const box = event.currentTarget.getBoundingClientRect();
    return histogram ? bucketAt(histogram, event.clientX - box.left, box.width) : 0;
  };

  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (!histogram || event.ctrlKey || event.metaKey || event.altKey) return;
    const from = at ?? last;
    const move = (to: number): void => {
      const next = Math.min(last, Math.max(0, to));
      setBrush(event.shiftKey ? [brush?.[0] ?? from, next] : undefined);
      setHover(next);
    };
    const keys: Record<string, () => void> = {
      ArrowLeft: () => move(from - 1),
      ArrowRight: () => move(from + 1),
      PageUp: () => move(from - 10),
      PageDown: () => move(from + 10),
      Home: () => move(0),
      End: () => move(last),
      Enter: () => {
        zoomTo(histogram, brush?.[0] ?? from, brush?.[1] ?? from);
        setBrush(undefined);
      },
      Backspace: () => zoomOut(histogram),
      Escape: () => setBrush(undefined),
    };
    const action = keys[event.key];
    if (!action || (event.key === 'Escape' && !brush)) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  };

  const slider = histogram && {
    role: 'slider',
    tabIndex: 0,
    'aria-label': label(histogram),
    'aria-valuemin': 0,
    'aria-valuemax': last,
    'aria-valuenow': at ?? last,
    'aria-valuetext': bucketText(histogram, at ?? last),
  };
  return (
    <div
      className="histogram"
      {...slider}
      onFocus={() => setFocused(true)}
      onBlur={() => {
        setFocused(false);
        setHover(undefined);
      }}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        if (!histogram || event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        const bucket = bucketOf(event);
        setBrush([bucket, bucket]);
      }}
      onPointerMove={(event) => {
        const bucket = bucketOf(event);
        setHover(bucket);
        if (brush && event.buttons === 1) setBrush([brush[0], bucket]);
      }}
      onPointerUp={() => {
        if (histogram && brush && brush[0] !== brush[1]) zoomTo(histogram, brush[0], brush[1]);
        setBrush(undefined);
      }}
      onDoubleClick={() => histogram && at !== undefined && zoomTo(histogram, at, at)}
      onPointerLeave={() => !focused && setHover(undefined)}
    >
      <canvas ref={canvas} className="histogram-canvas" />
      {histogram && at !== undefined ? (
        <HistogramTip histogram={histogram} byType={byType} at={at} brush={brush} />
      ) : null}
      {!histogram && error !== undefined ? (
        <p className="histogram-wait small dim">{t('histogram.failed', { message: error })}</p>
      ) : null}
    </div>
  );
}
