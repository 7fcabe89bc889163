/** How the console bench judges times on the clock on a machine where others wait for a processor too. */
import { availableParallelism, loadavg } from 'node:os';
import { round } from './agent-under-test.ts';
import type { Figure } from './figure.ts';

const FRAME_MS = 50;

export type Report = (metric: string, value: number, unit: string, more?: Partial<Figure>) => void;

/** Our own browser and agent make about one processor's load. */
const busyAbove = (): number => 2 * availableParallelism();

/**
 * A time on the clock that missed its budget. While the machine is busy with others it is judged by the processor time
 * that the browser and the agent took for it: waiting for a processor is no work of ours, and there is always a verdict.
 */
export function byWork(figure: Partial<Figure>, workMs: number, limitMs: number): Partial<Figure> {
  const [load = 0] = loadavg();
  if (figure.ok !== false || load <= busyAbove()) return figure;
  const why = `late on the clock at load ${round(load)} on ${availableParallelism()} processors; judged by ${round(workMs)} ms of processor time`;
  return {
    ...figure,
    ok: workMs < limitMs,
    note: figure.note === undefined ? why : `${why}; ${figure.note}`,
  };
}

/** The worst frame on the clock and by the work between two frames; the latter is judged whatever the load is. */
export function reportFrames(
  what: string,
  worstMs: number,
  workMs: number,
  more: Partial<Figure>,
  report: Report,
): void {
  // Frames come every 16.7 ms: three of them are told as 50.01.
  const clock = { ...more, budget: `<= ${FRAME_MS} ms`, ok: worstMs <= FRAME_MS + 1 };
  report(`${what}, worst frame`, worstMs, 'ms', byWork(clock, workMs, FRAME_MS));
  report(`${what}, most work in a frame`, workMs, 'ms of processor time', {
    budget: `<= ${FRAME_MS} ms`,
    ok: workMs <= FRAME_MS,
  });
}
