import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import type { KernelCut } from '../policy/types.ts';
import { type CutterParts, NetworkCutter } from './network-cutter.ts';

const HANDLE = 7;
const cut: KernelCut = {
  policy: { handle: HANDLE, policyId: 'p', policyVersion: 1, policyHash: 'h', failMode: 'open' },
  minutes: 5,
  except: [],
};

function readBy(pid: number): SentinelEvent {
  return {
    process: { pid, startNs: 10_000_000n, name: `reader ${pid}` },
    file: { path: '/secret' },
  } as unknown as SentinelEvent;
}

/** A kernel that remembers who is cut off: 100 with what it started, 101 and 102, and 200. */
function cutOff(): { cutter: NetworkCutter; left: () => number[] } {
  let entries = [
    { pid: 100, root: 100, handle: HANDLE },
    { pid: 101, root: 100, handle: HANDLE },
    { pid: 102, root: 100, handle: HANDLE },
    { pid: 200, root: 200, handle: HANDLE },
  ];
  const addon: CutterParts['addon'] = {
    policyCut: () => '',
    policyCuts: () => entries,
    policyUncut: (_handle, pids) => {
      entries = entries.filter(({ pid }) => !pids.includes(pid));
    },
    policyCutState: () => ({ map: 1, lost: 0 }),
    policyWrite: () => undefined,
  };
  const cutter = new NetworkCutter({ addon, handle: {} as never, nowMs: () => 0, bootNowNs: () => 0n });
  cutter.apply([cut]);
  for (const pid of [100, 200]) expect(cutter.cut(readBy(pid), 'h')).toBe('');
  return { cutter, left: () => entries.map(({ pid }) => pid) };
}

describe('letting who was cut off go', () => {
  it.each([
    ['the one that read', 100],
    ['something that it started', 102],
  ])('by the pid of %s lets it go with all it started, and tells who it was', (_name, pid) => {
    const { cutter, left } = cutOff();
    expect(cutter.release(pid).map((each) => each.pid)).toEqual([100]);
    expect(left()).toEqual([200]);
    expect(cutter.list().map((each) => each.pid)).toEqual([200]);
  });

  it('lets nobody go for the pid of another, and all without one', () => {
    const { cutter, left } = cutOff();
    expect(cutter.release(300)).toEqual([]);
    expect(left()).toHaveLength(4);
    expect(cutter.release().map((each) => each.pid)).toEqual([100, 200]);
    expect(left()).toEqual([]);
  });
});
