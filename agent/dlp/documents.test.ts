import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NativeDlpScanner } from '../../native-addon/dlp.ts';
import { loadCore, loadDlp } from '../../native-addon/index.ts';
import { SentinelError } from '../errors.ts';
import { LICENCE_NOTICES } from './boilerplate.ts';
import { buildDocumentIndex, buildFileIndex, SHORTEST_DOCUMENT } from './documents-build.ts';
import type { Extract } from './engine.ts';
import { openIndex } from './index-open.ts';

const native = loadDlp();
if (!native.ok) throw new Error(native.reason);
const { DlpScanner } = native.addon;
const key = Buffer.alloc(32, 7);
// Signing is tested where it is done.
const signer = { keyId: '0011223344556677', sign: () => Buffer.alloc(64, 1).toString('base64') };
const plain: Extract = () => Promise.resolve({ outcome: 'not_a_container', members: 0, bytes: 0 });

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sentinel-documents-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let state = 3;
const random = (below: number): number =>
  ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % below;
const letters = 'abcdefghijklmnopqrstuvwxyz';
const word = (): string => Array.from({ length: 2 + random(9) }, () => letters[random(26)]).join('');
const prose = (words: number): string =>
  Array.from({ length: words }, (_, index) => word() + (index % 13 === 12 ? '.\n' : ' ')).join('');

let built = 0;
async function build(documents: Record<string, string | Buffer>, boilerplate: string[] = []) {
  const outPath = join(folder, `${++built}.sdlp`);
  const write = (name: string, content: string | Buffer) => {
    const path = join(folder, `${built}-${name}`);
    writeFileSync(path, content);
    return { path, name };
  };
  const report = await buildDocumentIndex({
    outPath,
    key,
    signer,
    extract: plain,
    documents: Object.entries(documents).map(([name, content]) => write(name, content)),
    boilerplate: boilerplate.map((content, index) => write(`boilerplate${index}`, content)),
  });
  const opened = await openIndex({ path: outPath, keys: [key] });
  return { outPath, report, opened, scanner: new DlpScanner([opened.source]) };
}

/** Share of the documents that is in `bytes`, by their number. */
async function contained(
  scanner: NativeDlpScanner,
  bytes: Buffer,
  chunk: (left: number) => number = (left) => left,
  portable = false,
): Promise<Record<string, { share: number; offset: number; length: number }>> {
  const stream = scanner.stream({ maxBytes: 0, deadlineMs: 0, maxHits: 1000, portable });
  for (let at = 0; at < bytes.length;) {
    const size = Math.max(1, chunk(bytes.length - at));
    await stream.feed(bytes.subarray(at, at + size));
    at += size;
  }
  const { hits } = await stream.finish();
  return Object.fromEntries(
    hits.map(({ ref, containment, offset, length }) => [ref, { share: containment, offset, length }]),
  );
}

test('any run of 111 letters and digits is found, whatever stands around it', async () => {
  // Few letters make many equal orders, which must not matter.
  for (const alphabet of [2, 3, 26, 36]) {
    const pool = '0123456789abcdefghijklmnopqrstuvwxyz'.slice(36 - alphabet);
    const noise = (length: number) => Array.from({ length }, () => pool[random(alphabet)]).join('');
    const protectedText = noise(6000);
    const { scanner } = await build({ secret: protectedText });
    for (let round = 0; round < 120; round++) {
      const from = random(protectedText.length - SHORTEST_DOCUMENT);
      const run = protectedText.slice(from, from + SHORTEST_DOCUMENT);
      const before = noise(random(400));
      const text = before + run + noise(random(400));
      const found = await contained(scanner, Buffer.from(text));
      expect(found[0], `alphabet ${alphabet}, from ${from}`).toBeDefined();
    }
  }
});

test('where it was found, and how much of it', async () => {
  const text = prose(3000);
  const { scanner, opened } = await build({ 'plan.txt': text, 'other.txt': prose(500) });
  const whole = await contained(scanner, Buffer.from(text));
  expect(whole[0]!.share).toBe(1);
  expect(whole[1]).toBeUndefined();
  const third = text.slice(text.length / 3, (text.length * 2) / 3);
  const around = Buffer.from(`${prose(400)}${third}${prose(400)}`);
  const found = await contained(scanner, around);
  expect(found[0]!.share).toBeGreaterThan(0.3);
  expect(found[0]!.share).toBeLessThan(0.36);
  const place = around.subarray(found[0]!.offset, found[0]!.offset + found[0]!.length).toString();
  expect(place.replaceAll(/[^a-z0-9]/gi, '')).toHaveLength(48);
  expect(text).toContain(place);
  const match = opened.toMatch({
    source: 0,
    kind: 1,
    field: 0,
    offset: 1,
    length: 2,
    ref: 0,
    confidence: 0.9,
    count: 1,
    secondaries: 0,
    containment: 0.33,
  });
  expect(match).toMatchObject({ kind: 'document', type: 'plan.txt', containment: 0.33 });
  expect(opened.info()).toMatchObject({ format: 'documents', rows: 2 });
});

test('re-wrapped, re-encoded, re-cased and quoted text is the same text', async () => {
  const text = `${prose(600)} Überweisung für José Núñez: ${prose(600)}`;
  const { scanner } = await build({ secret: text });
  const share = async (bytes: Buffer) => (await contained(scanner, bytes))[0]?.share;
  expect(await share(Buffer.from(text.replaceAll(/\s+/g, '\r\n> ')))).toBe(1);
  expect(await share(Buffer.from(text.toUpperCase()))).toBe(1);
  expect(await share(Buffer.from(text, 'utf16le'))).toBe(1);
  expect(await share(Buffer.from(`\uFEFF${text}`, 'utf16le').swap16())).toBe(1);
  expect(await share(Buffer.from(text, 'latin1'))).toBe(1);
  expect(await share(Buffer.from(text.normalize('NFD')))).toBe(1);
  expect(await share(Buffer.from(text.replaceAll(/(\w{4})/g, '$1-\n')))).toBe(1);
  const fullWidth = text.replaceAll(/[a-z]/g, (letter) =>
    String.fromCodePoint(letter.codePointAt(0)! + 0xfee0),
  );
  expect(await share(Buffer.from(fullWidth))).toBe(1);
});

test('a text that was edited keeps what was not', async () => {
  const words = prose(4000).split(' ');
  const { scanner } = await build({ secret: words.join(' ') });
  // A word of every hundred is another one: each spoils the windows around it.
  const edited = words.map((one, index) => (index % 100 === 50 ? 'different' : one)).join(' ');
  const found = await contained(scanner, Buffer.from(edited));
  expect(found[0]!.share).toBeGreaterThan(0.8);
  expect(found[0]!.share).toBeLessThan(1);
  const shuffled = edited.split('\n').toReversed().join('\n');
  expect((await contained(scanner, Buffer.from(shuffled)))[0]!.share).toBeGreaterThan(0.1);
});

test('Chinese and Japanese texts are found, in UTF-8 and UTF-16', async () => {
  const characters = '处理个人信息应当具有明确合理的目的身份证号码ひらがなカタカナ漢字文章電話番号';
  const text = Array.from(
    { length: 900 },
    (_, index) => characters[random(characters.length)]! + (index % 20 === 19 ? '。\n' : ''),
  ).join('');
  const { scanner } = await build({ secret: text });
  expect((await contained(scanner, Buffer.from(text)))[0]!.share).toBe(1);
  expect((await contained(scanner, Buffer.from(text, 'utf16le')))[0]!.share).toBe(1);
  const rewrapped = text.replaceAll('\n', '').replaceAll('。', ' ');
  expect((await contained(scanner, Buffer.from(rewrapped)))[0]!.share).toBe(1);
  // 40 characters are more than 111 bytes.
  const excerpt = text.replaceAll(/[。\n]/g, '').slice(200, 240);
  expect((await contained(scanner, Buffer.from(`前文${excerpt}后文`)))[0]).toBeDefined();
});

test('licence notices and what three unrelated documents share protect nothing', async () => {
  const header = LICENCE_NOTICES[0]!
    .split('\n')
    .map((line) => ` * ${line}`)
    .join('\n');
  const clause = prose(120);
  const template = prose(120);
  const bodies = Array.from({ length: 5 }, () => prose(400));
  const documents = Object.fromEntries(
    bodies.map((body, index) => [
      `d${index}`,
      `/*\n${header}\n */\n${index < 3 ? clause : ''}${body.slice(0, 900)}${template}${body.slice(900)}${LICENCE_NOTICES[2]}`,
    ]),
  );
  const { scanner, report } = await build(documents, [template]);
  const found = async (text: string) => Object.keys(await contained(scanner, Buffer.from(text)));
  expect(await found(LICENCE_NOTICES.join('\n'))).toEqual([]);
  expect(await found(`${prose(100)}/*\n${header}\n */\n${prose(100)}`)).toEqual([]);
  expect(await found(template)).toEqual([]);
  expect(await found(clause)).toEqual([]);
  for (const [index, body] of bodies.entries()) expect(await found(body)).toEqual([String(index)]);
  expect(report.boilerplate).toBeGreaterThan(20);
  expect(report.common).toBeGreaterThan(5);
});

test('what all office documents have in common protects nothing', async () => {
  const types = Buffer.from(`application ${prose(100)}`);
  const styles = Buffer.from(prose(100));
  const body = Buffer.from(prose(100));
  const extract: Extract = async (fd, name, onText, signal) => {
    if (!name.endsWith('.docx')) return await plain(fd, name, onText, signal);
    await onText('[Content_Types].xml', types, true);
    await onText('mail.eml/plan.docx/word/styles.xml', styles, true);
    await onText('_rels/.rels', styles, true);
    await onText('word/document.xml', body, true);
    return { outcome: 'ok', members: 4, bytes: 1000 };
  };
  const path = join(folder, 'plan.docx');
  writeFileSync(path, 'x');
  const outPath = join(folder, 'office.sdlp');
  await buildDocumentIndex({ outPath, key, signer, extract, documents: [{ path, name: 'plan.docx' }] });
  const scanner = new DlpScanner([(await openIndex({ path: outPath, keys: [key] })).source]);
  expect(await contained(scanner, types)).toEqual({});
  expect(await contained(scanner, styles)).toEqual({});
  expect((await contained(scanner, body))[0]!.share).toBe(1);
});

test('versions of one document do not take each other for boilerplate', async () => {
  const paragraphs = Array.from({ length: 30 }, () => prose(60));
  const versions = Object.fromEntries(
    [0, 1, 2, 3, 4].map((version) => [
      `v${version}`,
      paragraphs.map((text, index) => (index === version ? prose(60) : text)).join('\n'),
    ]),
  );
  const { scanner } = await build(versions);
  const found = await contained(scanner, Buffer.from(paragraphs.join('\n')));
  expect(Object.keys(found)).toHaveLength(5);
  for (const { share } of Object.values(found)) expect(share).toBeGreaterThan(0.9);
});

test('what cannot be protected is told', async () => {
  const { report } = await build({
    short: 'a few words only',
    empty: '',
    licence: LICENCE_NOTICES[2]!,
    good: prose(200),
  });
  expect(report.each.map(({ problem }) => problem ?? '')).toEqual([
    expect.stringMatching(/too short: 13 letters and digits, 111/),
    'it has no text',
    'all of it is boilerplate',
    '',
  ]);
});

test('unrelated texts do not fire', async () => {
  const { scanner } = await build({
    architecture: readFileSync(join(import.meta.dirname, '../../docs/architecture.md')),
    limitations: readFileSync(join(import.meta.dirname, '../../docs/limitations.md')),
  });
  const typescript = readFileSync(join(import.meta.dirname, '../../node_modules/typescript/package.json'));
  expect(await contained(scanner, typescript)).toEqual({});
  const zod = spawnSync(
    'sh',
    ['-c', 'cat node_modules/zod/README.md node_modules/*/README.md | head -c 4000000'],
    {
      cwd: join(import.meta.dirname, '../..'),
      maxBuffer: 8 << 20,
    },
  );
  expect(zod.stdout.length).toBeGreaterThan(100_000);
  expect(await contained(scanner, zod.stdout)).toEqual({});
});

test('any chunking, and no vector instructions, give the same result', async () => {
  const text = `${prose(2000)} für Łódź 处理个人信息 ${prose(2000)}`;
  const { scanner } = await build({ secret: text, other: prose(2000) });
  for (let round = 0; round < 8; round++) {
    const from = random(text.length / 2);
    const mixed = `${prose(random(900))}${text.slice(from, from + 3000)}${'\n'.repeat(random(3000))}${prose(300)}${'0'.repeat(random(9000))}${text.slice(-500)}`;
    const bytes = round % 3 === 0 ? Buffer.from(mixed, 'utf16le') : Buffer.from(mixed);
    const whole = await contained(scanner, bytes);
    expect(whole[0]!.share).toBeGreaterThan(0.05);
    expect(await contained(scanner, bytes, undefined, true)).toEqual(whole);
    const small = (left: number) => Math.min(left, 1 + random(300));
    expect(await contained(scanner, bytes, small)).toEqual(whole);
    const varied = (left: number) => Math.min(left, 1 + random(random(3) === 0 ? 20_000 : 90));
    expect(await contained(scanner, bytes, varied)).toEqual(whole);
  }
});

test('the file says nothing without its key, and no changed or cut file is opened', async () => {
  const { outPath } = await build({ 'merger plan with Acme': prose(20_000) });
  const file = readFileSync(outPath);
  const body = file.subarray(256);
  expect(deflateSync(body, { level: 9 }).length).toBeGreaterThan(body.length * 0.999);
  const counts = Array.from({ length: 256 }, () => 0);
  for (const byte of body) counts[byte]!++;
  const expected = body.length / 256;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // 255 degrees of freedom: six sigma.
  expect(chiSquare).toBeLessThan(255 + 6 * Math.sqrt(2 * 255));
  expect(file.includes('Acme')).toBe(false);
  const refused = async (bytes: Buffer, keys: Buffer[] = [key]) => {
    const path = join(folder, 'changed.sdlp');
    writeFileSync(path, bytes);
    try {
      await openIndex({ path, keys });
    } catch (error) {
      expect(error).toBeInstanceOf(SentinelError);
      return (error as SentinelError).code;
    }
    return 'opened';
  };
  expect(await refused(file)).toBe('opened');
  expect(await refused(file, [Buffer.alloc(32, 8)])).toBe('wrong_key');
  expect(await refused(file.subarray(0, file.length - 1))).toBe('truncated');
  expect(await refused(file.subarray(0, 100))).toBe('not_an_index');
  for (const at of [30, 60, 66, 80, 120, 256, 300, file.length >> 1, file.length - 1]) {
    const changed = Buffer.from(file);
    changed[at]! ^= 1;
    expect(['corrupt', 'truncated'], `byte ${at}`).toContain(await refused(changed));
  }
});

test('whole files are found by the lines of b3sum', async () => {
  const core = loadCore();
  if (!core.ok) throw new Error(core.reason);
  const secret = Buffer.from(prose(50_000));
  const other = createHash('sha256').update('x').digest();
  const outPath = join(folder, 'files.sdlp');
  const list = [
    '# made by b3sum',
    `${core.addon.blake3(other).toString('hex')}  other.bin`,
    `${core.addon.blake3(secret).toString('hex').toUpperCase()}  plans/secret draft.txt`,
    `BLAKE3 (tagged) = ${core.addon.blake3(Buffer.from('t')).toString('hex')}`,
    `${core.addon.blake3(Buffer.alloc(0)).toString('hex')}  empty`,
    '',
  ].join('\n');
  expect(buildFileIndex(list, 'list', { outPath, key, signer })).toMatchObject({ files: 3, empty: 1 });
  const opened = await openIndex({ path: outPath, keys: [key] });
  const scanner = new DlpScanner([opened.source]);
  const scan = async (bytes: Buffer, size: number) => {
    const stream = scanner.stream({ maxBytes: 0, deadlineMs: 0, maxHits: 10 });
    for (let at = 0; at < bytes.length; at += size) await stream.feed(bytes.subarray(at, at + size));
    return (await stream.finish()).hits.map((hit) => opened.toMatch(hit));
  };
  for (const size of [secret.length, 65_536, 1000])
    expect(await scan(secret, size)).toMatchObject([
      { kind: 'file', type: 'plans/secret draft.txt', offset: 0, length: secret.length, confidence: 1 },
    ]);
  expect(await scan(secret.subarray(1), 65_536)).toEqual([]);
  expect(await scan(Buffer.from('t'), 1)).toMatchObject([{ type: 'tagged' }]);
  expect(await scan(Buffer.alloc(0), 1)).toEqual([]);
  expect(opened.info()).toMatchObject({ format: 'files', rows: 3 });
  expect(() => buildFileIndex('abc\n', 'list', { outPath, key, signer })).toThrow(
    'list:1:1: not a line of b3sum',
  );
});
