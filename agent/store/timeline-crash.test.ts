/** The timeline when its process is killed, its file is damaged, its disk is full, or it is asked too much. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventSource } from '../../test/bench/timeline-events.ts';
import { TimelineCorruptError, TimelineWriteError } from './errors.ts';
import { parseQuery } from './query-parser.ts';
import { openTimeline } from './timeline.ts';

const NOW = 1_795_000_000_000_000_000n;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'timeline-crash-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Stores batches until it is killed; after each it prints the cursor that was committed. */
const WRITER = `
import { openTimeline } from ${JSON.stringify(join(import.meta.dirname, 'timeline.ts'))};
import { eventSource } from ${JSON.stringify(join(import.meta.dirname, '../../test/bench/timeline-events.ts'))};
const timeline = openTimeline(process.argv[2], { partitionRows: 3000 });
const source = eventSource(7, ${NOW}n, 1000);
const done = timeline.cursors().security ?? 0;
while (source.made < done) source.next(1);
for (;;) {
  const events = source.next(150);
  timeline.transaction(() => {
    timeline.insert(events, { security: source.made });
    timeline.addDetections(events[0].eventId, [{ ruleId: 'r', title: 't', level: 'high', attack: [], clauses: [], source: 's' }], source.made);
  });
  timeline.prune({ maxBytes: 3e6, nowNs: ${NOW}n });
  process.stdout.write(source.made + '\\n');
}
`;

/** Runs the writer and kills it after that long; returns the last cursor it reported. */
async function writeAndKill(script: string, path: string, afterMs: number): Promise<number> {
  const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  let began = (): void => {};
  const first = new Promise<void>((resolve) => {
    began = resolve;
  });
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
    began();
  });
  const ended = new Promise((resolve) => {
    child.on('exit', resolve);
  });
  await Promise.race([first, ended]);
  await new Promise((resolve) => {
    setTimeout(resolve, afterMs);
  });
  child.kill('SIGKILL');
  await ended;
  const lines = said.split('\n').slice(0, -1);
  return Number(lines.at(-1) ?? 0);
}

describe('timeline in trouble', () => {
  it('holds exactly what its cursor says after each of 8 kills', async () => {
    const script = join(folder, 'writer.mts');
    writeFileSync(script, WRITER);
    const path = join(folder, 'killed.db');
    for (let kill = 0; kill < 8; kill += 1) {
      const reported = await writeAndKill(script, path, 15 + kill * 23);
      const timeline = openTimeline(path, { partitionRows: 3000 });
      const cursor = timeline.cursors().security ?? 0;
      expect(cursor).toBeGreaterThanOrEqual(reported);
      const { events, oldestNs } = timeline.counts();
      // The same stream again: what was stored are its last events up to the cursor, less what retention took.
      const source = eventSource(7, NOW, 1000);
      const all = [];
      while (source.made < cursor) all.push(...source.next(150));
      const kept = all.filter((event) => oldestNs !== undefined && event.tsNs >= oldestNs);
      expect(events).toBe(kept.length);
      const page = timeline.query(parseQuery(''), { limit: 500 });
      expect(page.events.map((event) => event.eventId)).toEqual(
        kept
          .slice(-page.events.length)
          .reverse()
          .map((event) => event.eventId),
      );
      expect(timeline.integrityCheck()).toEqual([]);
      timeline.close();
    }
  });

  it('answers or reports damage, whichever bytes of the file are wrong', () => {
    const sound = join(folder, 'sound.db');
    const built = openTimeline(sound, { partitionRows: 4000 });
    const source = eventSource(3, NOW, 1000);
    while (source.made < 10_000) built.insert(source.next(1000), { security: source.made });
    built.close();
    const bytes = readFileSync(sound);
    const outcomes = { answered: 0, damaged: 0 };
    let seed = 12_345;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let round = 0; round < 40; round += 1) {
      const path = join(folder, 'hurt.db');
      const hurt = Buffer.from(bytes);
      const at = random(hurt.length);
      if (round % 3 === 0) hurt.fill(random(256), at, at + 4096);
      else if (round % 3 === 1) hurt[at] = (hurt[at] ?? 0) ^ (1 << random(8));
      else hurt.fill(0, Math.floor(at / 4096) * 4096, Math.floor(at / 4096) * 4096 + 4096);
      writeFileSync(path, round % 10 === 9 ? hurt.subarray(0, at) : hurt);
      try {
        const timeline = openTimeline(path);
        for (const text of ['', 'curl', 'type:network', 'image:*/git and not user:root', 'severity:>=low']) {
          timeline.query(parseQuery(text), { limit: 100 });
          timeline.histogram(parseQuery(text), NOW, NOW + 10_000_000n, 20);
        }
        timeline.facets(parseQuery(''), ['user', 'file'], 5);
        timeline.tree(300);
        timeline.insert(eventSource(4, NOW * 2n, 1000).next(200), {});
        timeline.close();
        outcomes.answered += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(TimelineCorruptError);
        outcomes.damaged += 1;
      }
      for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    }
    expect(outcomes.damaged).toBeGreaterThan(5);
    expect(outcomes.answered).toBeGreaterThan(5);
  });

  it('says so when it cannot write, stores nothing half, and goes on when it can', () => {
    const path = join(folder, 'full.db');
    const timeline = openTimeline(path);
    const source = eventSource(5, NOW, 1000);
    timeline.insert(source.next(500), { security: source.made });
    const before = timeline.counts();
    // Another process holds the write lock: the write fails after its wait as it would on a full disk.
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    const more = source.next(500);
    expect(() => timeline.insert(more, { security: source.made })).toThrow(TimelineWriteError);
    expect(timeline.counts()).toEqual(before);
    other.exec('ROLLBACK');
    other.close();
    timeline.insert(more, { security: source.made });
    expect(timeline.counts().events).toBe(source.made);
    expect(timeline.cursors()).toEqual({ security: source.made });
    expect(timeline.integrityCheck()).toEqual([]);
    timeline.close();
  });

  it('returns in parts what takes longer than its budget, and the parts are all of it', () => {
    const path = join(folder, 'slow.db');
    const timeline = openTimeline(path, { partitionRows: 2500 });
    const source = eventSource(6, NOW, 1000);
    while (source.made < 20_000) timeline.insert(source.next(1000), {});
    for (const text of ['detail:nothing or not file:*o*', 'zz', 'name:g?t and (file:*a*b* or not file:*)']) {
      const node = parseQuery(text);
      const read = (budgetMs: number): { ids: number[]; partial: number } => {
        const ids: number[] = [];
        let before: string | undefined;
        let partial = 0;
        do {
          const page = timeline.query(node, { limit: 5000, before, budgetMs });
          ids.push(...page.events.map((event) => event.eventId));
          before = page.older;
          if (page.partial) partial += 1;
        } while (before !== undefined);
        return { ids, partial };
      };
      const whole = read(60_000);
      const parts = read(0);
      expect(parts.ids).toEqual(whole.ids);
      expect([whole.partial, parts.partial > 1]).toEqual([0, true]);
    }
    timeline.close();
  });

  it('looks at the clock also before partitions in which nothing can match', () => {
    const timeline = openTimeline(join(folder, 'late.db'), { partitionRows: 500 });
    const source = eventSource(9, NOW, 1000);
    while (source.made < 4000) timeline.insert(source.next(1000), {});
    const nothing = parseQuery('no-such-text-anywhere');
    const calls = { pages: 0, found: 0 };
    let before: string | undefined;
    do {
      const page = timeline.query(nothing, { limit: 10, before, budgetMs: 0 });
      calls.pages += 1;
      calls.found += page.events.length;
      before = page.older;
    } while (before !== undefined);
    expect(calls.found).toBe(0);
    expect(calls.pages).toBeGreaterThan(4);
    const late = { budgetMs: -10_000 };
    expect(timeline.facets(nothing, ['user'], 5, late)).toEqual([
      { field: 'user', values: [], approximate: true },
    ]);
    expect(timeline.histogram(nothing, NOW, NOW + 10_000_000n, 5, late).approximate).toBe(true);
    expect(timeline.histogram(nothing, NOW, NOW + 10_000_000n, 5).approximate).toBe(false);
    timeline.close();
  });

  it('opens a copy made while it was written', () => {
    const path = join(folder, 'copied.db');
    const timeline = openTimeline(path);
    timeline.insert(eventSource(8, NOW, 1000).next(3000), { security: 3000 });
    const copy = join(folder, 'copy.db');
    copyFileSync(path, copy);
    copyFileSync(`${path}-wal`, `${copy}-wal`);
    const opened = openTimeline(copy);
    expect(opened.cursors()).toEqual({ security: 3000 });
    expect(opened.integrityCheck()).toEqual([]);
    opened.close();
    timeline.close();
  });
});
