/** Puts all matches of a query together into one value, newest chunk first, in small steps. */
import type { SentinelEvent } from '../event.ts';
import { Planner } from './plan.ts';
import type { QueryNode } from './query-ast.ts';
import { timeBounds } from './time-order.ts';
import { PartitionView, partitionsWithin, type Reader } from './view.ts';

export interface Fold<T> {
  /** Within a chunk the latest to arrive first. False: enough; nothing older is looked at. */
  add(event: SentinelEvent): boolean;
  /** `complete`: there are no more matches than were added. */
  done(complete: boolean): T;
}

/** Events that are decoded between two steps. */
const STEP = 64;

export function* foldMatches<T>(
  reader: Reader,
  node: QueryNode,
  fold: Fold<T>,
  nowNs = BigInt(Date.now()) * 1_000_000n,
): Generator<void, T> {
  const bounds = timeBounds(node, nowNs);
  for (const { n, zone } of partitionsWithin(reader, bounds.from, bounds.to)) {
    const view = new PartitionView(reader, n);
    const test = new Planner(view, nowNs).plan(node);
    if (!test.may(zone, undefined)) continue;
    for (const head of view.heads(test, bounds.from, bounds.to).toReversed()) {
      if (!test.may(head.zone, head.bloom)) continue;
      const block = view.blocks.load(head);
      const mask = new Uint8Array(block.rows).fill(1);
      test.narrow(block, mask);
      let decoded = 0;
      for (let row = mask.length - 1; row >= 0; row -= 1) {
        if (mask[row] === 0) continue;
        if (!fold.add(view.event(block, row))) return fold.done(false);
        decoded += 1;
        if (decoded % STEP === 0) yield;
      }
      yield;
    }
  }
  return fold.done(true);
}
