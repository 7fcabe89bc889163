import { describe, expect, it } from 'vitest';
import { Overload, OVERLOAD_STATES } from './overload.ts';

/** State after each level (percent), from the thresholds as specified. */
const PATHS: readonly { levels: readonly number[]; states: readonly string[] }[] = [
  {
    levels: [0, 69.9, 70, 60, 55, 54.9],
    states: ['NORMAL', 'NORMAL', 'SHED_DEBUG', 'SHED_DEBUG', 'SHED_DEBUG', 'NORMAL'],
  },
  { levels: [85, 70, 69.9, 54], states: ['SHED_INFO', 'SHED_INFO', 'SHED_DEBUG', 'NORMAL'] },
  { levels: [95, 80, 79.9, 69], states: ['PASSTHROUGH', 'PASSTHROUGH', 'SHED_INFO', 'SHED_DEBUG'] },
  { levels: [120, 10], states: ['PASSTHROUGH', 'NORMAL'] },
  { levels: [84.9, 94.9, 95], states: ['SHED_DEBUG', 'SHED_INFO', 'PASSTHROUGH'] },
];

describe('overload state machine', () => {
  it.each(PATHS)('goes through $states at $levels %', ({ levels, states }) => {
    const overload = new Overload(1000);
    expect(levels.map((percent) => OVERLOAD_STATES[overload.update(percent * 10)])).toEqual(states);
  });

  it('counts each entry once', () => {
    const overload = new Overload(100);
    for (const bytes of [71, 72, 96, 96, 60, 10]) overload.update(bytes);
    expect(overload.entered).toEqual([1, 2, 0, 1]);
  });
});
