import { describe, expect, it } from 'vitest';
import { TimelineCounts, type Count } from './timeline-counts.ts';

function setUp(slices: number) {
  const said: string[] = [];
  const left = new Map<number, number>();
  const due: (() => void)[] = [];
  const counts = new TimelineCounts<Count>({
    goOn: ({ id }) => {
      const more = (left.get(id) ?? slices) - 1;
      left.set(id, more);
      said.push(`slice ${id}`);
      if (id === 13) throw new Error('damaged');
      return more === 0 ? `text ${id}` : undefined;
    },
    done: (id, text) => said.push(`done ${id} ${text}`),
    failed: (id, error) => said.push(`failed ${id} ${(error as Error).message}`),
    later: (next) => due.push(next),
  });
  const add = (id: number): void => counts.add({ id, method: 'events.facets', params: {} });
  const turn = (): void => due.shift()?.();
  const rest = (): void => {
    while (due.length > 0) turn();
  };
  return { counts, said, due, add, turn, rest };
}

describe('counts at the timeline worker', () => {
  it('finish one after the other, with a turn for other things before each slice', () => {
    const { said, due, add, turn } = setUp(2);
    add(1);
    add(2);
    expect([said.length, due.length]).toEqual([0, 1]);
    turn();
    expect([said, due.length]).toEqual([['slice 1'], 1]);
    for (let n = 0; n < 3; n += 1) turn();
    expect(said).toEqual(['slice 1', 'slice 1', 'done 1 text 1', 'slice 2', 'slice 2', 'done 2 text 2']);
    expect(due.length).toBe(0);
  });

  it('are given up when nobody waits any more, and say so', () => {
    const { counts, said, due, add, turn, rest } = setUp(3);
    add(1);
    add(2);
    turn();
    counts.cancel(1);
    counts.cancel(1);
    expect(said).toEqual(['slice 1', 'failed 1 no longer asked for']);
    // Two that wait for their turn would work twice as long before others have theirs.
    counts.cancel(2);
    add(3);
    expect(due.length).toBe(1);
    rest();
    expect(said.slice(3)).toEqual(['slice 3', 'slice 3', 'slice 3', 'done 3 text 3']);
  });

  it('that fail do not keep the next from being counted', () => {
    const { counts, said, add, rest } = setUp(1);
    add(13);
    add(1);
    rest();
    expect(said).toEqual(['slice 13', 'failed 13 damaged', 'slice 1', 'done 1 text 1']);
    add(2);
    counts.clear();
    rest();
    expect(said.length).toBe(4);
  });
});
