import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ProcessInfo, SentinelEvent } from '../event.ts';
import { openTimeline, type Timeline } from './timeline.ts';

const NOW = 1_795_000_000_000_000_000n;
let folder: string;
let timeline: Timeline;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tree-overview-'));
  timeline = openTimeline(join(folder, 't.db'));
});
afterEach(() => {
  timeline.close();
  rmSync(folder, { recursive: true, force: true });
});

let id = 0;
function events(process: ProcessInfo, count: number, rest: Partial<SentinelEvent> = {}): SentinelEvent[] {
  return Array.from({ length: count }, () => ({
    eventId: (id += 2),
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: NOW + BigInt(id),
    severity: 'info',
    process,
    ...rest,
  }));
}
const child = (pid: number, start: number, parent?: ProcessInfo): ProcessInfo => ({
  pid,
  startNs: BigInt(start),
  name: `p${pid}`,
  ...(parent ? { ppid: parent.pid, parentStartNs: parent.startNs } : {}),
});
const pids = (nodes: readonly { process: { pid: number } }[]): number[] =>
  nodes.map((node) => node.process.pid);

it('begins with services and sessions: neither the first process nor what the kernel runs, nor what lies within', () => {
  const init = child(1, 1);
  const kernel = child(2, 2);
  const worker = child(30, 3, kernel);
  const service = child(40, 10, init);
  const session = child(50, 20, init);
  const shell = child(51, 30, session);
  const orphan = child(60, 15, child(999, 5));
  const all = [init, kernel, worker, service, session, shell, orphan].flatMap((each) => events(each, 1));
  timeline.insert(all, {});
  const found = timeline.treeOverview();
  expect(pids(found.latest)).toEqual([50, 60, 40]);
  expect(found.complete).toBe(true);
});

it('weighs a tree by what all of it did', () => {
  const init = child(1, 1);
  const quiet = child(40, 10, init);
  const busy = child(50, 20, init);
  const below = child(51, 30, busy);
  timeline.insert([...events(init, 50), ...events(quiet, 5), ...events(busy, 1), ...events(below, 20)], {});
  const { busiest } = timeline.treeOverview();
  expect(pids(busiest)).toEqual([50, 40]);
  expect(busiest[0]?.subtree).toMatchObject({ processes: 2, counts: { process: 21 } });
});

it('lists what rules matched, the worst first, and no more than a screen of each', () => {
  const init = child(1, 1);
  const detection = { ruleId: 'r', title: 'r', level: 'low' as const, attack: [], source: '', clauses: [] };
  for (let pid = 100; pid < 130; pid += 1) {
    const severity = pid === 117 ? 'high' : 'low';
    timeline.insert(events(child(pid, pid, init), 1, { severity, detections: [detection] }), {});
  }
  const { matched, busiest, latest } = timeline.treeOverview();
  expect(pids(matched).slice(0, 2)).toEqual([117, 129]);
  for (const list of [matched, busiest, latest]) expect(list).toHaveLength(8);
});
