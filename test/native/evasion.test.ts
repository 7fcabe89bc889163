/** Ways around a path, a program's name or a view of the file system: what is on record all the same. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../../agent/event.ts';
import { of, type Recorder, skipNote, startRecorder, whyNot } from './recorder.ts';

// The interpreter itself: a wrapper's own commands would be on record too.
const python = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
const reason = whyNot() ?? (python.status === 0 ? undefined : 'needs python3');
if (reason) console.warn(`test/native/evasion: skipped: ${reason}`);

describe.skipIf(reason)(`around the view of the sensor${skipNote(reason)}`, () => {
  let recorder: Recorder;
  beforeAll(async () => {
    recorder = await startRecorder();
  });
  afterAll(() => recorder.stop());

  async function evade(mode: string): Promise<{ events: SentinelEvent[]; folder: string }> {
    const folder = join(realpathSync(recorder.directory), mode);
    mkdirSync(folder);
    const script = join(import.meta.dirname, 'evasion.py');
    const { events, exitCode } = await recorder.shell(
      `exec ${python.stdout.trim()} -B ${script} ${mode} ${folder}`,
    );
    expect(exitCode).toBe(0);
    return { events, folder };
  }
  const paths = (events: readonly SentinelEvent[], action: string): (string | undefined)[] =>
    of(events, action).map((event) => event.file?.path);

  it('names the real file behind links, descriptors, dots, exchanges and files without a name', async () => {
    const { events, folder } = await evade('paths');
    expect(paths(events, 'create')).toEqual(
      ['real/through-link', 'real/by-dirfd', 'real/dotted', 'real/one', 'real/two', 'real/by-openat2'].map(
        (name) => join(folder, name),
      ),
    );
    expect(paths(events, 'unlink')).toEqual([join(folder, 'real/by-dirfd'), join(folder, 'real/dotted')]);
    expect(paths(events, 'rename')).toEqual([join(folder, 'real/two'), join(folder, 'real/one')]);
    expect(paths(events, 'link')).toEqual([join(folder, 'real/named-late')]);
  });

  it('names the program that ran, however it was started and whatever it calls itself', async () => {
    const { events, folder } = await evade('programs');
    const started = (argument: string): SentinelEvent['process'] =>
      of(events, 'exec').find((event) => event.process?.argv?.includes(argument))?.process;
    expect(started('from-memory')).toMatchObject({ executable: '/memfd:hidden', flags: ['memfd'] });
    expect(started('by-descriptor')?.executable).toBe(join(folder, 'copy'));
    expect(started('after-unlink')).toMatchObject({
      executable: join(folder, 'copy'),
      flags: ['deleted'],
    });
    expect(started('argument')).toMatchObject({
      argv: ['/bin/sh', join(folder, 'inner'), 'option', join(folder, 'outer'), 'argument'],
      flags: ['script'],
    });
    const real = realpathSync('/bin/true');
    for (const way of ['from-thread', 'from-other-thread', 'renamed'])
      expect(started(way)).toMatchObject({ executable: real, name: 'true' });
  });

  it('names files in a changed root of another mount namespace', async () => {
    const { events, folder } = await evade('jail');
    expect(of(events, 'unshare')).toHaveLength(1);
    expect(paths(events, 'mount')).toContain(join(folder, 'mount'));
    expect(paths(events, 'chroot')).toEqual([join(folder, 'mount')]);
    expect(paths(events, 'unlink')).toEqual([join(folder, 'mount/inside')]);
    expect(paths(events, 'create')).toEqual([join(folder, 'mount/inside')]);
  });

  it('names files as the mount namespace shows them, through bind mounts and overlays', async () => {
    const { events, folder } = await evade('views');
    const at = (name: string): string => join(folder, name);
    const created = paths(events, 'create');
    expect(created).toContain(at('bound/through-bind'));
    if (of(events, 'mount').every((event) => event.file?.path !== at('merged'))) {
      console.warn('test/native/evasion: no overlay file system: that part did nothing');
      return;
    }
    expect(created).toContain(at('merged/new'));
    // A file below that is changed: copied up, and written under the name that the process sees.
    expect(paths(events, 'write')).toContain(at('merged/below'));
    expect(paths(events, 'unlink')).toContain(at('merged/below'));
  });

  it('says of a program in a user namespace in which one it runs', async () => {
    const { events } = await evade('user_namespace');
    const started = of(events, 'exec').find((event) => event.process?.argv?.includes('in-namespace'));
    if (started === undefined) {
      console.warn('test/native/evasion: no user namespaces here: this test did nothing');
      return;
    }
    const unshared = of(events, 'unshare')[0];
    expect(unshared?.details).toEqual({ flags: '0x10020000' });
    expect(started.details?.['userNamespace']).toMatch(/^\d+$/);
    // The ids are those of the machine, not those that the namespace shows.
    expect(started.process?.uid).toBe(0);
    expect(readlinkSync('/proc/self/ns/user')).not.toContain(started.details?.['userNamespace'] as string);
  });

  it('reads questions to a name server over TCP, in one segment or in two', async () => {
    const { events } = await evade('dns_over_tcp');
    expect(of(events, 'query').map(({ dns }) => dns)).toEqual([
      { query: 'over.tcp.test', recordType: 'TXT' },
      { query: 'over.tcp.test', recordType: 'TXT' },
    ]);
  });

  it('records connections that fail, that do not wait, and questions to a server that is not there', async () => {
    const { events } = await evade('connections');
    const tried = of(events, 'connect').map((event) => event.details?.['error']);
    expect(tried).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
    // The question is also a datagram sent.
    expect(of(events, 'send')).toHaveLength(2);
    expect(of(events, 'query')).toHaveLength(1);
  });
});
