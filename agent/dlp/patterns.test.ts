import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { loadDlp } from '../../native-addon/index.ts';
import type { NativeDlpHit } from '../../native-addon/dlp.ts';
import { PATTERN_TYPES } from './pattern-types.ts';
import { createPatternSource } from './patterns.ts';
import { parsePatternRules } from './rules.ts';

const native = loadDlp();
if (!native.ok) throw new Error(native.reason);
const { DlpScanner } = native.addon;

type Chunking = (left: number) => number;

/** The hits of a text by rule. `chunk`: how much is fed next. */
async function scan(
  rules: string,
  bytes: Buffer,
  { chunk = (left) => left, portable = false }: { chunk?: Chunking; portable?: boolean } = {},
): Promise<Record<string, Pick<NativeDlpHit, 'offset' | 'length' | 'count' | 'confidence'>>> {
  const parsed = parsePatternRules(rules, 'test.yml');
  const scanner = new DlpScanner([createPatternSource(parsed).source]);
  const stream = scanner.stream({ maxBytes: 0, deadlineMs: 0, maxHits: 1000, portable });
  for (let at = 0; at < bytes.length;) {
    const size = Math.max(1, chunk(bytes.length - at));
    await stream.feed(bytes.subarray(at, at + size));
    at += size;
  }
  const { hits } = await stream.finish();
  return Object.fromEntries(
    hits.map(({ field, offset, length, count, confidence }) => [
      parsed.rules[field]!.id,
      { offset, length, count, confidence: Math.round(confidence * 100) / 100 },
    ]),
  );
}

const all = `rules:\n${Object.keys(PATTERN_TYPES)
  .map((id) => `  - {id: ${id}, pattern: ${id}}\n`)
  .join('')}`;

test('numbers are found in the ways people write them, at their place', async () => {
  const spellings = [
    '4111111111111111',
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    '4111.1111.1111.1111',
    '4111\u00a01111\u00a01111\u00a01111',
    '4111\u20091111\u20091111\u20091111',
    '4111\u20101111\u20101111\u20101111',
    '４１１１１１１１１１１１１１１１',
    '3782 822463 10005',
  ];
  for (const spelling of spellings)
    for (const [before, after] of [
      ['', ''],
      ['card: ', ', valid'],
      ['"', '"'],
      ['x=', ';'],
      ['第一', '号'],
      ['<td>', '</td>'],
    ] as const) {
      const text = `${before}${spelling}${after}`;
      const found = await scan('- {id: card, pattern: card}', Buffer.from(text));
      const offset = Buffer.byteLength(before);
      expect(found.card, text).toMatchObject({ offset, length: Buffer.byteLength(spelling), count: 1 });
    }
});

test('what only looks like a number is none', async () => {
  const texts = [
    '4111 1111 1111 1112',
    'build 14111111111111111',
    'sha 4111111111111111deadbeef',
    '550e8400-e29b-41d4-a716-446655440000',
    'AKIAIOSFODNN7EXAMPL',
    'the -----BEGIN PUBLIC KEY----- line',
    'https://example.com/v1.2.3/2024-01-31T23:59:59.123456789Z',
    'skipped 10000000000000000 of 20000000000000000 bytes',
    'version 1.14.3, section 3.2.1, page 123, isbn 978-3-16-148410-0',
    'someone@localhost, a@b, @handle and x@y.z',
    '0000-0000-0000-0000',
  ];
  for (const text of texts) {
    const found = await scan(all, Buffer.from(text));
    expect(Object.keys(found), text).toEqual([]);
  }
});

test('a word near makes a weak number count, a far one does not', async () => {
  const rule = '- {id: ssn, pattern: us_ssn, withinTokens: 4}';
  const confidence = async (text: string) => (await scan(rule, Buffer.from(text))).ssn?.confidence;
  expect(await confidence('order 219-09-9998')).toBe(0.6);
  expect(await confidence('order 219099998')).toBeUndefined();
  expect(await confidence('SSN 219099998')).toBe(0.9);
  expect(await confidence('219099998 is the Social Security number')).toBe(0.9);
  expect(await confidence('ssn one two three four 219099998')).toBe(0.9);
  expect(await confidence('ssn one two three four five 219099998')).toBeUndefined();
  expect(await confidence('lessn 219099998')).toBeUndefined();
  const chinese = '- {id: card, pattern: card, minConfidence: 0.9}';
  expect((await scan(chinese, Buffer.from('我的信用卡号码是4111111111111111。'))).card?.confidence).toBe(
    0.95,
  );
  const russian = '- {id: card, pattern: card, minConfidence: 0.9, context: [паспорт]}';
  expect((await scan(russian, Buffer.from('ПАСПОРТ 4111111111111111'))).card?.confidence).toBe(0.95);
});

test('minCount counts different values', async () => {
  const rule = '- {id: card, pattern: card, minCount: 2}';
  expect(await scan(rule, Buffer.from('4111111111111111 '.repeat(5)))).toEqual({});
  const found = await scan(rule, Buffer.from('4111111111111111, 4111 1111 1111 1111, 5555555555554444'));
  expect(found.card).toMatchObject({ count: 3, offset: 0, length: 16 });
});

test('secrets are told by their form and checksum', async () => {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const token = (body: string) => {
    let value = crc32(body);
    let tail = '';
    for (let i = 0; i < 6; i++, value = Math.floor(value / 62)) tail = digits[value % 62]! + tail;
    return body + tail;
  };
  const body = token('aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1');
  const key = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj';
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  // Put together here, so that no scanner of this repository takes them for real.
  const join = (...parts: string[]) => parts.join('');
  const secrets: Record<string, string> = {
    aws_access_key: join('AKIA', 'IOSFODNN7EXAMPLE'),
    aws_secret_key: join('wJalrXUtnFEMI/K7MDENG/', 'bPxRfiCYEXAMPLEKEY'),
    github_token: `ghp_${body}`,
    npm_token: `npm_${body}`,
    gitlab_token: join('glpat-', 'a1B2c3D4e5F6g7H8i9J0'),
    google_api_key: join('AIza', 'SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q'),
    jwt: `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: '1234567890' })}.c2lnbmF0dXJl`,
    private_key: `-----BEGIN RSA PRIVATE KEY-----\n${key}\n${key}\n`,
    slack_token: join('xoxb-', '123456789012-123456789012-abcdefghijklmnopqrstuvwx'),
    slack_webhook: join('hooks.slack.com/services/', 'T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX'),
    stripe_key: join('sk_live_', '4eC39HqLyjWDarjtT1zdp7dc'),
    pypi_token: join('pypi-AgEIcHlwaS5vcmc', 'CJDAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMAACKl'),
  };
  for (const [id, value] of Object.entries(secrets)) {
    const text = id === 'aws_secret_key' ? `aws_secret_access_key = ${value}\n` : `token="${value}"\n`;
    const found = await scan(all, Buffer.from(text));
    expect(Object.keys(found), id).toContain(id);
    expect(found[id]!.offset, id).toBe(text.indexOf(value));
  }
  const wrong = await scan(all, Buffer.from(`ghp_${body.slice(0, -1)}${body.at(-1) === 'A' ? 'B' : 'A'}`));
  expect(wrong).toEqual({});
  const mentioned = 'Paste what stands between -----BEGIN PRIVATE KEY----- and the end.';
  expect(await scan(all, Buffer.from(mentioned))).toEqual({});
});

test('words are found in any case and over line ends, and stand alone', async () => {
  const rule = '- {id: w, words: [Project Falcon, Ångström, 机密]}';
  for (const text of [
    'project falcon',
    'the PROJECT\r\n  Falcon plan',
    'åNGSTRÖM',
    '这是机密文件',
    '“Project Falcon”',
    '是Project Falcon的',
  ])
    expect(Object.keys(await scan(rule, Buffer.from(text))), text).toEqual(['w']);
  for (const text of ['projectfalcon', 'project falconer', 'subproject falcon', 'project x falcon'])
    expect(Object.keys(await scan(rule, Buffer.from(text))), text).toEqual([]);
});

test('regular expressions agree with those of JavaScript', async () => {
  let state = 99;
  const random = (below: number): number =>
    ((state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 8) % below;
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const expression = (depth: number): string => {
    const kind = random(depth > 2 ? 3 : 7);
    if (kind < 3) return pick(['a', 'b', 'c', '[ab]', '[^a\\n]', '\\d', '.', 'é', '\\.', '[a-c0-4]']);
    if (kind === 3) return `(${expression(depth + 1)}|${expression(depth + 1)})`;
    if (kind === 4) return `(?:${expression(depth + 1)})${pick(['?', '*', '+', '{2}', '{1,3}', '{2,}'])}`;
    return expression(depth + 1) + expression(depth + 1);
  };
  let compared = 0;
  while (compared < 150) {
    const regex = `a${expression(0)}`;
    const text = Array.from({ length: 20 }, () => pick(['a', 'b', 'c', '1', '7', '.', '\n', ' '])).join('');
    const rule = JSON.stringify([{ id: 'x', regex, wholeWord: false }]);
    const found = await scan(rule, Buffer.from(text));
    // Our sets are of ASCII characters; the text has no others.
    const expected = new RegExp(regex).test(text);
    expect(Object.keys(found).length > 0, `${regex} on ${JSON.stringify(text)}`).toBe(expected);
    compared++;
  }
});

test('any chunking, and no vector instructions, give the same hits', async () => {
  let state = 5;
  const random = (below: number): number =>
    ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % below;
  const own = `${all}  - {id: own, words: [Project Falcon]}\n  - {id: expr, regex: 'EMP-[0-9]{4,6}'}\n`;
  const planted = [
    'card 4111-1111-1111-1111 ',
    'GB82 WEST 1234 5698 7654 32',
    'ssn: 219099998',
    'Project\n Falcon',
    'EMP-12345',
    'aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    'someone@example.com',
    '11010519491231002X',
    'QQ 12 34 56 C',
    'RSSMRA85T10A562S',
  ];
  for (let round = 0; round < 12; round++) {
    const parts: string[] = [];
    for (let i = 0; i < 60; i++) {
      parts.push(planted[random(planted.length)]!);
      parts.push(' ', 'word '.repeat(random(30)), String(random(1e9)), pickSeparator(random(6)));
      if (random(12) === 0) parts.push('A1'.repeat(random(900)));
      if (random(30) === 0) parts.push('\n'.repeat(random(3000)));
    }
    const text = parts.join('');
    const bytes = round % 3 === 0 ? Buffer.from(text, 'utf16le') : Buffer.from(text);
    const whole = await scan(own, bytes);
    expect(Object.keys(whole).length).toBeGreaterThan(4);
    expect(await scan(own, bytes, { portable: true })).toEqual(whole);
    const small = (left: number) => Math.min(left, 1 + random(200));
    expect(await scan(own, bytes, { chunk: small })).toEqual(whole);
    const mixed = (left: number) => Math.min(left, 1 + random(random(4) === 0 ? 5000 : 40));
    expect(await scan(own, bytes, { chunk: mixed })).toEqual(whole);
  }
});

function pickSeparator(index: number): string {
  return [' ', '\n', ', ', '. ', ' \u2013 ', '\t'][index]!;
}
