import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IndicatorReport } from './indicator-store.ts';
import { IndicatorStore } from './indicator-store.ts';
import { readIndicator } from './value.ts';

const SHA = 'ab'.repeat(32);
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sentinel-ioc-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(root, { recursive: true, force: true });
});

async function load(name: string, text: string): Promise<{ store: IndicatorStore; report: IndicatorReport }> {
  writeFileSync(join(root, name), text);
  const store = new IndicatorStore({ paths: [root] });
  return { store, report: await store.reload() };
}

describe('indicator lists', () => {
  it.each([
    ['plain', '# list\n198.51.100.7\n'],
    ['value,type without header', '198.51.100.7,ip\n'],
    ['value column', 'type,value\nip,198.51.100.7\n'],
    ['ioc_value', '"first_seen","ioc_type","ioc_value"\n"2026-01-01","ip:port","198.51.100.7:443"\n'],
    ['header in a comment', '# "first_seen","dst_ip","dst_port"\n"2026-01-01","198.51.100.7","443"\n'],
    ['named by kind', 'first_seen;dst_ip\n2026-01-01;198.51.100.7\n'],
    ['tabs', 'Indicator Type\tIndicator\nIPv4\t198.51.100.7\r\n'],
    ['byte order mark', '\ufeffindicator\n198.51.100.7\n'],
    ['defanged', '198[.]51[.]100[.]7\n'],
  ])('reads CSV: %s', async (_name, text) => {
    const { store, report } = await load('list.csv', text);
    expect(report.problems).toEqual([]);
    expect(report.loaded).toBe(1);
    expect(store.current.findAddress('198.51.100.7')).toBeDefined();
  });

  it('reports each bad line with its number and keeps the others', async () => {
    const text = `value,type\n198.51.100.7,ip\nnot an indicator,\na@b.example,email\n${SHA},sha256\n${'c'.repeat(32)},md5\n`;
    const { report } = await load('list.csv', text);
    expect(report.loaded).toBe(2);
    expect(report.problems.map(({ line, reason }) => `${line} ${reason}`)).toEqual([
      expect.stringMatching(/^3 "not an indicator" is no hash/),
      '4 is an e-mail address, which no event here holds',
      expect.stringMatching(/^6 is MD5/),
    ]);
  });

  it('drops an indicator when its time is over, also while the list is in use', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval'], now: Date.parse('2026-05-01T00:00:00Z') });
    const text =
      'value,expires\n198.51.100.1,2026-04-30\n198.51.100.2,2026-05-02\n198.51.100.3,\n198.51.100.4,soon\n';
    const { store, report } = await load('list.csv', text);
    expect(report.problems.map(({ line }) => line)).toEqual([2, 5]);
    expect(store.current.findAddress('198.51.100.2')).toBeDefined();
    const reloaded = new Promise((resolve) => store.watch(1000, resolve));
    vi.setSystemTime(Date.parse('2026-05-02T00:00:01Z'));
    vi.advanceTimersByTime(1000);
    await reloaded;
    store.stop();
    expect(store.current.findAddress('198.51.100.2')).toBeUndefined();
    expect(store.current.findAddress('198.51.100.3')).toBeDefined();
  });

  it('reads MISP events, with objects, composites and attributes not meant for detection', async () => {
    const attribute = (type: string, value: string, more = {}) => ({
      uuid: `${type}-${value}`,
      type,
      value,
      ...more,
    });
    const misp = {
      response: [
        {
          Event: {
            info: 'x',
            Attribute: [
              attribute('ip-dst|port', '198.51.100.7|443', { to_ids: true }),
              attribute('domain|ip', 'evil.example|198.51.100.8'),
              attribute('hostname', 'off.example', { to_ids: false }),
              attribute('email-src', 'a@b.example'),
              attribute('url', 'http://198.51.100.9/x'),
            ],
            Object: [{ name: 'file', Attribute: [attribute('filename|sha256', `a.exe|${SHA}`)] }],
          },
        },
      ],
    };
    const { store, report } = await load('misp.json', JSON.stringify(misp, undefined, 1));
    expect(report.loaded).toBe(5);
    expect(report.problems.map(({ reason }) => reason)).toEqual([
      'is not meant for detection (to_ids)',
      'is an e-mail address, which no event here holds',
    ]);
    expect(report.problems.every(({ line }) => line > 10)).toBe(true);
    expect(store.current.findAddress('198.51.100.7')).toBeDefined();
    expect(store.current.findDomain('www.evil.example')).toBeDefined();
    expect(store.current.findDomain('off.example')).toBeUndefined();
    expect(store.current.findHash(SHA)).toBeDefined();
  });

  it('matches names in other scripts in both spellings', async () => {
    const { store } = await load('list.txt', 'b\u00fccher.example\nhttps://m\u00fcnchen.example/a\n');
    expect(store.current.findDomain('www.xn--bcher-kva.example')).toBeDefined();
    expect(store.current.findDomain('B\u00dcCHER.example')).toBeDefined();
    expect(store.current.findInArguments(['curl', 'https://xn--mnchen-3ya.example/a'])).toHaveLength(1);
  });

  it('matches a file name in any folder, if the list says that it is one', async () => {
    const { store } = await load('list.csv', 'type,value\nfilename,Kinsing\n');
    expect(store.current.findPath('/tmp/.x/kinsing')?.kind).toBe('name');
    expect(store.current.findPath('/tmp/kinsing2')).toBeUndefined();
  });

  it.each([
    ['hxxps://evil[.]example/a', 'https://evil.example/a'],
    ['hXXp://evil(dot)example', 'http://evil.example'],
    ['http[://]evil[.]example', 'http://evil.example'],
    ['http[:]//evil{.}example/', 'http://evil.example'],
    ['evil[dot]example', 'evil.example'],
    ['*.Evil.Example.', 'evil.example'],
  ])('restores %s', (text, value) => {
    expect(readIndicator(text)).toMatchObject({ value });
  });
});
