/** Boilerplate and common passages protect nothing, whatever the key selects; what is a document's own stays protected. */
import { expect, test } from 'vitest';
import { documentScanner } from '../../test/dlp/document-scanner.ts';
import type { NativeDlpScanner } from '../../native-addon/dlp.ts';
import { LICENCE_NOTICES } from './boilerplate.ts';
import { SHORTEST_DOCUMENT } from './documents-build.ts';

const KEYS = 220;

let state = 5;
const random = (below: number): number =>
  ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % below;
const letters = (count: number): string =>
  Array.from({ length: count }, () => String.fromCharCode(97 + random(26))).join('');
const prose = (count: number): string =>
  letters(count).replaceAll(/.{7}/g, (word, at: number) => word + (at % 91 === 84 ? '.\n' : ' '));

/** An index whose choice of windows depends on `seed`. */
async function scannerOf(
  seed: number,
  documents: readonly string[],
  boilerplate: readonly string[],
): Promise<{ scanner: NativeDlpScanner; kept: number[] }> {
  const salt = Buffer.alloc(32);
  salt.writeUInt32LE(seed);
  return await documentScanner(salt, (add) => {
    // In any order.
    for (const text of boilerplate.slice(1)) add(text);
    for (const [index, text] of documents.entries()) add(text, `d${index}`);
    for (const text of boilerplate.slice(0, 1)) add(text);
  });
}

async function found(scanner: NativeDlpScanner, text: string): Promise<number[]> {
  const stream = scanner.stream({ maxBytes: 0, deadlineMs: 0, maxHits: 100 });
  await stream.feed(Buffer.from(text));
  return (await stream.finish()).hits.map((hit) => hit.ref).toSorted((a, b) => a - b);
}

test('notices between bodies and in other company, with any key', { timeout: 120_000 }, async () => {
  const bodies = Array.from({ length: 3 }, () => prose(500));
  const [first, second, third] = LICENCE_NOTICES as [string, string, string];
  // The word behind the notice is the same in files that have nothing else in common.
  const documents = bodies.map((body) => `/*\n${first}\n*/ package ${body}\n${second} the ${body}${third}`);
  for (let seed = 0; seed < KEYS; seed++) {
    const { scanner } = await scannerOf(seed, documents, LICENCE_NOTICES);
    const message = `key ${seed}`;
    expect(await found(scanner, LICENCE_NOTICES.join('\n')), message).toEqual([]);
    expect(await found(scanner, LICENCE_NOTICES.toReversed().join('')), message).toEqual([]);
    expect(
      await found(scanner, `${prose(100)}${first}\n\npackage ${prose(80)}${second} the ${prose(70)}`),
      message,
    ).toEqual([]);
    for (const [index, body] of bodies.entries())
      expect(await found(scanner, body), message).toEqual([index]);
  }
});

test('passages that three unrelated documents share, with any key', { timeout: 120_000 }, async () => {
  const clause = prose(400);
  // No document need have a window selected in so short a one.
  const footer = prose(64);
  // Far from sharing half of what they say, which would make them versions of one.
  const bodies = Array.from({ length: 3 }, () => prose(1500));
  const documents = bodies.map((body) => `${body.slice(0, 300)}${clause}${body.slice(300)}${footer}the`);
  for (let seed = 0; seed < KEYS; seed++) {
    const { scanner, kept } = await scannerOf(seed, documents, []);
    const message = `key ${seed}`;
    expect(
      await found(scanner, `${prose(200)}${clause}${prose(200)}${footer}the${prose(90)}`),
      message,
    ).toEqual([]);
    expect(await found(scanner, `${footer}${clause}`), message).toEqual([]);
    for (const [index, body] of bodies.entries())
      expect(await found(scanner, body), message).toEqual([index]);
    // Of two documents only, a passage tells.
    const { scanner: ofTwo } = await scannerOf(seed, documents.slice(0, 2), []);
    expect(await found(ofTwo, `${prose(200)}${clause}${prose(200)}`), message).toEqual([0, 1]);
    expect(Math.min(...kept)).toBeGreaterThan(8);
  }
});

test('a run of the document beside boilerplate is found, with any key', { timeout: 120_000 }, async () => {
  const own = letters(SHORTEST_DOCUMENT);
  const [notice] = LICENCE_NOTICES as [string];
  const document = `${prose(300)}${notice}${own}${notice}${prose(300)}`;
  for (let seed = 0; seed < KEYS; seed++) {
    const { scanner } = await scannerOf(seed, [document, prose(300)], LICENCE_NOTICES);
    expect(await found(scanner, `${prose(100)} ${own} ${prose(100)}`), `key ${seed}`).toEqual([0]);
    expect(await found(scanner, `${notice} ${own} ${notice}`), `key ${seed}`).toEqual([0]);
  }
});
