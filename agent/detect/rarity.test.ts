import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import { RarityModel } from './rarity.ts';
import type { RarityScore } from './rarity.ts';

const DAY_NS = 86_400_000_000_000n;
const START = 1_790_000_000_000_000_000n;

function exec(parent: string, child: string, tsNs = START): SentinelEvent {
  return {
    eventId: 2,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs,
    severity: 'info',
    process: { pid: 2, startNs: 1n, name: 'x', executable: child },
    parent: { pid: 1, startNs: 1n, name: 'y', executable: parent },
  };
}

function taught(times = 200): RarityModel {
  const model = new RarityModel();
  for (let i = 0; i < times; i += 1) model.observe(exec('/usr/sbin/nginx', '/usr/lib/cgi'));
  return model;
}

describe('score', () => {
  it('is low for what is usual, high for what was never seen, and says why', () => {
    const model = taught();
    const usual = model.score(exec('/usr/sbin/nginx', '/usr/lib/cgi')) as RarityScore;
    const rare = model.score(exec('/usr/sbin/nginx', '/bin/sh')) as RarityScore;
    expect(usual.score).toBeLessThan(0.05);
    expect(rare.score).toBeGreaterThan(0.35);
    expect(rare.features[0]).toMatchObject({
      kind: 'parent-child',
      left: '/usr/sbin/nginx',
      right: '/bin/sh',
      pairCount: 0,
      leftCount: 200,
    });
    // -log2(0.5 / 201), trusted at 200 of 220.
    expect(rare.features[0]?.bits).toBeCloseTo((Math.log2(402) * 200) / 220, 6);
  });

  it('holds back while little is known', () => {
    const model = taught(2);
    expect(model.score(exec('/usr/sbin/nginx', '/bin/sh'))?.score).toBeLessThan(0.05);
    expect(new RarityModel().score(exec('/a', '/b'))?.score).toBe(0);
  });

  it('knows ports and folders, and nothing of other events', () => {
    const process = { pid: 2, startNs: 1n, name: 'x', executable: '/usr/bin/x' };
    const model = new RarityModel();
    const connect = (dstPort: number): SentinelEvent => ({
      ...exec('', ''),
      type: 'network',
      action: 'connect',
      process,
      network: { protocol: 'tcp', dstPort, direction: 'outbound' },
    });
    const write = (path: string): SentinelEvent => ({
      ...exec('', ''),
      type: 'file',
      action: 'write',
      process,
      file: { path, op: 'write' },
    });
    for (let i = 0; i < 100; i += 1) {
      model.observe(connect(443));
      model.observe(write(`/var/cache/x/${i}`));
    }
    expect(model.score(connect(4444))?.features[0]).toMatchObject({
      kind: 'program-port',
      right: 'outbound 4444',
    });
    expect(model.score(write('/etc/cron.d/y'))?.features[0]).toMatchObject({
      kind: 'program-folder',
      right: '/etc/cron.d',
    });
    expect(model.score(write('/var/cache/x/new'))?.score).toBeLessThan(0.05);
    expect(model.score({ ...write('/x'), action: 'open' })).toBeUndefined();
    expect(model.score({ ...exec('/a', '/b'), parent: undefined })).toBeUndefined();
  });
});

it('forgets by halves', () => {
  const model = taught(64);
  const later = model.score(exec('/usr/sbin/nginx', '/usr/lib/cgi', START + 28n * DAY_NS));
  expect(later?.features[0]?.pairCount).toBeCloseTo(16, 6);
  const muchLater = model.score(exec('/usr/sbin/nginx', '/usr/lib/cgi', START + 1400n * DAY_NS));
  expect(muchLater?.features[0]?.pairCount).toBeLessThan(1e-20);
  model.observe(exec('/usr/sbin/nginx', '/usr/lib/cgi', START + 1400n * DAY_NS));
  expect(
    model.score(exec('/usr/sbin/nginx', '/usr/lib/cgi', START + 1400n * DAY_NS))?.features[0]?.pairCount,
  ).toBeCloseTo(1, 6);
});

it('keeps to its bounds under a flood of new pairs, and keeps what is frequent', () => {
  const model = taught();
  for (let i = 0; i < 60_000; i += 1) {
    model.observe(exec('/usr/bin/attacker', `/tmp/${i}`));
    if (i % 1000 === 0) model.observe(exec('/usr/sbin/nginx', '/usr/lib/cgi'));
  }
  expect(model.evictions).toBeGreaterThan(39_000);
  expect(model.export(START).pairs.length).toBeLessThanOrEqual(20_000);
  expect(model.score(exec('/usr/sbin/nginx', '/usr/lib/cgi'))?.features[0]?.pairCount).toBeGreaterThan(200);
});

describe('state', () => {
  it('survives a restart as JSON', () => {
    const model = taught(100);
    const at = START + 14n * DAY_NS;
    const state = JSON.parse(JSON.stringify(model.export(at))) as unknown;
    const again = RarityModel.import(state);
    const probe = exec('/usr/sbin/nginx', '/bin/sh', at + DAY_NS);
    expect(again.score(probe)?.score).toBeCloseTo(model.score(probe)?.score as number, 3);
  });

  it('is refused if it is something else', () => {
    for (const state of [
      null,
      {},
      { version: 2 },
      { version: 1, timeNs: 'x', halfLifeDays: 1, pairs: [] },
      [],
    ]) {
      expect(() => RarityModel.import(state)).toThrow(/rarity state/);
    }
    const odd = {
      version: 1,
      timeNs: '1',
      halfLifeDays: 1,
      pairs: [1, ['x', 'a', 'b', 1], ['parent-child', 'a', 'b', -1], null],
    };
    expect(RarityModel.import(odd).export(1n).pairs).toEqual([]);
  });
});

describe('whatever was seen before', () => {
  /** Sightings of few programs over up to a year, not in order of time. */
  const history = fc.array(
    fc.record({
      parent: fc.constantFrom('/a', '/b', '/c'),
      child: fc.constantFrom('/x', '/y', '/z'),
      hours: fc.integer({ min: -100, max: 8760 }),
    }),
    { maxLength: 120 },
  );
  const learn = (seen: { parent: string; child: string; hours: number }[]): RarityModel => {
    const model = new RarityModel();
    for (const { parent, child, hours } of seen) model.observe(exec(parent, child, at(hours)));
    return model;
  };
  const at = (hours: number): bigint => START + (BigInt(hours) * DAY_NS) / 24n;
  const now = at(8760);

  it('scores lie between 0 and 1, and counts say what they say', () => {
    fc.assert(
      fc.property(history, (seen) => {
        const found = learn(seen).score(exec('/a', '/x', now));
        expect(found?.score).toBeGreaterThanOrEqual(0);
        expect(found?.score).toBeLessThan(1);
        // Independent of the model: each sighting counts half per half-life.
        const weigh = (list: typeof seen): number =>
          list.reduce((sum, { hours }) => sum + 2 ** (-(8760 - hours) / 24 / 14), 0);
        const ofParent = seen.filter(({ parent }) => parent === '/a');
        expect(found?.features[0]?.leftCount).toBeCloseTo(weigh(ofParent), 6);
        const ofPair = ofParent.filter(({ child }) => child === '/x');
        expect(found?.features[0]?.pairCount).toBeCloseTo(weigh(ofPair), 6);
      }),
    );
  });

  it('one more sighting makes a pair no rarer, and its siblings no more usual, once the parent is known', () => {
    const known = fc.constant(Array.from({ length: 60 }, () => ({ parent: '/a', child: '/y', hours: 8759 })));
    fc.assert(
      fc.property(fc.tuple(history, known), (parts) => {
        const model = learn(parts.flat());
        const score = (child: string): number => model.score(exec('/a', child, now))?.score ?? 0;
        const [pair, sibling] = [score('/x'), score('/z')];
        model.observe(exec('/a', '/x', now));
        expect(score('/x')).toBeLessThanOrEqual(pair + 1e-9);
        expect(score('/z')).toBeGreaterThanOrEqual(sibling - 1e-9);
      }),
    );
  });

  it('the order of sightings does not matter, nor a restart in between', () => {
    fc.assert(
      fc.property(history, (seen) => {
        const score = (model: RarityModel): number => model.score(exec('/a', '/x', now))?.score ?? 0;
        const expected = score(learn(seen));
        expect(score(learn(seen.toReversed()))).toBeCloseTo(expected, 6);
        const stored = JSON.parse(JSON.stringify(learn(seen).export(now))) as unknown;
        expect(score(RarityModel.import(stored))).toBeCloseTo(expected, 1);
      }),
    );
  });

  it('a file with impossible counts gives no impossible scores', () => {
    const pairs = [
      ['parent-child', '/a', '/x', 1e308],
      ['parent-child', '/a', '/y', 1e308],
      ['parent-child', '/a', '/z', Number.NaN],
    ];
    const model = RarityModel.import({ version: 1, timeNs: START.toString(), halfLifeDays: 14, pairs });
    for (const child of ['/x', '/y', '/z', '/new'])
      expect(model.score(exec('/a', child, now))?.score).toBeLessThan(1);
  });
});
