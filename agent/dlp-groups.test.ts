import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../test/dlp/tables.ts';
import type { DlpGroupsJson } from './api/contract.ts';
import { DlpGroups, type GroupsAsked } from './dlp-groups.ts';
import type { DlpMatchInfo, SentinelEvent } from './event.ts';
import { parseQuery } from './store/query-parser.ts';
import { openTimeline, type Timeline } from './store/timeline.ts';

const START = 1_795_000_000_000_000_000n;
const HITS = 'type:dlp action:match';

/** Findings as a record has them, the oldest first: tables, patterns and documents, by programs and by hand. */
function findings(n: number): SentinelEvent[] {
  const from = random(41);
  const match = (at: number): DlpMatchInfo => {
    const kind = from.pick(['row', 'document', 'pattern']);
    const index = kind === 'pattern' ? '' : from.pick(['customers', 'board']);
    const rule = kind === 'document' ? 'document' : from.pick(['iban', 'card']);
    const type = kind === 'document' ? from.pick(['plan.txt', 'budget.docx']) : rule;
    const found: DlpMatchInfo = {
      index,
      rule,
      kind,
      type,
      count: 1 + (at % 7),
      offset: 0,
      length: 9,
      confidence: 0,
    };
    found.confidence = from.below(100) / 100;
    if (kind === 'document') found.containment = from.below(100) / 100;
    return found;
  };
  return Array.from({ length: n }, (_, at) => {
    const matches = Array.from({ length: 1 + from.below(3) }, () => match(at));
    const event: SentinelEvent = {
      eventId: (at + 1) * 2,
      type: 'dlp',
      action: at % 11 === 0 ? 'unscannable' : 'match',
      lane: 'security',
      tsNs: START + BigInt(at * 1000 + from.below(5000)),
      severity: 'high',
      file: { path: `/media/${from.below(300)}`, op: 'write' },
      dlp: {
        verdict: 'match',
        trigger: 'close_write',
        destination: from.pick(['removable', 'network_share']),
        bytes: 1,
        tookMs: 1,
        ofEventId: 0,
        matches,
        matchesTotal: matches.length,
      },
    };
    const program = from.below(5);
    if (program > 0) event.process = { pid: 100 + program, startNs: 1n, name: `p${program}` };
    if (program > 1) event.process!.executable = `/usr/bin/p${program}`;
    return event;
  });
}

const EVENTS = findings(3000);
const MATCHED = EVENTS.filter(({ action }) => action === 'match');
let folder: string;
let timeline: Timeline;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dlp-groups-'));
  timeline = openTimeline(join(folder, 't.db'), { partitionRows: 900 });
  for (let at = 0; at < EVENTS.length; at += 257) timeline.insert(EVENTS.slice(at, at + 257), {});
});
afterAll(() => {
  timeline.close();
  rmSync(folder, { recursive: true, force: true });
});

function ask(asked: GroupsAsked, query = HITS): DlpGroupsJson {
  const next = timeline.foldInSlices(parseQuery(query), () => new DlpGroups(asked));
  for (;;) {
    const done = next(0);
    if (done) return done.value;
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** What people call the groups that an event is in, each with what counts there. */
function partsOf(event: SentinelEvent, by: GroupsAsked['by']): Map<string, DlpMatchInfo[]> {
  const matches = event.dlp!.matches;
  if (by === 'file') return new Map([[event.file!.path, matches]]);
  if (by === 'process') return new Map([[event.process?.executable ?? event.process?.name ?? '', matches]]);
  return Map.groupBy(
    matches,
    ({ index, kind, type, rule }) => `${index}/${kind === 'document' ? type : rule}`,
  );
}

describe.each(['rule', 'file', 'process'] as const)('findings by %s', (by) => {
  const name = ({ rule, path, process }: DlpGroupsJson['groups'][number]): string =>
    rule === undefined
      ? (path ?? process?.executable ?? process?.name ?? '')
      : `${rule.index}/${rule.kind === 'document' ? rule.type : rule.rule}`;

  it('are counted over the whole record, as by hand', () => {
    const expected = new Map<string, { event: SentinelEvent; own: DlpMatchInfo[] }[]>();
    for (const event of MATCHED)
      for (const [key, own] of partsOf(event, by))
        expected.set(key, [...(expected.get(key) ?? []), { event, own }]);
    const answer = ask({ by, limit: 1000 });
    expect(answer).toMatchObject({ total: expected.size, findings: MATCHED.length });
    expect(answer.hits).toBe(sum(MATCHED.flatMap(({ dlp }) => dlp!.matches.map(({ count }) => count))));
    expect(answer.notBeforeNs).toBeUndefined();
    expect(answer.groups.map(name).toSorted()).toEqual([...expected.keys()].toSorted());
    for (const group of answer.groups) {
      const parts = expected.get(name(group))!;
      const own = parts.flatMap((part) => part.own);
      const times = parts.map(({ event }) => event.tsNs).toSorted((a, b) => (a < b ? -1 : 1));
      const shares = own.flatMap(({ containment }) => containment ?? []);
      expect(group).toMatchObject({
        findings: parts.length,
        files: new Set(parts.map(({ event }) => event.file!.path)).size,
        hits: sum(own.map(({ count }) => count)),
        confidence: Math.max(...own.map(({ confidence }) => confidence)),
        destinations: [...new Set(parts.map(({ event }) => event.dlp!.destination))].toSorted(),
        firstNs: String(times[0]),
        lastNs: String(times.at(-1)),
      });
      expect(group.containment).toBe(shares.length === 0 ? undefined : Math.max(...shares));
    }
  });

  it('are sorted by any column both ways, and told up to a limit', () => {
    const all = ask({ by, limit: 1000 }).groups;
    for (const sort of ['files', 'hits', 'confidence', 'containment'] as const)
      for (const up of [false, true]) {
        const told = ask({ by, sort, up, limit: 3 }).groups.map((group) => group[sort] ?? -1);
        const wanted = all.map((group) => group[sort] ?? -1).toSorted((a, b) => (up ? a - b : b - a));
        expect(told).toEqual(wanted.slice(0, 3));
      }
    const last = all.map(({ lastNs }) => BigInt(lastNs));
    expect(last).toEqual(last.toSorted((a, b) => (a > b ? -1 : 1)));
    expect(ask({ by, up: true, limit: 1000 }).groups.map(name)).toEqual(all.map(name).toReversed());
  });
});

it('findings that a query narrows are counted alone', () => {
  const own = MATCHED.filter(({ dlp }) => dlp!.destination === 'removable');
  expect(ask({ by: 'file' }, `${HITS} and (dlp.destination:removable)`).findings).toBe(own.length);
  expect(ask({ by: 'file' }, `${HITS} and (file:/nowhere)`)).toEqual({
    groups: [],
    total: 0,
    findings: 0,
    hits: 0,
  });
});

it('says what was not counted where a bound was met', () => {
  const limits = { findings: 500, groups: 20, files: 10 };
  const next = timeline.foldInSlices(parseQuery(HITS), () => new DlpGroups({ by: 'file' }, limits));
  const answer = next(Number.POSITIVE_INFINITY)!.value;
  expect(answer).toMatchObject({ total: 20, findings: 500 });
  const counted = sum(answer.groups.map((group) => group.findings));
  expect(answer.noGroup).toBe(500 - counted);
  expect(answer.groups.filter(({ filesAtLeast }) => filesAtLeast)).toHaveLength(10);
  // The newest, but for the order within a partition.
  const newest = MATCHED.toSorted((a, b) => (a.tsNs > b.tsNs ? -1 : 1));
  expect(BigInt(answer.notBeforeNs!)).toBeGreaterThan(newest[700]!.tsNs);
});
