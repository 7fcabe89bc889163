import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_AROUND_ROWS, MAX_PINS, VIEWS, formatRoute, parseRoute } from './router.ts';

describe('addresses', () => {
  it('come back as they were, whatever the query', () => {
    const route = fc.record({
      view: fc.constantFrom(...VIEWS),
      query: fc.string({ unit: 'grapheme' }),
      eventId: fc.option(fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String), { nil: undefined }),
      tab: fc.option(fc.constantFrom('why', 'raw'), { nil: undefined }),
      around: fc.option(fc.nat().map(String), { nil: undefined }),
      aroundRows: fc.constant(DEFAULT_AROUND_ROWS),
      pins: fc.uniqueArray(fc.nat().map(String), { maxLength: MAX_PINS }),
      process: fc.option(
        fc.tuple(fc.nat(), fc.nat()).map(([pid, start]) => `${pid}-${start}`),
        { nil: undefined },
      ),
      policy: fc.option(fc.constantFrom('reverse-shell', 'a.b_c'), { nil: undefined }),
    });
    fc.assert(
      fc.property(route, (value) => {
        expect(parseRoute(formatRoute(value))).toEqual(value);
      }),
    );
    expect(parseRoute('#/timeline?around=7&n=200').aroundRows).toBe(200);
    expect(parseRoute('#/timeline?around=7&n=99999999').aroundRows).toBe(DEFAULT_AROUND_ROWS);
  });

  it('that are not ours lead to the timeline', () => {
    expect(parseRoute('')).toMatchObject({ view: 'timeline', query: '' });
    expect(parseRoute('#/nowhere?e=<script>')).toMatchObject({ view: 'timeline', eventId: undefined });
  });
});
