import { deflateRawSync } from 'node:zlib';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  builtIndex,
  KEY,
  scanPieces,
  schemaOf,
  SIGNER,
  type BuiltIndex,
} from '../../test/dlp/built-index.ts';
import { email, iban, person, random } from '../../test/dlp/tables.ts';
import { buildIndex } from './index-build.ts';
import { openIndex } from './index-open.ts';
import { readKey, readOrMakeKey } from './keys.ts';
import { parseSchema } from './schema.ts';

const dir = mkdtempSync(join(tmpdir(), 'sentinel-dlp-file-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const IBAN = { column: 'iban', role: 'primary', type: 'iban' } as const;
const NAME = { column: 'name', role: 'secondary', type: 'words' } as const;

describe('an index file', () => {
  const from = random(8);
  const rows = Array.from({ length: 20_000 }, (_, nth) => [iban(from), email(from, nth), person(from)]);
  let built: BuiltIndex;
  let bytes: Buffer;
  const broken = join(dir, 'broken.sdlp');
  beforeAll(async () => {
    const fields = [IBAN, { column: 'mail', role: 'primary', type: 'email' } as const, NAME];
    built = await builtIndex(schemaOf({ fields, secondary: 1 }), rows);
    bytes = readFileSync(built.path);
  }, 60_000);
  afterAll(() => built.remove());

  it('looks like noise without its key', () => {
    const body = bytes.subarray(256);
    const counts = Array.from({ length: 256 }, () => 0);
    for (const byte of body) counts[byte]! += 1;
    const expected = body.length / 256;
    const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 255 degrees of freedom: mean 255, standard deviation 22.6.
    expect(chi).toBeGreaterThan(140);
    expect(chi).toBeLessThan(370);
    expect(deflateRawSync(body, { level: 9 }).length).toBeGreaterThan(body.length);
    for (const word of ['test', 'iban', 'mail', 'name', rows[0]![1]!]) {
      // As texts of the meta data stand: four letters alone are in a megabyte of noise now and then.
      const length = Buffer.alloc(4);
      length.writeUInt32LE(word.length);
      expect(bytes.includes(Buffer.concat([length, Buffer.from(word)]))).toBe(false);
    }
    expect(bytes.includes(rows[0]![1]!)).toBe(false);
  });

  it('is another file each time it is built', async () => {
    const again = await builtIndex(schemaOf({ fields: [IBAN] }), [[rows[0]![0]!]]);
    const once = await builtIndex(schemaOf({ fields: [IBAN] }), [[rows[0]![0]!]]);
    expect(
      readFileSync(again.path).subarray(256, 400).equals(readFileSync(once.path).subarray(256, 400)),
    ).toBe(false);
    again.remove();
    once.remove();
  });

  it('is refused with another key, naming the one it needs', async () => {
    await expect(openIndex({ path: built.path, keys: [Buffer.alloc(32, 8)] })).rejects.toMatchObject({
      code: 'wrong_key',
      message: expect.stringContaining(built.source.info().keyId) as string,
    });
    expect((await openIndex({ path: built.path, keys: [Buffer.alloc(32, 8), KEY] })).info().rows).toBe(
      20_000,
    );
  });

  it('is refused when a bit of it was flipped, wherever', async () => {
    const places = [
      0,
      5,
      8,
      17,
      30,
      60,
      66,
      80,
      110,
      136,
      150,
      207,
      208,
      239,
      240,
      255,
      256,
      300,
      768,
      900,
      bytes.length - 1,
    ];
    for (let n = 0; n < 20; n++) places.push(256 + from.below(bytes.length - 256));
    for (const place of places) {
      const flipped = Buffer.from(bytes);
      flipped[place]! ^= 1 << (place % 8);
      writeFileSync(broken, flipped);
      await expect(openIndex({ path: broken, keys: [KEY] }), `byte ${place}`).rejects.toMatchObject({
        name: 'SentinelError',
        remedy: expect.stringMatching(/./) as string,
      });
    }
  });

  it('is refused when it was cut off or something follows', async () => {
    for (const length of [0, 7, 100, 255, 256, 700, 5000, bytes.length - 1]) {
      writeFileSync(broken, bytes.subarray(0, length));
      await expect(openIndex({ path: broken, keys: [KEY] })).rejects.toMatchObject({
        code: expect.stringMatching(/^(truncated|not_an_index)$/) as string,
      });
    }
    writeFileSync(broken, Buffer.concat([bytes, Buffer.from('x')]));
    await expect(openIndex({ path: broken, keys: [KEY] })).rejects.toMatchObject({ code: 'corrupt' });
  });

  it("tells a false signature from a stranger's", async () => {
    const known = { path: built.path, keys: [KEY], knownSigners: [SIGNER.keyId] };
    expect((await openIndex({ ...known, verify: () => true })).info().signature).toBe('trusted');
    expect((await openIndex({ path: built.path, keys: [KEY] })).info().signature).toBe('unknown_signer');
    await expect(openIndex({ ...known, verify: () => false })).rejects.toMatchObject({
      code: 'bad_signature',
    });
    await expect(openIndex({ path: built.path, keys: [KEY], requireTrusted: true })).rejects.toMatchObject({
      code: 'unknown_signer',
    });
  });

  it('lets few unrelated values through its prefilter', () => {
    expect(built.source.info().prefilterRate).toBeLessThan(0.01);
  });
});

describe('the builder', () => {
  const table = join(dir, 'table.csv');
  const out = join(dir, 'out.sdlp');
  const build = async (csv: string | Buffer, schema: ReturnType<typeof schemaOf>, strict = false) => {
    writeFileSync(table, csv);
    return await buildIndex({ schema, csvPath: table, outPath: out, key: KEY, signer: SIGNER, strict });
  };
  const good = 'DE89370400440532013000';

  it('reads CSV as RFC 4180 has it: quotes, line breaks in cells, CRLF, a byte order mark, columns in any order', async () => {
    const csv = `\uFEFFnote,name,iban\r\n"a ""quoted"", note\r\nover lines","Anna, M.",${good}\r\n\r\n,Bob,GB82 WEST 1234 5698 7654 32`;
    const report = await build(csv, schemaOf({ fields: [IBAN, NAME], secondary: 1 }));
    expect(report).toMatchObject({ rows: 2, indexedRows: 2, badRows: 0, bad: [] });
    const source = await openIndex({ path: out, keys: [KEY] });
    expect(source.info()).toMatchObject({ rows: 2, entries: 2 });
    const semicolons = await build(
      `iban;name\n${good};Anna`,
      schemaOf({ fields: [IBAN, NAME], secondary: 1, delimiter: ';' }),
    );
    expect(semicolons.indexedRows).toBe(1);
  });

  it('names each bad value by line, column and remedy, and goes on; strict, it stops and keeps the old index', async () => {
    const csv = `iban,name\n${good},Anna\nDE89370400440532013001,Bob\n${good},Anna\n,Carl\n${good},\nx,y,z\n`;
    const report = await build(csv, schemaOf({ fields: [IBAN, NAME], secondary: 1 }));
    expect(report).toMatchObject({
      rows: 6,
      indexedRows: 2,
      badRows: 2,
      duplicateRows: 1,
      rowsWithoutPrimary: 1,
      rowsWithoutSecondary: 1,
      entries: 1,
    });
    expect(report.bad.map(({ line, column }) => [line, column])).toEqual([
      [3, 'iban'],
      [7, '(row)'],
    ]);
    expect(report.bad.every(({ problem, remedy }) => problem !== '' && remedy !== '')).toBe(true);
    expect(JSON.stringify(report)).not.toContain('DE8937');
    const before = readFileSync(out);
    await expect(build(csv, schemaOf({ fields: [IBAN, NAME], secondary: 1 }), true)).rejects.toMatchObject({
      message: expect.stringMatching(/line 3, column iban/) as string,
    });
    expect(readFileSync(out).equals(before)).toBe(true);
    expect(readdirSync(dirname(out)).filter((name) => name.endsWith('.building'))).toEqual([]);
  });

  it('refuses a table of which it cannot tell the column, and says what to do', async () => {
    const schema = schemaOf({ fields: [IBAN, NAME], secondary: 1 });
    await expect(build(`iban,name,name\n${good},Anna,Bob`, schema)).rejects.toMatchObject({
      message: expect.stringContaining('two columns "name"') as string,
      remedy: 'rename one of them',
    });
    await expect(build(`iban;name\n${good};Anna`, schema)).rejects.toMatchObject({
      remedy: expect.stringContaining('`delimiter: semicolon`') as string,
    });
    await expect(build(`\u001B[31mname\tiban\n`, schema)).rejects.toMatchObject({
      // What stands in the table gives no orders to the terminal.
      remedy: expect.stringMatching(/^[^\u001B]*`delimiter: tab`/u) as string,
    });
  });

  it('takes lines that end with a delimiter, and no cell that is not UTF-8', async () => {
    const schema = schemaOf({ fields: [IBAN, NAME], secondary: 1 });
    expect(await build(`iban,name\n${good},Anna,\n`, schema)).toMatchObject({ indexedRows: 1, badRows: 0 });
    const latin1 = Buffer.from(`iban,name\n${good},Anna\nGB82WEST12345698765432,M\u00FCller\n`, 'latin1');
    expect(await build(latin1, schema)).toMatchObject({
      indexedRows: 1,
      bad: [{ line: 3, column: 'name', problem: 'is not UTF-8', remedy: 'save the table as CSV in UTF-8' }],
    });
  });

  it('replaces nothing but an index: not the table itself, nor what links to it', async () => {
    const schema = schemaOf({ fields: [IBAN] });
    const link = join(dir, 'link.sdlp');
    writeFileSync(table, `iban\n${good}\n`);
    linkSync(table, link);
    for (const outPath of [table, link]) {
      await expect(
        buildIndex({ schema, csvPath: table, outPath, key: KEY, signer: SIGNER, strict: false }),
      ).rejects.toMatchObject({ code: 'not_an_index', remedy: expect.stringContaining('--out') as string });
    }
    expect(readFileSync(table, 'utf8')).toBe(`iban\n${good}\n`);
    rmSync(link);
  });

  it('lets builds to one place run at once: the last to end is in force, and whole', async () => {
    const schema = schemaOf({ fields: [IBAN] });
    const tables = [1, 2, 3].map((count) => {
      const from = random(count);
      const path = join(dir, `at-once-${count}.csv`);
      writeFileSync(path, `iban\n${Array.from({ length: count * 3000 }, () => iban(from)).join('\n')}\n`);
      return path;
    });
    await Promise.all(
      tables.map(async (csvPath) => {
        await buildIndex({ schema, csvPath, outPath: out, key: KEY, signer: SIGNER, strict: false });
        expect((await openIndex({ path: out, keys: [KEY] })).info().rows % 3000).toBe(0);
      }),
    );
    expect(readdirSync(dir).filter((name) => name.endsWith('.building'))).toEqual([]);
  });

  it('removes what a killed build left, and nothing of one that runs', async () => {
    const { pid } = spawnSync('true');
    const [gone, running] = [`${out}.${pid}-1.building`, `${out}.${process.ppid}-1.building`];
    for (const path of [gone, running]) writeFileSync(path, 'part');
    await build(`iban\n${good}\n`, schemaOf({ fields: [IBAN] }));
    expect([existsSync(gone), existsSync(running)]).toEqual([false, true]);
    rmSync(running);
  });

  it('refuses what could be tried out: lone SSNs, phones and short numbers, and says how to protect them', async () => {
    const one = (type: 'ssn' | 'phone' | 'number' | 'id', value: string) =>
      build(`v,name\n${value},Anna`, schemaOf({ fields: [{ column: 'v', role: 'primary', type }, NAME] }));
    for (const [type, value] of [
      ['ssn', '123-45-6789'],
      ['phone', '+49 170 1234567'],
      ['number', '12345678'],
      ['id', 'AB-1234'],
    ] as const) {
      await expect(one(type, value)).rejects.toMatchObject({
        message: expect.stringContaining('cannot be protected alone') as string,
        remedy: expect.stringContaining('secondary') as string,
      });
    }
  });

  it('says which columns there are when one is missing, and what is wrong with a broken table', async () => {
    await expect(build('IBAN,b\n1,2', schemaOf({ fields: [IBAN] }))).rejects.toMatchObject({
      message: expect.stringContaining('no column "iban"') as string,
      remedy: expect.stringContaining('IBAN, b') as string,
    });
    await expect(build(`iban\n"${good}`, schemaOf({ fields: [IBAN] }))).rejects.toThrow(/line 2/);
    await expect(build('', schemaOf({ fields: [IBAN] }))).rejects.toThrow(/empty/);
    await expect(build('iban\nx\n', schemaOf({ fields: [IBAN] }))).rejects.toThrow(/no row/);
  });

  it('finds all rows of a value that several share', async () => {
    const csv = `iban,name\n${['Anna', 'Bob', 'Carol'].map((name) => `${good},${name}`).join('\n')}`;
    const built = await builtIndex(schemaOf({ fields: [IBAN, NAME], secondary: 1 }), {
      csvPath: (writeFileSync(table, csv), table),
    });
    const { hits } = await scanPieces(built.scanner, Buffer.from(`Carol and Bob have ${good}`));
    expect(new Set(hits.map(({ ref }) => ref))).toEqual(new Set([2, 3]));
    built.remove();
  });
});

describe('a schema', () => {
  const parse = (text: string) => parseSchema('s.yml', text);
  const field = '- {column: iban, role: primary, type: iban}';

  it('is read with its defaults', () => {
    expect(parse(`name: c\nfields:\n  ${field}\n`)).toMatchObject({
      secondary: 0,
      withinTokens: 24,
      delimiter: ',',
    });
  });

  it('is refused with file, line and what is allowed', () => {
    const bad = [
      [`name: c\nfields:\n  - {column: n, role: primary, type: words}`, /s\.yml:3: .*words/],
      [`name: c\nfields:\n  - {column: n, role: primary, type: date}`, /s\.yml:3: .*date/],
      [`name: c\nfields:\n  - {column: n, role: primary, type: what}`, /s\.yml:3: .*iban/],
      [`name: c\nfields:\n  - {column: n, role: secondary, type: words}`, /s\.yml:3: .*no primary/],
      [`name: c\nfields:\n  ${field}\nmatch: {secondary: 1}`, /s\.yml:4: .*there are 0/],
      [`name: c\nfields:\n  ${field}\nmatch: {withinTokens: 0}`, /s\.yml:4: .*from 1/],
      [`name: c\nfield: []`, /s\.yml:2: field is not known/],
      [`name: [`, /s\.yml:1/],
    ] as const;
    for (const [text, message] of bad) expect(() => parse(text), text).toThrow(message);
  });
});

describe('a key file', () => {
  it('is made once, for its owner only, and refused when others may read it', () => {
    const path = join(dir, 'keys', 'dlp.key');
    const key = readOrMakeKey(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readOrMakeKey(path).equals(key)).toBe(true);
    chmodSync(path, 0o644);
    expect(() => readKey(path)).toThrow(/others may read/);
    chmodSync(path, 0o600);
    writeFileSync(path, 'no key');
    expect(() => readKey(path)).toThrow(/no key file/);
  });
});
