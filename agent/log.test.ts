import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createLog, RotatingFile } from './log.ts';

it('rotates by size, keeps the newest files and loses no line that fits', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-log-'));
  const file = new RotatingFile(join(directory, 'a.log'), 1000, 3);
  const log = createLog(file, 'info');
  for (let i = 0; i < 60; i++) log.info({ i }, 'a line');
  log.debug({}, 'below the level');
  file.close();
  const names = readdirSync(directory).sort();
  expect(names).toEqual(['a.log', 'a.log.1', 'a.log.2', 'a.log.3']);
  for (const name of names) expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(1000);
  const lines = ['a.log.3', 'a.log.2', 'a.log.1', 'a.log']
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').trim().split('\n'))
    .map((line) => JSON.parse(line) as { i: number; level: string });
  expect(lines.at(-1)).toMatchObject({ i: 59, level: 'info' });
  expect(lines.map((line) => line.i)).toEqual(lines.map((_, index) => 60 - lines.length + index));
});
