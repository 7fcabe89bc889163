import { expect, test } from 'vitest';
import { loadDlp } from '../../native-addon/index.ts';
import { createPatternSource } from './patterns.ts';
import { parsePatternRules } from './rules.ts';

const native = loadDlp();
if (!native.ok) throw new Error(native.reason);
const { DlpScanner } = native.addon;

interface Found {
  count: number;
  confidence: number;
  offset: number;
}

/** What the one rule finds, fed `size` bytes at a time. */
async function scan(
  rule: string,
  bytes: Buffer,
  size = bytes.length,
  portable = false,
): Promise<Found | undefined> {
  const scanner = new DlpScanner([
    createPatternSource(parsePatternRules(`[{id: r, ${rule}}]`, 'test.yml')).source,
  ]);
  const stream = scanner.stream({ maxBytes: 0, deadlineMs: 0, maxHits: 10, portable });
  for (let at = 0; at < bytes.length; at += size) await stream.feed(bytes.subarray(at, at + size));
  const [hit] = (await stream.finish()).hits;
  return hit && { count: hit.count, confidence: Math.round(hit.confidence * 100) / 100, offset: hit.offset };
}

const SSN = '219-09-9998';
const words = (count: number) => Array.from({ length: count }, (_, index) => `w${index}x`).join(' ');
const sure = async (text: string | Buffer, context = 'staff', tokens = 3, size?: number) =>
  (await scan(
    `pattern: us_ssn, minConfidence: 0.8, withinTokens: ${tokens}, context: [${context}]`,
    Buffer.from(text),
    size,
  )) !== undefined;

test('a word counts with at most withinTokens words between, on either side', async () => {
  for (const tokens of [1, 3, 12, 60])
    for (const between of [tokens - 1, tokens, tokens + 1]) {
      const near = between <= tokens;
      const gap = between === 0 ? '' : `${words(between)} `;
      const texts = [
        `staff ${gap}${SSN}`,
        `${SSN} ${gap}staff`,
        `${SSN}; ${gap.replaceAll(' ', ', ')}(Staff)`,
        `${'before '.repeat(100)}staff ${gap}${SSN} ${'behind '.repeat(100)}`,
      ];
      for (const text of texts) {
        expect(await sure(text, 'staff', tokens), text).toBe(near);
        for (const size of [1, 7]) expect(await sure(text, 'staff', tokens, size), text).toBe(near);
        expect(await sure(Buffer.from(text, 'utf16le'), 'staff', tokens), text).toBe(near);
      }
    }
});

test('the nearest of several words decides, and each stands alone', async () => {
  expect(await sure(`staff ${words(9)} staff ${SSN}`)).toBe(true);
  expect(await sure(`${SSN} staffing ${words(1)} staff`)).toBe(true);
  expect(await sure(`${SSN} staffing ${words(3)} staff`)).toBe(false);
  for (const text of [`flagstaff ${SSN}`, `${SSN} staffs`, `staffé ${SSN}`, `эstaff ${SSN}`])
    expect(await sure(text), text).toBe(false);
  for (const text of [`staff_no: ${SSN}`, `{"staff":"${SSN}"}`, `<STAFF>${SSN}</STAFF>`, `员staff工 ${SSN}`])
    expect(await sure(text), text).toBe(true);
});

test('scripts without spaces: a character is a word, and words stand inside others', async () => {
  expect(await sure(`他的社保号是：${SSN}`, '社保号')).toBe(true);
  expect(await sure(`社保号一二三${SSN}`, '社保号')).toBe(true);
  expect(await sure(`社保号一二三四${SSN}`, '社保号')).toBe(false);
  expect(await sure(`${SSN}一二三社保号码`, '社保号')).toBe(true);
  expect(await sure(`${SSN}一二三四社保号码`, '社保号')).toBe(false);
  expect(await sure(`マイナンバーは${SSN}です`, 'ナンバー')).toBe(true);
});

test('a word counts in any case and spelling', async () => {
  for (const [context, spelling] of [
    ['numéro', 'NUMÉRO'],
    ['numéro', 'numero'],
    ['numéro', 'Nume\u0301ro'],
    ['łódź', 'ŁÓDŹ'],
    ['łódź', 'Lodz'],
    ['Straße', 'STRASSE'],
    ['паспорт', 'ПАСПОРТ'],
    ['їжак', 'ЇЖАК'],
    ['αριθμός', 'ΑΡΙΘΜΌΣ'],
    ['αριθμός', 'ΑΡΙΘΜΟΣ'],
    ['staff', 'ＳＴＡＦＦ'],
    ["driver's licence", "Driver's Licence"],
  ] as const) {
    expect(await sure(`${spelling} ${SSN}`, JSON.stringify(context)), spelling).toBe(true);
    expect(await sure(`${SSN}: ${spelling}`, JSON.stringify(context)), spelling).toBe(true);
  }
});

test('words and expressions of a rule take context too', async () => {
  const text = Buffer.from('secret EMP-123');
  const rule = "regex: 'EMP-[0-9]+', minConfidence: 0.9";
  expect(await scan(`${rule}, context: [secret]`, text)).toMatchObject({ confidence: 0.95, offset: 7 });
  expect(await scan(`${rule}, context: [other]`, text)).toBeUndefined();
});

test('minCount counts what differs, however it is written and wherever it is', async () => {
  const cards = ['4111111111111111', '5555555555554444', '378282246310005'];
  const far = ' '.repeat(200_000);
  const text = `${`${cards[0]!} 4111-1111-1111-1111 `.repeat(3)}${far}${cards[1]!}${far}4111 1111 1111 1111 ${cards[2]!}`;
  for (const encoding of ['utf8', 'utf16le'] as const)
    for (const portable of [false, true]) {
      const bytes = Buffer.from(text, encoding);
      for (const size of [bytes.length, 4099]) {
        expect(await scan('pattern: card, minCount: 3', bytes, size, portable)).toMatchObject({
          count: 9,
          offset: 0,
        });
        expect(await scan('pattern: card, minCount: 4', bytes, size, portable)).toBeUndefined();
      }
    }
  const same = Buffer.from('a.b@x.org A.B@X.ORG falcon FALCON');
  expect(await scan('pattern: email, minCount: 2', same)).toBeUndefined();
  expect(await scan('pattern: email', same)).toMatchObject({ count: 2 });
  expect(await scan('words: [falcon, heron], minCount: 2', same)).toBeUndefined();
  expect(await scan('words: [falcon, heron], minCount: 2', Buffer.from('falcon Heron'))).toMatchObject({
    count: 2,
  });
});

test('a number is found at every place of the first pieces, as one that begins or ends them', async () => {
  for (let at = 0; at < 200; at++) {
    const text = Buffer.from(`${'x '.repeat(at)}card 4111 1111 1111 1111 y`);
    const found = await scan('pattern: card, minConfidence: 0.9', text, 61 + at);
    expect(found, String(at)).toEqual({ count: 1, confidence: 0.95, offset: 2 * at + 5 });
  }
});

test('of many numbers side by side, each is judged by the words near it', async () => {
  let state = 9;
  const random = (below: number): number =>
    ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % below;
  const cards = ['4111111111111111', '5555555555554444', '378282246310005'];
  const others = ['xstaff', 'staffx', 'sta', 'ff', 'word', 'éstaff', 'номерstaff'];
  for (let round = 0; round < 60; round++) {
    const tokens = [1, 2, 7, 25][random(4)]!;
    const rare = 1 + random(60);
    const spelled = Array.from({ length: 2000 }, () => {
      if (random(rare) === 0) return random(2) === 0 ? 'Staff' : 'staff';
      return random(3) > 0 ? cards[random(3)]! : others[random(others.length)]!;
    });
    const expected = spelled.filter(
      (word, at) =>
        cards.includes(word) &&
        spelled
          .slice(Math.max(0, at - tokens - 1), at + tokens + 2)
          .some((near) => near.toLowerCase() === 'staff'),
    ).length;
    const text = Buffer.from(spelled.join(random(2) === 0 ? '\n' : ', '));
    const rule = `pattern: card, minConfidence: 0.95, withinTokens: ${tokens}, context: [staff]`;
    for (const size of [text.length, 4096 + random(900)]) {
      // 25 words of 17 bytes are fewer than the bytes that are looked at on each side.
      const found = await scan(rule, text, size, round % 5 === 0);
      expect(found?.count ?? 0, `round ${round}`).toBe(expected);
    }
  }
});

test('numbers between escaped line breaks are all counted, and none twice', async () => {
  const cards = Array.from({ length: 500 }, (_, index) =>
    index % 2 === 0 ? '4111111111111111' : '5555555555554444',
  );
  // The first one is found also in the text as it stands, where an n stands before the others.
  const text = Buffer.from(`{"cards": "${cards.join(String.raw`\n`)}"}`);
  expect(await scan('pattern: card', text)).toMatchObject({ count: 500 });
  expect(await scan('pattern: card', Buffer.from(`["${cards.join('", "')}", "\\n"]`))).toMatchObject({
    count: 500,
  });
});
