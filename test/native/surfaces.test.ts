/** Surfaces besides the usual calls: 32-bit calls, sockets without IP, code made at run time, attempts, other roots. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../../agent/event.ts';
import { ProcessTree } from '../../agent/sensors/process-tree.ts';
import { workloadBinary } from './compile.ts';
import { of, type Recorder, settle, skipNote, startRecorder, whyNot } from './recorder.ts';

const reason = whyNot();
if (reason) console.warn(`test/native/surfaces: skipped: ${reason}`);

describe.skipIf(reason)(`surfaces besides the usual calls${skipNote(reason)}`, () => {
  let recorder: Recorder;
  let directory: string;
  beforeAll(async () => {
    recorder = await startRecorder();
    directory = realpathSync(recorder.directory);
  });
  afterAll(() => recorder.stop());

  /** The lanes arrive apart. */
  const inOrder = (events: readonly SentinelEvent[]): SentinelEvent[] =>
    [...events].sort((a, b) => Number(a.tsNs - b.tsNs));
  const filesOf = (events: readonly SentinelEvent[]): (string | undefined)[][] =>
    inOrder(events)
      .filter((event) => event.type === 'file')
      .map((event) => [event.action, event.file?.path, event.file?.oldPath]);

  it('records what is done through the 32-bit entry', async () => {
    const { events, exitCode } = await recorder.run('compat', directory);
    if (exitCode === 4) {
      console.warn('test/native/surfaces: no 32-bit entry in this kernel: its test did nothing');
      return;
    }
    const [one, two] = [join(directory, 'compat1'), join(directory, 'compat2')];
    expect(filesOf(events)).toEqual([
      ['create', one, undefined],
      ['write', one, undefined],
      ['rename', two, one],
      ['chmod', two, undefined],
      ['unlink', two, undefined],
      ['mkdir', one, undefined],
      ['rmdir', one, undefined],
    ]);
    expect(of(events, 'chmod')[0]).toMatchObject({ lane: 'security', file: { mode: 0o4755 } });
    expect(of(events, 'syscall32').map(({ details }) => [details?.['call'], details?.['error']])).toEqual([
      ['chroot', 'ENOENT'],
      ['setuid', undefined],
    ]);
  });

  it('names the unix socket that was reached, also through a link, and who serves it', async () => {
    const { events, pid } = await recorder.run('unix', directory);
    const connects = inOrder(of(events, 'unix_connect'));
    expect(
      connects.map((event) => [
        event.lane,
        event.file?.path,
        event.details?.['abstractName'],
        event.details?.['error'],
      ]),
    ).toEqual([
      ['security', join(directory, 'docker.sock'), undefined, undefined],
      ['observability', undefined, 'sentinel-abstract', undefined],
      ['security', 'docker.sock', undefined, 'ECONNREFUSED'],
    ]);
    expect(connects[0]).toMatchObject({
      type: 'network',
      process: { pid },
      target: { pid },
      details: { pathAsGiven: 'no' },
    });
    expect(connects[2]?.details).toMatchObject({ pathAsGiven: 'yes', directory });
  });

  it('records sockets for raw packets and for the hypervisor, and no others', async () => {
    const { events } = await recorder.run('sockets');
    const [packet, raw, vsock, ...more] = of(events, 'socket');
    expect(more).toEqual([]);
    expect(packet?.details).toMatchObject({ family: 'AF_PACKET', socketType: 'SOCK_RAW', protocol: '768' });
    expect(raw?.details).toMatchObject({ family: 'AF_INET', socketType: 'SOCK_RAW', protocol: '1' });
    expect(vsock?.details).toMatchObject({ family: 'AF_VSOCK', socketType: 'SOCK_STREAM' });
    const [attempt] = of(events, 'vsock_connect');
    expect(attempt).toMatchObject({ lane: 'security', details: { contextId: '77', port: '4242' } });
    expect(attempt?.details?.['error']).toMatch(/^E/);
  });

  it('records code that was written first, once and then ever more rarely', async () => {
    const { events } = await recorder.run('flips', '300');
    expect(of(events, 'mprotect_exec').map(({ details }) => details?.['callsSoFar'])).toEqual([
      '1',
      '16',
      '256',
    ]);
    expect(of(events, 'mprotect_exec')[0]).toMatchObject({
      type: 'memory',
      lane: 'security',
      details: { length: '4096', protection: '0x5' },
    });
    expect(of(events, 'mmap_exec')).toMatchObject([
      { file: { path: '/memfd:dual' }, details: { callsSoFar: '1', protection: '0x5' } },
    ]);
  });

  it('records attempts that fail, with the error', async () => {
    const { events } = await recorder.run('attempts');
    expect(of(events, 'bpf')).toMatchObject([{ details: { command: 'PROG_LOAD', error: 'E2BIG' } }]);
    const [file] = of(events, 'finit_module');
    expect(file).toMatchObject({ type: 'module', lane: 'security', file: { path: '/dev/null' } });
    // Of a kernel without modules, of one with, of a container.
    expect(file?.details?.['error']).toMatch(/^(?:ENOSYS|ENOEXEC|EINVAL|EPERM)$/);
    expect(of(events, 'init_module')[0]?.details?.['error']).toMatch(/^(?:ENOSYS|ENOEXEC|EPERM)$/);
    expect(of(events, 'ptrace')).toMatchObject([
      { target: { pid: 0x3ffffff }, details: { request: 'ATTACH', error: 'ESRCH' } },
    ]);
    expect(of(events, 'chroot')).toMatchObject([
      { file: { path: '/nonexistent' }, details: { error: 'ENOENT' } },
    ]);
  });

  it('names files in a changed root as the machine does', async () => {
    const root = join(directory, 'root');
    mkdirSync(root);
    const { events } = await recorder.run('jail', root);
    const sub = join(root, 'sub');
    expect(of(events, 'chroot')[0]?.file?.path).toBe(root);
    expect(filesOf(events)).toEqual([
      ['mkdir', sub, undefined],
      ['create', join(root, 'made'), undefined],
      ['write', join(root, 'made'), undefined],
      ['rename', join(sub, 'renamed'), join(root, 'made')],
      ['chmod', join(sub, 'renamed'), undefined],
      ['unlink', join(sub, 'renamed'), undefined],
      ['rmdir', sub, undefined],
    ]);
  });

  it('records both sides of an exchange', async () => {
    const { events } = await recorder.run('exchange', directory);
    const [left, right] = [join(directory, 'left'), join(directory, 'right')];
    expect(of(events, 'rename').map(({ file }) => [file?.path, file?.oldPath])).toEqual([
      [right, left],
      [left, right],
    ]);
  });

  it('sees a process that is born into the watched control group from outside', async () => {
    recorder.take();
    const outside = spawnSync(workloadBinary(), ['clonein', recorder.path, '/bin/true'], {
      encoding: 'utf8',
    });
    expect(outside.status).toBe(0);
    const [child, parent] = outside.stdout.trim().split(' ').map(Number);
    await settle(200);
    const events = recorder.take();
    expect(events.map((event) => [event.action, event.process?.pid, event.process?.ppid])).toEqual([
      // Its parent is outside, so it is introduced.
      ['snapshot', parent, process.pid],
      ['fork', child, parent],
      ['exec', child, parent],
      ['exit', child, parent],
    ]);
    expect(events[2]?.process?.argv?.[1]).toBe('born-inside');
  });

  it('knows the ancestors of a process that was moved into the watched control group', async () => {
    recorder.take();
    // The shell goes on to fork only after it was moved.
    const shell = spawn('/bin/sh', ['-c', 'read -r go; /bin/true moved-child; exit 0'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    writeFileSync(join(recorder.path, 'cgroup.procs'), String(shell.pid));
    shell.stdin.end('go\n');
    await new Promise((resolve) => shell.on('close', resolve));
    await settle(200);
    const tree = new ProcessTree();
    const events = recorder.take();
    for (const event of events) tree.apply(event);
    const child = events.find((event) => event.process?.argv?.includes('moved-child'));
    expect(child?.parent).toMatchObject({
      pid: shell.pid,
      executable: realpathSync('/bin/sh'),
      argv: ['/bin/sh', '-c', expect.stringContaining('moved-child') as unknown],
    });
    // No further: its parent is the sensor's own process, which is not recorded.
    expect(child?.ancestry).toEqual([`${shell.pid}-${child?.parent?.startNs}`]);
  });

  it('knows ancestors outside the watched control group', async () => {
    recorder.take();
    const outer = spawn('/bin/sh', ['-c', 'sh -c "read -r go; /bin/true deep-child; exit 0"; exit 0'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const children = `/proc/${outer.pid}/task/${outer.pid}/children`;
    let inner = '';
    while (inner === '') inner = readFileSync(children, 'utf8').trim();
    writeFileSync(join(recorder.path, 'cgroup.procs'), inner);
    outer.stdin.end('go\n');
    await new Promise((resolve) => outer.on('close', resolve));
    await settle(200);
    const tree = new ProcessTree();
    const events = recorder.take();
    for (const event of events) tree.apply(event);
    const child = events.find((event) => event.process?.argv?.includes('deep-child'));
    expect(child?.parent?.pid).toBe(Number(inner));
    expect(child?.ancestry?.map((id) => Number(id.split('-')[0]))).toEqual([Number(inner), outer.pid]);
  });

  it('says that a program has the rights of its owner or of its file', async () => {
    const program = join(directory, 'privileged');
    copyFileSync('/bin/true', program);
    chmodSync(program, 0o4755);
    const { events } = await recorder.shell(`exec setpriv --reuid 1234 --clear-groups ${program}`);
    const exec = of(events, 'exec').find((event) => event.process?.executable === program);
    expect(exec?.process).toMatchObject({
      uid: 1234,
      euid: 0,
      integrityLevel: 'elevated',
      flags: expect.arrayContaining(['setuid']) as unknown,
    });
  });

  it('lost nothing', () => {
    expect(recorder.losses).toEqual([]);
  });
});
