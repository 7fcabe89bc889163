import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spaceForLogs } from './log-space.ts';

const MIB = 1024 * 1024;

describe('space for the logs', () => {
  it('leaves room for the first observability segment whenever the security log prepares its spare', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2 * MIB, max: 600 * MIB }),
        fc.constantFrom(1, 16),
        (free, segmentMiB) => {
          const { security, observability } = spaceForLogs(segmentMiB * MIB, free);
          const left = free - 2 * security.segmentBytes;
          expect(left).toBeGreaterThanOrEqual(
            (observability.minFreeBytes ?? 256 * MIB) + observability.segmentBytes,
          );
        },
      ),
    );
  });

  it('changes nothing where there is room', () => {
    expect(spaceForLogs(16 * MIB, 1024 * MIB)).toEqual({
      security: { segmentBytes: 16 * MIB },
      observability: { segmentBytes: 16 * MIB },
    });
    expect(spaceForLogs(16 * MIB, Infinity).observability).toEqual({ segmentBytes: 16 * MIB });
  });
});
