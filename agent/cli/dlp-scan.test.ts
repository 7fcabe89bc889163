import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { iban, random } from '../../test/dlp/tables.ts';
import { indexCommand } from './dlp-index.ts';
import { scanCommand } from './dlp-scan.ts';

const dir = mkdtempSync(join(tmpdir(), 'sentinel-dlp-cli-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const data = ['--data', join(dir, 'data')];

async function run(
  command: typeof scanCommand,
  argv: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const told = { out: '', err: '' };
  const output = {
    out: (text: string) => void (told.out += text),
    err: (text: string) => void (told.err += text),
  };
  return { code: await command.run([...argv, ...data], output), ...told };
}

describe('sentinel dlp scan', () => {
  const clean = join(dir, 'clean.txt');
  writeFileSync(clean, 'nothing\n');

  it('calls nothing clean when it was not told what to look for', async () => {
    const { code, out, err } = await run(scanCommand, [clean, '--json']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('--index');
  });

  it('says which index is not there, and scans nothing', async () => {
    const { code, out, err } = await run(scanCommand, ['--index', join(dir, 'none.sdlp'), clean, '--json']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('none.sdlp');
    expect((await run(scanCommand, ['--index', dir, clean])).err).toContain('not a folder');
  });

  it('shows findings masked only if asked to and allowed, and keeps nothing of them', async () => {
    const rules = join(dir, 'cards.yml');
    writeFileSync(rules, 'rules:\n  - {id: cards, pattern: card}\n');
    const letter = join(dir, 'letter.txt');
    writeFileSync(letter, 'visa card 4111 1111 1111 1111\n');
    const argv = ['--rules', rules, letter];
    const refused = await run(scanCommand, [...argv, '--snippets']);
    expect([refused.code, refused.out]).toEqual([2, '']);
    expect(refused.err).toContain('dlp.snippets');
    const config = join(dir, 'allowed.yaml');
    writeFileSync(config, 'dlp:\n  snippets: masked\n');
    const shown = await run(scanCommand, [...argv, '--snippets', '--config', config]);
    expect(shown.out).toContain('41** **** **** **11');
    const asJson = await run(scanCommand, [...argv, '--snippets', '--json', '--config', config]);
    expect(JSON.parse(asJson.out)).toMatchObject({ matches: [{ snippet: '41** **** **** **11' }] });
    const plain = await run(scanCommand, [...argv, '--json', '--config', config]);
    for (const { out, err } of [shown, asJson, plain]) expect(out + err).not.toMatch(/4111|1111 ?1111/);
    expect(plain.out).not.toContain('snippet');
    const folder = join(dir, 'data');
    const kept = existsSync(folder)
      ? readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      : [];
    for (const entry of kept)
      expect(readFileSync(join(entry.parentPath, entry.name), 'latin1')).not.toMatch(/41\*\*|1111 1111/);
  });

  it('follows the links the caller names, to folders too, and opens names that are no UTF-8', async () => {
    const rules = join(dir, 'rules.yml');
    writeFileSync(rules, 'name: r\nrules:\n  - {id: falcon, kind: pattern, words: [Project Falcon]}\n');
    const folder = join(dir, 'folder');
    const link = join(dir, 'link');
    mkdirSync(join(folder, 'sub'), { recursive: true });
    symlinkSync(folder, link);
    const text = 'Project Falcon\n';
    for (const name of [
      Buffer.from('sub/Gr\xfc\xdfe', 'latin1'),
      Buffer.from('two\nlines'),
      Buffer.from('日本'),
    ])
      writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), text);
    const files = async (path: string): Promise<string[]> => {
      const { code, out } = await run(scanCommand, ['--rules', rules, path, '--json']);
      expect(code).toBe(1);
      const verdicts = out.trimEnd().split('\n');
      return verdicts
        .map((line) => JSON.parse(line) as { path: string; verdict: string })
        .map(({ path: one, verdict }) => `${one.slice(path.length)} ${verdict}`)
        .sort();
    };
    const expected = ['/sub/Gr\uFFFD\uFFFDe match', '/two\nlines match', '/日本 match'];
    expect(await files(folder)).toEqual(expected);
    expect(await files(link)).toEqual(expected);
    // A name cannot begin a line of its own.
    const { out } = await run(scanCommand, ['--rules', rules, folder]);
    expect(out.split('\n').filter((line) => line.startsWith('lines'))).toEqual([]);
  });

  it('warns of two indexes of one name', async () => {
    const csv = join(dir, 'table.csv');
    const schema = join(dir, 'schema.yml');
    const value = iban(random(1));
    writeFileSync(csv, `iban\n${value}\n`);
    writeFileSync(schema, 'name: twice\nfields:\n  - {column: iban, role: primary, type: iban}\n');
    const [one, two, hit] = [join(dir, 'one.sdlp'), join(dir, 'two.sdlp'), join(dir, 'hit.txt')];
    for (const out of [one, two])
      expect((await run(indexCommand, ['build', '--schema', schema, '--csv', csv, '--out', out])).code).toBe(
        0,
      );
    writeFileSync(hit, `see ${value}\n`);
    const { code, err } = await run(scanCommand, ['--index', one, '--index', two, hit, '--json']);
    expect(code).toBe(1);
    expect(err).toContain('both named twice');
    expect((await run(scanCommand, ['--index', one, hit, '--json'])).err).toBe('');
  });

  it('counts a row that stands twice as protected, and says so', async () => {
    const [csv, schema] = [join(dir, 't.csv'), join(dir, 't.yml')];
    const [once, twice] = [iban(random(3)), iban(random(4))];
    writeFileSync(csv, `iban\n${twice}\n${once}\n${twice}\n`);
    writeFileSync(schema, 'name: t\nfields:\n  - {column: iban, role: primary, type: iban}\n');
    const built = await run(indexCommand, [
      'build',
      '--schema',
      schema,
      '--csv',
      csv,
      '--out',
      `${csv}.sdlp`,
    ]);
    expect(built.out).toContain('3 of 3 rows protected (1 the same as another), 2 entries');
    expect(built.out).not.toContain('not protected');
  });

  it('tells of an index that another device signed', async () => {
    const other = ['--data', join(dir, 'other')];
    const [csv, schema, out] = [join(dir, 'o.csv'), join(dir, 'o.yml'), join(dir, 'other.sdlp')];
    writeFileSync(csv, `iban\n${iban(random(2))}\n`);
    writeFileSync(schema, 'name: other\nfields:\n  - {column: iban, role: primary, type: iban}\n');
    const quiet = { out: () => undefined, err: () => undefined };
    const build = ['build', '--schema', schema, '--csv', csv, '--out', out, ...other];
    expect(await indexCommand.run(build, quiet)).toBe(0);
    const keys = join(dir, 'other', 'keys');
    const argv = ['--index', out, '--key', join(keys, 'dlp.key'), clean];
    expect((await run(scanCommand, argv)).err).toContain('whom this device does not know');
    const trusting = await run(scanCommand, [...argv, '--trust', join(keys, 'device.pub'), '--json']);
    expect([trusting.code, trusting.err]).toEqual([0, '']);
  });
});
