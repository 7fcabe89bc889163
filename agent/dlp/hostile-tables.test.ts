/** Tables that a program wrote wrongly: an end in words, never a crash, and no more memory than a row. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { KEY, schemaOf, SIGNER } from '../../test/dlp/built-index.ts';
import { SentinelError } from '../errors.ts';
import { buildFileIndex } from './documents-build.ts';
import { buildIndex } from './index-build.ts';
import { openIndex } from './index-open.ts';
import { parseSchema } from './schema.ts';

const dir = mkdtempSync(join(tmpdir(), 'sentinel-hostile-tables-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function buildOf(csv: string | Buffer): Promise<unknown> {
  const csvPath = join(dir, 'table.csv');
  writeFileSync(csvPath, csv);
  return await buildIndex({
    schema: schemaOf({ fields: [{ column: 'iban', role: 'primary', type: 'iban' }] }),
    csvPath,
    outPath: join(dir, 'table.sdlp'),
    key: KEY,
    signer: SIGNER,
    strict: false,
  });
}

it.each([
  ['a byte order mark and nothing else', '\ufeff', 'the table is empty'],
  ['nothing', '', 'the table is empty'],
  ['a mark and a quote', '\ufeff"', 'ends inside the quotes opened on line 1'],
  ['a line of commas only', `iban\n${','.repeat(200_000)}\n`, 'more than 65536 cells on line 2'],
  [
    'a row of many large cells',
    `iban\n${`${'x'.repeat(1_000_000)},`.repeat(40)}\n`,
    'a row of more than 16 MiB on line 2',
  ],
])('%s ends in words', async (_what, csv, message) => {
  await expect(buildOf(csv)).rejects.toMatchObject({
    name: 'SentinelError',
    message: expect.stringContaining(message) as string,
  });
});

it.each([
  ['without a header', 'DE89370400440532013000,Anna Meyer\nGB82WEST12345698765432,Bob\n', 'has 2 cells'],
  ['of old Macs', 'name,iban\rAnna Meyer,DE89370400440532013000\r', 'end lines with'],
  ['without a header and with semicolons', 'DE89370400440532013000;Anna Meyer\n', 'has 1 cell,'],
])('a table %s is refused without a word of its rows', async (_what, csv, remedy) => {
  const error = (await buildOf(csv).catch((e: unknown) => e)) as SentinelError;
  expect(error).toBeInstanceOf(SentinelError);
  const told = `${error.message} ${error.remedy}`;
  expect(told).toContain(remedy);
  expect(told).not.toMatch(/DE89|3704|Meyer|Bob/u);
});

it('a table without rows to protect says what its rows lack', async () => {
  await expect(buildOf('iban\n\n')).rejects.toMatchObject({
    remedy: expect.stringContaining('it has no rows, or they lack') as string,
  });
});

it('a schema of aliases that multiply is refused with its name', () => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
  for (const [of, as] of ['ab', 'bc', 'cd', 'de', 'ef']) bomb.push(`${as}: &${as} [${`*${of},`.repeat(10)}]`);
  expect(() => parseSchema('bomb.yml', `${bomb.join('\n')}\n`)).toThrow(/^bomb\.yml:1: /u);
});

it('names of columns are shown when the line is a header', async () => {
  await expect(buildOf('IBAN,Name\n')).rejects.toMatchObject({
    remedy: expect.stringContaining('IBAN, Name') as string,
  });
  await expect(buildOf('iban;name\n')).rejects.toMatchObject({
    remedy: expect.stringContaining('delimiter: semicolon') as string,
  });
});

it('a list of files is refused when a bit of it was flipped, wherever', async () => {
  const outPath = join(dir, 'files.sdlp');
  buildFileIndex(`${'5a'.repeat(32)}  one\n`, 'list', { outPath, key: KEY, signer: SIGNER });
  const bytes = readFileSync(outPath);
  expect((await openIndex({ path: outPath, keys: [KEY] })).info().bytes).toBe(bytes.length);
  for (let place = 0; place < bytes.length; place += place < 256 ? 1 : 37) {
    const flipped = Buffer.from(bytes);
    flipped[place]! ^= 1 << (place % 8);
    writeFileSync(outPath, flipped);
    await expect(openIndex({ path: outPath, keys: [KEY] }), `byte ${place}`).rejects.toMatchObject({
      name: 'SentinelError',
    });
  }
});
