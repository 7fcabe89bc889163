import { describe, expect, it } from 'vitest';
import type { Destination } from './destination.ts';
import { ScanQueue, type QueuedFile } from './queue.ts';

function queue(maxFiles = 100) {
  const clock = { nowMs: 0 };
  const skipped: string[] = [];
  const made = new ScanQueue<string>({
    maxFiles,
    settleMs: 50,
    nowMs: () => clock.nowMs,
    onSkipped: ({ key }) => skipped.push(key),
  });
  return { queue: made, clock, skipped };
}

function file(key: string, version = '1', destination: Destination = 'archive'): QueuedFile<string> {
  return { key, version, destination, cause: version };
}

describe('the queue of files', () => {
  it('keeps one entry for an inode, with its latest state, and waits until it is left alone', () => {
    const { queue: q, clock } = queue();
    q.add(file('a', '1'));
    clock.nowMs = 40;
    q.add(file('a', '2'));
    clock.nowMs = 60;
    expect(q.take()).toBeUndefined();
    expect(q.dueInMs()).toBe(30);
    clock.nowMs = 90;
    expect(q.take()?.version).toBe('2');
    expect(q.size).toBe(0);
    expect(q.duplicates).toBe(1);
  });

  it('does not wait for ever for a file that is written all the time', () => {
    const { queue: q, clock } = queue();
    for (let i = 0; i < 100; i++, clock.nowMs += 10) q.add(file('a', String(i)));
    expect(q.take()?.key).toBe('a');
  });

  it('takes media before shares before the rest', () => {
    const { queue: q, clock } = queue();
    q.add(file('z', '1', 'archive'));
    q.add(file('s', '1', 'network_share'));
    q.add(file('u', '1', 'removable'));
    clock.nowMs = 100;
    expect([q.take()?.key, q.take()?.key, q.take()?.key]).toEqual(['u', 's', 'z']);
  });

  it('lets go of the least urgent when it is full, and tells of each', () => {
    const { queue: q, clock, skipped } = queue(3);
    for (const key of ['a', 'b', 'c', 'd']) q.add(file(key));
    q.add(file('u', '1', 'removable'));
    expect(skipped).toEqual(['d', 'c']);
    expect(q.size).toBe(3);
    clock.nowMs = 100;
    expect(q.take()?.key).toBe('u');
  });
});
