/** Relative time with the absolute one on hover. */
import { absoluteTime, ago } from './format.ts';
import { useNow } from './use-now.ts';

export function Ago({ ns }: { ns: string }) {
  return <time title={absoluteTime(ns)}>{ago(ns, useNow())}</time>;
}
