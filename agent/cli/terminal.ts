/** How commands say numbers, and colour where a person looks on. */
import { printable } from '../printable.ts';
import type { Output } from './command.ts';

/** 1,204,118 */
export function count(value: number): string {
  return value.toLocaleString('en');
}

/** "1 file", "1,204 files" */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** 353.1 kB, of thousands. */
export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  let value = bytes;
  for (; value >= 1000 && at < units.length - 1; at++) value /= 1000;
  return at === 0 ? `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}` : `${value.toFixed(1)} ${units[at]}`;
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

const CODES = { bold: 1, dim: 2, red: 31, yellow: 33, magenta: 35 } as const;

export type Paint = (text: string, style: keyof typeof CODES) => string;

/** Colours only on a terminal, and not where NO_COLOR or TERM=dumb asks for none. */
export function painter(isTerminal = process.stdout.isTTY, env: NodeJS.ProcessEnv = process.env): Paint {
  const plain = !isTerminal || (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return (text, style) => (plain ? text : `\u001B[${CODES[style]}m${text}\u001B[0m`);
}

export interface ProgressLine {
  show(text: string): void;
  end(): void;
}

const SHOWN_EVERY_MS = 100;

/** One line on the terminal of standard error, rewritten in place and cut at its width; nothing anywhere else. */
export function progressLine(output: Output): ProgressLine {
  const live = process.stderr.isTTY;
  let shownMs = Number.NEGATIVE_INFINITY;
  let isShown = false;
  return {
    show(text) {
      if (!live || performance.now() - shownMs < SHOWN_EVERY_MS) return;
      shownMs = performance.now();
      isShown = true;
      const width = Math.max(20, (process.stderr.columns ?? 80) - 1);
      output.err(`\r\u001B[K${printable(text).slice(0, width)}`);
    },
    end() {
      if (isShown) output.err('\r\u001B[K');
      isShown = false;
    },
  };
}
