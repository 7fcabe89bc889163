import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtIndex, KEY, schemaOf, type BuiltIndex } from '../test/dlp/built-index.ts';
import { card, iban, random } from '../test/dlp/tables.ts';
import { dlpCount } from './dlp-summary.ts';
import { dlpEvent } from './dlp-events.ts';
import { createEngine, type Extract } from './dlp/engine.ts';
import { openIndex } from './dlp/index-open.ts';
import type { FileVerdict } from './dlp/types.ts';
import type { SentinelEvent } from './event.ts';

describe('a file that is full of one thing', () => {
  const from = random(12);
  const rows = Array.from({ length: 3000 }, () => [iban(from)]);
  const secret = card(from);
  const padding = rows.map(([value]) => `${value}\n`).join('');
  const built: BuiltIndex[] = [];
  let opened: Awaited<ReturnType<typeof openIndex>>[];

  beforeAll(async () => {
    const field = (type: 'iban' | 'card') => ({
      fields: [{ column: type, role: 'primary' as const, type }],
    });
    built.push(await builtIndex(schemaOf({ name: 'many', ...field('iban') }), rows));
    built.push(await builtIndex(schemaOf({ name: 'few', ...field('card') }), [[secret]]));
    opened = await Promise.all(built.map(({ path }) => openIndex({ path, keys: [KEY] })));
  });
  afterAll(() => built.forEach((each) => each.remove()));

  async function scan(text: string, extract?: Extract): Promise<FileVerdict> {
    const path = join(built[0]!.dir, 'text');
    writeFileSync(path, text);
    const fd = openSync(path, 'r');
    try {
      return await createEngine(opened, extract).scanFd(fd, path);
    } finally {
      closeSync(fd);
    }
  }

  const eventOf = (verdict: FileVerdict): SentinelEvent =>
    dlpEvent({
      verdict,
      place: { destination: 'removable' },
      trigger: 'close_write',
      sources: [],
      nowNs: 1n,
    });

  it('hides nothing else, and is counted whole', async () => {
    const verdict = await scan(`${padding}${secret}\n`);
    expect(verdict.matches.filter(({ index }) => index === 'few')).toMatchObject([
      { rule: 'card', count: 1 },
    ]);
    expect(verdict.matches.length).toBeLessThanOrEqual(1001);
    expect(verdict.matches.length + verdict.unlisted!).toBe(3001);
    const event = eventOf(verdict);
    expect(new Set(event.dlp!.matches.map(({ index }) => index))).toEqual(new Set(['many', 'few']));
    expect(dlpCount(event.dlp!)).toBe(3001);
  });

  it('hides nothing in the last member of a container', async () => {
    const members: Extract = async (_fd, _name, onText) => {
      for (let nth = 0; nth < 40; nth++) await onText(`m${nth}`, Buffer.from(padding), true);
      await onText('last', Buffer.from(secret), true);
      return { outcome: 'ok', members: 41, bytes: 0 };
    };
    const verdict = await scan(padding, members);
    expect(verdict.matches.filter(({ index }) => index === 'few')).toMatchObject([{ member: 'last' }]);
    expect(verdict.matches.length).toBeLessThan(1200);
    const event = eventOf(verdict);
    expect(event.dlp!.matches.some(({ index }) => index === 'few')).toBe(true);
    expect(event.dlp!.matches.length).toBeLessThanOrEqual(32);
    expect(dlpCount(event.dlp!)).toBe(40 * 3000 + 1);
  });
});
