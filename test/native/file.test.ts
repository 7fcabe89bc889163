import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../../agent/event.ts';
import { counts, of, type Recorder, skipNote, startRecorder, whyNot } from './recorder.ts';

const reason = whyNot();
if (reason) console.warn(`test/native/file: skipped: ${reason}`);

describe.skipIf(reason)(`files, as the kernel shows them${skipNote(reason)}`, () => {
  let recorder: Recorder;
  let directory: string;
  beforeAll(async () => {
    recorder = await startRecorder();
    directory = recorder.directory;
  });
  afterAll(() => recorder.stop());

  const shape = (event: SentinelEvent): unknown[] => [event.action, event.file?.path, event.file?.oldPath];

  it('records each change of a file’s life once, in order, with its paths', async () => {
    const { events, pid } = await recorder.run('files', directory, '40');
    const mine = events.filter((event) => event.type === 'file' && event.process?.pid === pid);
    expect(mine).toHaveLength(40 * 13);
    const at = (name: string): string => join(directory, name);
    expect(mine.slice(0, 13).map(shape)).toEqual([
      ['create', at('a0'), undefined],
      ['write', at('a0'), undefined],
      ['rename', at('b0'), at('a0')],
      ['link', at('c0'), at('b0')],
      ['unlink', at('c0'), undefined],
      ['symlink', at('c0'), 'some target'],
      ['unlink', at('c0'), undefined],
      ['chmod', at('b0'), undefined],
      ['chown', at('b0'), undefined],
      ['truncate', at('b0'), undefined],
      ['unlink', at('b0'), undefined],
      ['mkdir', at('a0'), undefined],
      ['rmdir', at('a0'), undefined],
    ]);
    expect(mine[1]?.file).toMatchObject({ bytes: 5, op: 'write' });
    expect(mine[1]?.file?.identity?.size).toBe(5);
    expect(mine[7]?.file?.mode).toBe(0o600);
    expect(mine[8]?.details).toEqual({ newUid: '12', newGid: '34' });
    expect(mine[9]?.file?.bytes).toBe(3);
    expect(mine.every((event) => event.lane === 'observability' && event.truncated === undefined)).toBe(true);
  });

  it('resolves paths that start at a descriptor or at the working directory', async () => {
    const { events, pid } = await recorder.run('at', directory);
    const mine = events.filter((event) => event.type === 'file' && event.process?.pid === pid);
    const at = (name: string): string => join(directory, name);
    expect(mine.filter((event) => event.action !== 'setxattr').map(shape)).toEqual([
      ['create', at('one'), undefined],
      ['chmod', at('one'), undefined],
      ['chown', at('one'), undefined],
      ['truncate', at('one'), undefined],
      ['utime', at('one'), undefined],
      ['write', at('one'), undefined],
      ['mkdir', at('sub'), undefined],
      ['rename', at('two'), at('one')],
      ['link', at('sub/three'), at('two')],
      ['symlink', at('sub/four'), 'nowhere'],
      ['unlink', at('sub/four'), undefined],
      ['unlink', at('sub/three'), undefined],
      ['rmdir', at('sub'), undefined],
      ['utime', at('two'), undefined],
      ['mknod', at('five'), undefined],
      ['unlink', at('five'), undefined],
      ['unlink', at('two'), undefined],
    ]);
    expect(of(mine, 'utime').map((event) => event.details)).toEqual([
      { newMtimeNs: '1000000000000000005' },
      undefined,
    ]);
    for (const event of of(mine, 'setxattr'))
      expect(event).toMatchObject({ file: { path: at('one') }, details: { attribute: 'user.sentinel' } });
  });

  it('records the last close of a written file, however it is closed', async () => {
    const { events } = await recorder.run('closes', directory);
    const written = of(events, 'write').map((event) => event.file?.path);
    expect(written).toEqual([0, 1, 2, 3, 4, 5].map((way) => join(directory, `close${way}`)));
  });

  it('identifies a written file as stat does', async () => {
    const path = join(directory, 'identified');
    const { events } = await recorder.shell(`echo content > ${path}`);
    const file = statSync(path, { bigint: true });
    const written = of(events, 'write').find((event) => event.file?.path === path);
    expect(written?.file?.identity).toEqual({
      dev: Number(file.dev),
      inode: file.ino,
      mtimeNs: file.mtimeNs,
      ctimeNs: file.ctimeNs,
      size: 8,
    });
    expect(written?.file?.inode).toBe(String(file.ino));
  });

  it('keeps a newline in a name and replaces an invalid byte, saying so', async () => {
    const { events } = await recorder.run('newline', directory);
    const created = of(events, 'create')[0];
    expect(created?.file?.path).toBe(join(directory, 'a\nb\uFFFD'));
    expect(created?.truncated).toEqual([{ field: 'file.path', originalLength: directory.length + 5 }]);
    expect(of(events, 'unlink')[0]?.file?.path).toBe(join(directory, 'a\nb\uFFFD'));
  });

  it('cuts a path of 10,000 characters towards the root and says how long it was', async () => {
    const { events } = await recorder.run('deep', directory, '200');
    const created = of(events, 'create')[0];
    const length = directory.length + 200 * 51 + 5;
    expect(created?.truncated).toEqual([{ field: 'file.path', originalLength: length }]);
    expect(created?.file?.path.endsWith(`/${'d'.repeat(50)}/leaf`)).toBe(true);
    expect(created?.file?.path.startsWith('/')).toBe(false);
    expect(created?.file?.path.length).toBeGreaterThan(4000);
    expect(counts(events)).toMatchObject({ mkdir: 200, rmdir: 200 });
  });

  it('puts what matters on the security lane and records reads of secrets only', async () => {
    const secret = join(directory, 'shadow');
    const ordinary = join(directory, 'ordinary');
    mkdirSync(join(directory, '.ssh'), { recursive: true });
    writeFileSync(secret, 'x');
    writeFileSync(ordinary, 'x');
    const read = await recorder.run('read', secret, ordinary, '/proc/self/mem', join(directory, '.ssh'));
    const opened = of(read.events, 'open').map((event) => [event.file?.path, event.lane]);
    expect(opened).toEqual([
      [secret, 'security'],
      [`/proc/${read.pid}/mem`, 'security'],
    ]);
    const { events } = await recorder.shell(
      `cd ${directory}; echo k > .ssh/authorized_keys; echo a > plain; chmod 4755 plain; chmod 755 plain; mv plain .ssh/x; rm .ssh/x`,
    );
    const lane = (action: string, path: string): string | undefined =>
      events.find((event) => event.action === action && event.file?.path === join(directory, path))?.lane;
    expect(lane('create', '.ssh/authorized_keys')).toBe('security');
    expect(lane('write', '.ssh/authorized_keys')).toBe('security');
    expect(lane('create', 'plain')).toBe('observability');
    expect(of(events, 'chmod').map((event) => event.lane)).toEqual(['security', 'observability']);
    expect(lane('rename', '.ssh/x')).toBe('security');
    expect(lane('unlink', '.ssh/x')).toBe('security');
  });

  it('sees a change under /etc through “..” and a relative path', async () => {
    const name = `sentinel-test-${process.pid}`;
    const { events } = await recorder.shell(
      `cd /etc; : > ${name}; cd ${directory}; chmod 600 /tmp/../etc/${name}; rm ${'../'.repeat(12)}etc/${name}`,
    );
    const mine = events.filter((event) => event.file?.path.endsWith(name));
    expect(mine.map((event) => [event.action, event.file?.path, event.lane])).toEqual([
      ['create', `/etc/${name}`, 'security'],
      ['write', `/etc/${name}`, 'security'],
      ['chmod', `/etc/${name}`, 'security'],
      ['unlink', `/etc/${name}`, 'security'],
    ]);
  });

  it('sees a file that io_uring creates, past every system call', async () => {
    const path = join(directory, 'ring');
    const run = await recorder.run('uring', path);
    if (run.exitCode === 4) {
      console.warn('test/native/file: io_uring is not available: its test did nothing');
      return;
    }
    expect(of(run.events, 'io_uring')[0]).toMatchObject({
      lane: 'security',
      file: { path },
      details: { operation: 'OPENAT' },
    });
  });

  it('lost nothing', () => {
    expect(recorder.losses).toEqual([]);
  });
});
