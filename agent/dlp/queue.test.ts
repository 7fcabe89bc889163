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

  it('gives a file its turn that is written all the time while many others wait', () => {
    const { queue: q, clock } = queue();
    q.add(file('busy', '0'));
    for (let i = 0; i < 50; i++) q.add(file(`f${i}`));
    clock.nowMs = 700;
    for (let i = 0; i < 20; i++) q.add(file('busy', `v${i}`));
    expect(q.take()?.key).toBe('busy');
    expect(q.take()?.key).toBe('f0');
    expect(q.size).toBe(49);
  });

  it('costs no more for each file when it is full than when it is empty', () => {
    let looks = 0;
    const q = new ScanQueue<string>({
      maxFiles: 4096,
      settleMs: 50,
      nowMs: () => (looks++, 0),
      onSkipped: () => {},
    });
    for (let i = 0; i < 4096; i++) q.add(file(`f${i}`));
    const before = process.cpuUsage().user;
    for (let i = 0; i < 100_000; i++) q.add(file(`g${i}`));
    const full = process.cpuUsage().user - before;
    // A walk over all that wait would take tens of microseconds for each.
    expect(full / 100_000).toBeLessThan(20);
    expect(q.size).toBe(4096);
    expect(looks).toBeGreaterThan(100_000);
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
