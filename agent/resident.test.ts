import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RESIDENT_FLAGS, residentArguments } from './resident.ts';

const runtime = {
  execve: () => {},
  execArgv: ['--enable-source-maps'],
  argv: ['/usr/bin/node', '/old/start.mjs', 'run', '--data', '/a b'],
  env: {},
};
const folder = mkdtempSync(join(tmpdir(), 'sentinel-resident-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('starting anew with flags', () => {
  it('keeps the program, its options and its arguments', () => {
    expect(residentArguments('/new/sentinel.mjs', runtime)).toEqual([
      '/usr/bin/node',
      ...RESIDENT_FLAGS,
      '--enable-source-maps',
      '/new/sentinel.mjs',
      'run',
      '--data',
      '/a b',
    ]);
  });

  it('happens once, and not to a process that is debugged or has a channel to its parent', () => {
    expect(residentArguments('/p', { ...runtime, execArgv: [...RESIDENT_FLAGS] })).toBeUndefined();
    expect(residentArguments('/p', { ...runtime, execArgv: ['--inspect=0'] })).toBeUndefined();
    expect(residentArguments('/p', { ...runtime, env: { NODE_CHANNEL_FD: '3' } })).toBeUndefined();
    expect(residentArguments('/p', { ...runtime, execve: undefined })).toBeUndefined();
  });

  it.runIf(typeof process.execve === 'function')('keeps process id, streams and exit code', async () => {
    const program = join(folder, 'program.mjs');
    const module = JSON.stringify(join(import.meta.dirname, 'resident.ts'));
    writeFileSync(
      program,
      `const { becomeResident, collectGarbage } = await import(${module});
       becomeResident(import.meta.filename);
       collectGarbage();
       console.log(JSON.stringify([process.pid, process.execArgv, process.argv.slice(2)]));
       process.exitCode = 7;`,
    );
    const child = spawn(process.execPath, [program, 'run', 'x y'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(7);
    expect(JSON.parse(said)).toEqual([child.pid, RESIDENT_FLAGS, ['run', 'x y']]);
  });
});
