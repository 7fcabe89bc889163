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
  const data = useRef<[number[], number[]]>([[], []]);
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const make = (width: number): uPlot => {
      const style = getComputedStyle(element);
      return new uPlot(
        {
          width,
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
        data.current,
        element,
      );
    };
    // The width comes with the layout that the browser does anyway: asking for it here would lay out the whole view
    // once for each line. Drawn with the next frame, so that opening a view with many lines does not wait for them.
    let width = 0;
    let frame = 0;
    const fit = (): void => {
      frame = 0;
      if (plot.current) plot.current.setSize({ width, height });
      else plot.current = make(width);
    };
    const observer = new ResizeObserver(([entry]) => {
      width = Math.max(40, Math.floor(entry?.contentRect.width ?? 0));
      if (frame === 0) frame = requestAnimationFrame(fit);
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      cancelAnimationFrame(frame);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [height, floor]);
  useEffect(() => {
    data.current = [[...xs], [...ys]];
    plot.current?.setData(data.current);
  }, [xs, ys]);
  return <div ref={host} className="sparkline" role="img" aria-label={label} style={{ height }} />;
}
