import { readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workloadBinary } from './compile.ts';
import { counts, of, type Recorder, skipNote, startRecorder, whyNot } from './recorder.ts';

const reason = whyNot();
if (reason) console.warn(`test/native/process: skipped: ${reason}`);

describe.skipIf(reason)(`processes, as the kernel shows them${skipNote(reason)}`, () => {
  let recorder: Recorder;
  let workload: string;
  beforeAll(async () => {
    recorder = await startRecorder();
    workload = workloadBinary();
  });
  afterAll(() => recorder.stop());

  it('records every fork and every exit with its code', async () => {
    const { events, pid } = await recorder.run('fork', '300');
    const children = of(events, 'fork').map((event) => event.process);
    expect(children).toHaveLength(300);
    expect(new Set(children.map((child) => child?.pid)).size).toBe(300);
    for (const child of children) {
      expect(child).toMatchObject({ ppid: pid, name: basename(workload).slice(0, 15), uid: 0 });
    }
    const exits = of(events, 'exit').filter((event) => event.process?.pid !== pid);
    expect(exits.map((event) => event.process?.exitCode)).toEqual(
      Array.from({ length: 300 }, (_, index) => index % 200),
    );
  });

  it('gives a process the same start time in every record, and its parent’s', async () => {
    const { events, pid } = await recorder.run('exec', '3', workload, 'sleep', '1');
    const own = of(events, 'exec').find((event) => event.process?.pid === pid)?.process;
    for (const child of of(events, 'fork')) {
      const mine = events.filter((event) => event.process?.pid === child.process?.pid);
      expect(new Set(mine.map((event) => event.process?.startNs)).size).toBe(1);
      expect(child.process?.parentStartNs).toBe(own?.startNs);
      const exec = mine.find((event) => event.action === 'exec');
      expect(exec?.process).toMatchObject({ ppid: pid, parentStartNs: own?.startNs });
    }
  });

  it('records what was executed: path, arguments, directory, ids, identity of the file', async () => {
    const { events, pid } = await recorder.run('sleep', '1');
    const exec = of(events, 'exec').find((event) => event.process?.executable === workload);
    const file = statSync(workload, { bigint: true });
    expect(exec?.process).toMatchObject({
      pid,
      name: basename(workload),
      argv: [workload, 'sleep', '1'],
      cwd: '/',
      uid: 0,
      euid: 0,
      gid: 0,
      integrityLevel: 'system',
      cgroupId: String(statSync(recorder.path).ino),
      exeIdentity: {
        inode: file.ino,
        size: Number(file.size),
        mtimeNs: file.mtimeNs,
        ctimeNs: file.ctimeNs,
        dev: Number(file.dev),
      },
    });
    expect(exec?.process?.ppid).toBe(process.pid);
    expect(exec?.details?.['cgroup']).toBe(`/${basename(recorder.path)}`);
    expect(exec?.truncated).toBeUndefined();
    const loginuid = Number(readFileSync('/proc/self/loginuid', 'utf8'));
    expect(exec?.process?.loginuid).toBe(loginuid === 0xffffffff ? undefined : loginuid);
    expect(Math.abs(Number((exec?.tsNs ?? 0n) / 1_000_000n) - Date.now())).toBeLessThan(60_000);
  });

  it('follows the working directory and a script’s name', async () => {
    const script = join(recorder.directory, 'run me.sh');
    const { events } = await recorder.shell(
      `printf '#!/bin/sh\\n:\\n' > '${script}'; chmod +x '${script}'; cd '${recorder.directory}'; './run me.sh' x`,
    );
    const exec = of(events, 'exec').find((event) => event.process?.flags?.includes('script'));
    expect(exec?.process?.cwd).toBe(recorder.directory);
    expect(exec?.process?.executable).toBe(realpathSync('/bin/sh'));
    expect(exec?.process?.argv).toEqual(['/bin/sh', './run me.sh', 'x']);
    expect(exec?.details?.['filename']).toBe('./run me.sh');
  });

  it('does not take threads for processes, and ends a group once however its threads leave', async () => {
    const { events } = await recorder.run('threads', '50');
    expect(counts(events)['fork']).toBeUndefined();
    expect(counts(events)['exit']).toBe(1);
    const races = await recorder.run('threadexits', '60');
    expect(counts(races.events)).toMatchObject({ fork: 60, exit: 61 });
    const ended = of(races.events, 'exit').map((event) => event.process?.pid);
    expect(new Set(ended).size).toBe(61);
  });

  it('marks a program that runs from memory', async () => {
    const { events } = await recorder.run('memfd', workload);
    const exec = of(events, 'exec').find((event) => event.process?.flags?.includes('memfd'));
    expect(exec?.process).toMatchObject({ executable: '/memfd:payload', argv: ['hidden', 'sleep', '1'] });
    expect(of(events, 'memfd_create')[0]).toMatchObject({
      type: 'memory',
      lane: 'security',
      details: { name: 'payload', flags: '0x1' },
    });
  });

  it('marks a program whose file is gone', async () => {
    const { events } = await recorder.run('deleted', workload, recorder.directory);
    const exec = of(events, 'exec').find((event) => event.process?.flags?.includes('deleted'));
    expect(exec?.process).toMatchObject({
      executable: join(recorder.directory, 'gone1'),
      argv: ['gone', 'sleep', '1'],
    });
  });

  it('keeps arguments apart whatever is in them, and says what was replaced', async () => {
    const { events } = await recorder.run('badargs', workload);
    const exec = of(events, 'exec').find((event) => event.process?.argv?.[0] === 'a\nb');
    expect(exec?.process?.argv).toEqual(['a\nb', '\uFFFD\uFFFD', '', '😀', 'last']);
    // 4 + 3 + 1 + 5 + 5 bytes with their NULs.
    expect(exec?.truncated).toEqual([{ field: 'process.argv', originalLength: 18 }]);
  });

  it('knows a program without arguments', async () => {
    const { events, pid } = await recorder.run('noargs', workload);
    const execs = of(events, 'exec').filter((event) => event.process?.pid === pid);
    // From 5.18 on the kernel puts an empty argv[0] where there is none.
    expect(execs.at(-1)?.process?.argv).toEqual(['']);
  });

  it('cuts a command line of a megabyte at 4,096 bytes and says how long it was', async () => {
    const { events } = await recorder.run('hugeargs', workload, '1000000');
    const exec = of(events, 'exec').find((event) => event.process?.argv?.[0] === 'huge');
    expect(Buffer.byteLength(exec?.process?.argv?.join('\0') ?? '')).toBe(4096);
    expect(exec?.truncated).toEqual([{ field: 'process.argv', originalLength: 1_000_005 }]);
  });

  it('names parent and creator apart under CLONE_PARENT', async () => {
    const { events, pid } = await recorder.run('cloneparent');
    const [child, sibling] = of(events, 'fork');
    expect(child?.process?.ppid).toBe(pid);
    expect(sibling?.process?.ppid).toBe(pid);
    expect(sibling?.details).toEqual({
      creatorPid: String(child?.process?.pid),
      creatorStartNs: String(child?.process?.startNs),
    });
  });

  it('survives a fork bomb without losing or inventing a process', async () => {
    const { events } = await recorder.run('bomb', '9');
    expect(counts(events)).toMatchObject({ fork: 1022, exit: 1023 });
    expect(recorder.losses).toEqual([]);
  });

  it('has a hook state for everything and no loss', () => {
    const { hooks, rings, tier } = recorder.sensor.status();
    expect(['tracepoint', 'lsm']).toContain(tier);
    const core = hooks.filter((hook) => hook.name.startsWith('sched_process_e') || hook.name === 'openat');
    expect(core.every((hook) => hook.state !== 'missing')).toBe(true);
    for (const hook of hooks) if (hook.state !== 'active') expect(hook.detail).toBeTruthy();
    expect(rings.map((ring) => ring.lost)).toEqual([0, 0]);
  });
});
