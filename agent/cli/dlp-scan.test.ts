import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
});
