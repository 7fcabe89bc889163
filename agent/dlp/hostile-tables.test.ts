/** Tables that a program wrote wrongly: an end in words, never a crash, and no more memory than a row. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { KEY, schemaOf, SIGNER } from '../../test/dlp/built-index.ts';
import { buildFileIndex } from './documents-build.ts';
import { buildIndex } from './index-build.ts';
import { openIndex } from './index-open.ts';

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
