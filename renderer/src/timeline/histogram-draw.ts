/** Paints the histogram on a canvas with the colours of the theme in force. */
import type { Histogram } from '../../../agent/api/contract.ts';
import { msOf } from '../ui/format.ts';
import { STACK, type TypeLayer, gapBox, highest, stack, stackTypes, ticks } from './histogram-model.ts';
import { gapCause, gapCount } from './sentence.ts';

const AXIS_PX = 16;
const HATCH_PX = 6;
const COLOUR_NAMES = [
  '--bg-selected',
  '--bg-hover',
  '--gap',
  '--gap-fill',
  '--line',
  '--text-3',
  '--accent',
  ...STACK.map((severity) => `--sev-${severity}-bar`),
  ...['process', 'file', 'network', 'dns', 'memory', 'other'].map((type) => `--type-${type}`),
];

export interface Marks {
  /** Buckets selected, in either order. */
  selection: readonly [number, number] | undefined;
  /** Bucket under the pointer or keyboard. */
  hover: number | undefined;
  /** Time of the selected event. */
  eventNs: string | undefined;
}

const pad = (value: number): string => String(value).padStart(2, '0');

/** A moment as precisely as ticks that far apart need. */
export function tickText(ms: number, stepMs: number): string {
  const date = new Date(ms);
  if (stepMs >= 86_400_000) return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  if (date.getHours() === 0 && date.getMinutes() === 0 && stepMs >= 3_600_000) {
    return `${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  }
  if (stepMs >= 60_000) return clock;
  const seconds = `${clock}:${pad(date.getSeconds())}`;
  return stepMs >= 1000 ? seconds : `${seconds}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

interface Colours {
  of: (name: string) => string;
  font: string;
}
const coloursByTheme = new Map<string, Colours>();

/** Colours of a theme, read from the stylesheet once. */
function coloursOf(canvas: HTMLCanvasElement, theme: string): Colours {
  const known = coloursByTheme.get(theme);
  if (known) return known;
  const style = getComputedStyle(canvas);
  const values = new Map<string, string>();
  for (const name of COLOUR_NAMES) values.set(name, style.getPropertyValue(name));
  const made = { of: (name: string) => values.get(name) ?? '', font: style.fontFamily };
  coloursByTheme.set(theme, made);
  return made;
}

export function draw(
  canvas: HTMLCanvasElement,
  data: { histogram: Histogram | undefined; byType: readonly TypeLayer[] | undefined },
  marks: Marks,
  size: { width: number; height: number },
  theme: string,
): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const ratio = window.devicePixelRatio;
  const { width, height: full } = size;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(full * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(full * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, full);
  const { histogram, byType } = data;
  if (!histogram) return;
  const { of: colour, font } = coloursOf(canvas, theme);
  const height = full - AXIS_PX;
  const count = histogram.buckets.length;
  if (count === 0) return;
  const step = width / count;

  const { selection, hover } = marks;
  if (selection) {
    const [low, high] = selection[0] <= selection[1] ? selection : [selection[1], selection[0]];
    context.fillStyle = colour('--bg-selected');
    context.fillRect(low * step, 0, (high - low + 1) * step, height);
  }
  if (hover !== undefined) {
    context.fillStyle = colour('--bg-hover');
    if (!selection) context.fillRect(hover * step, 0, step, height);
  }

  const most = highest(histogram.buckets);
  const gutter = step > 4 ? 1 : 0;
  const colours = new Map(STACK.map((severity) => [severity, colour(`--sev-${severity}-bar`)]));
  const barWidth = Math.max(1, step - gutter);
  histogram.buckets.forEach((bucket, at) => {
    if (byType) {
      for (const part of stackTypes(byType, at, most, height - 2)) {
        context.fillStyle = colour(`--type-${part.type}`);
        context.fillRect(at * step, part.y + 2, barWidth, part.height);
      }
      return;
    }
    for (const part of stack(bucket, most, height - 2)) {
      context.fillStyle = colours.get(part.severity) ?? '';
      context.fillRect(at * step, part.y + 2, barWidth, part.height);
    }
  });

  for (const gap of histogram.gaps) {
    const box = gapBox(histogram, gap, width);
    if (!box) continue;
    context.save();
    context.beginPath();
    context.rect(box.x, 0, box.width, height);
    context.clip();
    context.fillStyle = colour('--gap-fill');
    context.fillRect(box.x, 0, box.width, height);
    context.strokeStyle = colour('--gap');
    context.lineWidth = 1;
    context.beginPath();
    for (let x = box.x - height - (box.x % HATCH_PX); x < box.x + box.width; x += HATCH_PX) {
      context.moveTo(x, height);
      context.lineTo(x + height, 0);
    }
    context.stroke();
    context.fillStyle = colour('--gap');
    context.fillRect(box.x, 0, box.width, 3);
    const text = `${gapCount(gap)}, ${gapCause(gap)}`;
    context.font = `11px ${font}`;
    const textWidth = context.measureText(text).width;
    if (textWidth + 12 <= box.width) {
      context.fillStyle = colour('--gap-fill');
      context.fillRect(box.x + 3, 6, textWidth + 6, 16);
      context.fillStyle = colour('--gap');
      context.textBaseline = 'middle';
      context.fillText(text, box.x + 6, 14);
    }
    context.restore();
  }

  context.fillStyle = colour('--line');
  context.fillRect(0, height, width, 1);
  context.fillStyle = colour('--text-3');
  context.font = `11px ${font}`;
  context.textBaseline = 'bottom';
  const fromMs = msOf(histogram.fromNs);
  const spanMs = (Number(BigInt(histogram.bucketNs)) * count) / 1e6;
  for (const { atMs, stepMs } of ticks(fromMs, fromMs + spanMs, Math.floor(width / 110))) {
    const x = ((atMs - fromMs) / spanMs) * width;
    const text = tickText(atMs, stepMs);
    const textWidth = context.measureText(text).width;
    if (x + textWidth + 4 > width) continue;
    context.fillRect(Math.round(x), height, 1, 4);
    context.fillText(text, x + 4, full);
  }

  if (marks.eventNs !== undefined) {
    const x = ((msOf(marks.eventNs) - fromMs) / spanMs) * width;
    if (x >= 0 && x <= width) {
      context.fillStyle = colour('--accent');
      context.fillRect(Math.round(x) - 1, 0, 2, height);
    }
  }
}
