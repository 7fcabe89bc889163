/** A small line over time, drawn by uPlot without axes; the numbers stand beside it in words. */
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import { useTheme } from '../prefs.ts';
import './sparkline.css';

/** The least time the width stands for, so that the first seconds do not look like a trend. */
const LEAST_SPAN_SECONDS = 60;

interface Props {
  /** Seconds since the epoch. */
  xs: readonly number[];
  ys: readonly number[];
  /** Said instead of the picture. */
  label: string;
  height?: number;
  /** The least value of the scale's top, so that noise at rest stays flat. */
  floor: number;
}

/** A plot has the colours it was made with: another theme, another plot. */
export function Sparkline(props: Props) {
  return <Line key={useTheme((state) => state.theme)} {...props} />;
}

function Line({ xs, ys, label, height = 32, floor }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const style = getComputedStyle(element);
    const made = new uPlot(
      {
        width: Math.max(40, element.clientWidth),
        height,
        padding: [2, 0, 1, 0],
        legend: { show: false },
        cursor: { show: false },
        axes: [{ show: false }, { show: false }],
        scales: {
          x: { time: true, range: (_, min, max) => [Math.min(min, max - LEAST_SPAN_SECONDS), max] },
          y: { range: (_, _min, max) => [0, Math.max(floor, max)] },
        },
        series: [
          {},
          {
            stroke: style.getPropertyValue('--text-2'),
            fill: style.getPropertyValue('--bg-inset'),
            width: 1,
            points: { show: false },
          },
        ],
      },
      [[], []],
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: Math.max(40, element.clientWidth), height }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [height, floor]);
  useEffect(() => {
    plot.current?.setData([[...xs], [...ys]]);
  }, [xs, ys]);
  return <div ref={host} className="sparkline" role="img" aria-label={label} style={{ height }} />;
}
