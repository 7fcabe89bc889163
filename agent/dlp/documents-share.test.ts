/** How much of a document is found in what people make of it. */
import { expect, test } from 'vitest';
import { documentScanner } from '../../test/dlp/document-scanner.ts';
import type { NativeDlpScanner } from '../../native-addon/dlp.ts';

let state = 11;
const random = (below: number): number =>
  ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % below;
const SYLLABLES = 'ba con di fe gra hu in jo ka lor ma ne op pri qua re sta tu ver wi yo zen'.split(' ');
const word = () => Array.from({ length: 1 + random(4) }, () => SYLLABLES[random(SYLLABLES.length)]!).join('');
const prose = (words: number) =>
  Array.from({ length: words }, (_, index) => word() + (index % 13 === 12 ? '.\n' : ' ')).join('');

async function scannerOf(...documents: string[]): Promise<NativeDlpScanner> {
  // The same windows in every run.
  const { scanner } = await documentScanner(Buffer.alloc(32, 9), (add) => {
    for (const [index, text] of documents.entries()) add(text, `d${index}`);
  });
  return scanner;
}

/** The share of each document that is in the text, by number. */
async function shares(scanner: NativeDlpScanner, text: string | Buffer): Promise<Record<number, number>> {
  const stream = scanner.stream({ maxBytes: 0, deadlineMs: 0, maxHits: 100 });
  await stream.feed(Buffer.from(text));
  const { hits } = await stream.finish();
  return Object.fromEntries(hits.map(({ ref, containment }) => [ref, containment]));
}

test('an excerpt is told with about the share it is', async () => {
  const text = prose(6000);
  const scanner = await scannerOf(text, prose(3000));
  for (const part of [0.03, 0.1, 0.3, 0.5, 0.9])
    for (let round = 0; round < 5; round++) {
      const from = random(text.length * (1 - part));
      const found = await shares(
        scanner,
        prose(200) + text.slice(from, from + text.length * part) + prose(200),
      );
      expect(Object.keys(found), `${part} from ${from}`).toEqual(['0']);
      expect(Math.abs(found[0]! - part), `${part} from ${from}`).toBeLessThan(0.03);
    }
});

test('pieces from all over add up, repetitions do not', async () => {
  const text = prose(6000);
  const scanner = await scannerOf(text);
  const piece = (index: number) => text.slice(index * 2000, index * 2000 + 1000);
  const apart = Array.from({ length: 6 }, (_, index) => piece(index)).join(prose(50));
  const found = await shares(scanner, apart);
  expect(found[0]).toBeGreaterThan((6 * 800) / text.length);
  expect(found[0]).toBeLessThan((6 * 1000) / text.length);
  // What stands beside a piece has a say in which windows are chosen at its ends, no more.
  const once = (await shares(scanner, piece(2)))[0]!;
  expect((await shares(scanner, `${piece(2)}${prose(30)}`.repeat(9)))[0]! / once).toBeLessThan(1.25);
});

test('another word in every two hundred, inserted words and dropped ones leave most of it', async () => {
  const words = prose(8000).split(/\s+/);
  const scanner = await scannerOf(words.join(' '));
  const edits: ((one: string, index: number) => string)[] = [
    (one, index) => (index % 200 === 77 ? 'different' : one),
    (one, index) => (index % 200 === 77 ? `${one} something` : one),
    (one, index) => (index % 200 === 77 ? '' : one),
    (one, index) => (index % 200 === 77 ? `${one.slice(1)}q` : one),
  ];
  for (const edit of edits) {
    const found = await shares(scanner, words.map(edit).join('\n'));
    expect(found[0]).toBeGreaterThan(0.85);
    expect(found[0]).toBeLessThan(1);
  }
});

test('a passage of two documents tells of both, the rest of one only of that', async () => {
  const passage = prose(300);
  const first = prose(1500);
  const second = prose(500);
  const scanner = await scannerOf(first + passage, passage + second);
  const both = await shares(scanner, `${prose(60)}${passage}${prose(60)}`);
  expect(both[0]).toBeCloseTo(300 / 1800, 1);
  expect(both[1]).toBeCloseTo(300 / 800, 1);
  expect(Object.keys(await shares(scanner, first))).toEqual(['0']);
  expect(Object.keys(await shares(scanner, second))).toEqual(['1']);
});

test('typographic quotes, dashes, ligatures, soft hyphens, entities of spaces and numbered lines do not matter', async () => {
  const text = `${prose(200)}the offices of "Acme" filed it - finally. ${prose(200)}`;
  const scanner = await scannerOf(text);
  const changed = [
    text.replaceAll('"', '\u201d').replaceAll(' - ', '\u2014'),
    text.replaceAll('ffi', '\ufb03').replaceAll('fi', '\ufb01'),
    text.replaceAll(/(\w{5})(\w)/g, '$1\u00ad$2'),
    text.replaceAll(' ', '\u00a0'),
    text.replaceAll('\n', '\n>> | '),
    `\ufeff${text.replaceAll('\n', '\r')}`,
  ];
  for (const [index, one] of changed.entries())
    expect(await shares(scanner, one), String(index)).toEqual({ 0: 1 });
});

test('a document that repeats itself, and one of a single letter, are found and do no harm', async () => {
  const line = prose(20);
  const scanner = await scannerOf(line.repeat(50), 'a'.repeat(5000), prose(400));
  expect(await shares(scanner, line.repeat(3))).toEqual({ 0: expect.any(Number) as number });
  expect(await shares(scanner, 'a'.repeat(150))).toEqual({ 1: 1 });
  expect(await shares(scanner, 'ab'.repeat(500))).toEqual({});
});
