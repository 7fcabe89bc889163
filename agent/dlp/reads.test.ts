import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import { ProtectedReads } from './reads.ts';

const SECOND = 1_000_000_000n;

function at(pid: number, parent: number, seconds: number): SentinelEvent {
  const process = { pid, startNs: 1n, name: `p${pid}` };
  return { process, ancestry: [`${parent}-1`, '1-1'], tsNs: BigInt(seconds) * SECOND } as SentinelEvent;
}

describe('protected files that were read', () => {
  it('are those of the process and its ancestors, else those of who is beside it, for a minute', () => {
    const reads = new ProtectedReads();
    reads.add(at(10, 5, 0), '/beside', ['customers']);
    const paths = (event: SentinelEvent) => reads.near(event).map(({ path }) => path);
    expect(paths(at(11, 5, 1))).toEqual(['/beside']);
    expect(paths(at(11, 5, 100))).toEqual([]);
    expect(paths(at(12, 6, 1))).toEqual([]);
    reads.add(at(11, 5, 2), '/own', ['customers']);
    expect(paths(at(11, 5, 3))).toEqual(['/own']);
    expect(paths(at(11, 5, 1000))).toEqual(['/own']);
    reads.add(at(5, 1, 4), '/shell', ['customers']);
    expect(paths(at(13, 5, 5))).toEqual(['/shell']);
  });
});
