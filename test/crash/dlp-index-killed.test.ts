import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { digits, email, iban, random } from '../dlp/tables.ts';

const CLI = join(import.meta.dirname, '..', '..', 'agent', 'main.ts');
const dir = mkdtempSync(join(tmpdir(), 'sentinel-dlp-killed-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const file = (name: string): string => join(dir, name);

/** Runs `sentinel dlp …`; kills it after `killAfterMs` if that is given. */
async function dlp(
  args: string[],
  killAfterMs?: number,
): Promise<{ code: number | null; signal: string | null; out: string }> {
  const child = spawn(process.execPath, [CLI, 'dlp', ...args, '--data', file('data')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (out += text.toString()));
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.on('close', (exitCode, exitSignal) => resolve([exitCode, exitSignal]));
  });
  clearTimeout(timer);
  return { code, signal, out };
}

it('a build that is killed at any moment leaves the old index in force, and the next one succeeds', async () => {
  const from = random(5);
  const first = [iban(from), email(from, 0), digits(from, 14)];
  const build = ['index', 'build', '--schema', file('s.yml'), '--out', file('i.sdlp')];
  writeFileSync(
    file('s.yml'),
    'name: t\nfields:\n  - {column: a, role: primary, type: iban}\n  - {column: b, role: primary, type: email}\n  - {column: c, role: primary, type: number}\n',
  );
  writeFileSync(file('old.csv'), `a,b,c\n${first.join(',')}\n`);
  const rows = Array.from({ length: 150_000 }, (_, nth) =>
    [iban(from), email(from, nth + 1), digits(from, 14)].join(','),
  );
  writeFileSync(file('new.csv'), `a,b,c\n${rows.join('\n')}\n`);
  expect(await dlp([...build, '--csv', file('old.csv')])).toMatchObject({ code: 0 });
  let old = readFileSync(file('i.sdlp'));

  let startedMs = performance.now();
  expect(await dlp([...build.slice(0, -1), file('other.sdlp'), '--csv', file('new.csv')])).toMatchObject({
    code: 0,
  });
  let wholeMs = performance.now() - startedMs;
  let killed = 0;
  for (let nth = 0; nth < 8; nth++) {
    startedMs = performance.now();
    const { signal } = await dlp([...build, '--csv', file('new.csv')], Math.max(1, (wholeMs * nth) / 8));
    // The machine was busier when the whole build was timed.
    if (signal === 'SIGKILL') killed += 1;
    else wholeMs = performance.now() - startedMs;
    const now = readFileSync(file('i.sdlp'));
    if (now.equals(old)) continue;
    // It was just done when it was killed, or ended: then the new one must be whole.
    expect(await dlp(['index', 'info', file('i.sdlp')])).toMatchObject({ code: 0 });
    old = now;
  }
  expect(killed).toBeGreaterThan(2);

  expect(await dlp([...build, '--csv', file('new.csv')])).toMatchObject({ code: 0 });
  const info = await dlp(['index', 'info', file('i.sdlp'), '--json']);
  expect(JSON.parse(info.out)).toMatchObject({ rows: 150_000, entries: 450_000, signature: 'trusted' });
  writeFileSync(file('text'), `the account ${rows[777]?.split(',')[2]} it is`);
  expect(await dlp(['scan', '--index', file('i.sdlp'), file('text')])).toMatchObject({ code: 1 });
  const left = readdirSync(dir).filter((name) => name.endsWith('.building') || name.startsWith('.sdlp'));
  expect(left).toEqual([]);
}, 300_000);
