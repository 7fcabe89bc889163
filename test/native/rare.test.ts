import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { of, type Recorder, skipNote, startRecorder, whyNot } from './recorder.ts';

const reason = whyNot();
if (reason) console.warn(`test/native/rare: skipped: ${reason}`);

describe.skipIf(reason)(`rare calls, as the kernel shows them${skipNote(reason)}`, () => {
  let recorder: Recorder;
  beforeAll(async () => {
    recorder = await startRecorder();
  });
  afterAll(() => recorder.stop());

  it('records who debugs whom, with the start time of both', async () => {
    const { events, stdout, pid } = await recorder.run('ptrace');
    const tracee = of(events, 'fork').find((event) => event.process?.pid === Number(stdout))?.process;
    const [attach, traceme] = of(events, 'ptrace');
    expect(attach).toMatchObject({
      lane: 'security',
      process: { pid },
      target: { pid: tracee?.pid, startNs: tracee?.startNs },
      details: { request: 'ATTACH' },
    });
    expect(traceme).toMatchObject({ target: { pid }, details: { request: 'TRACEME' } });
  });

  it('records a write into another process', async () => {
    const { events } = await recorder.run('vmwrite');
    const victim = of(events, 'fork')[0]?.process?.pid;
    expect(of(events, 'vm_write')).toMatchObject([{ target: { pid: victim }, details: { bytes: '3' } }]);
  });

  it('records memory that is writable and executable at once', async () => {
    const { events } = await recorder.run('wx');
    expect(of(events, 'mmap_wx')).toMatchObject([
      { type: 'memory', details: { length: '8192', protection: '0x7' } },
    ]);
    expect(of(events, 'mprotect_wx')).toMatchObject([{ details: { length: '4096', protection: '0x7' } }]);
  });

  it('records a change of identity once, with before and after', async () => {
    const { events } = await recorder.run('setuid', '1234');
    expect(of(events, 'setgid')).toMatchObject([
      { details: { call: 'setresgid', realId: '77', oldRealId: '0' } },
    ]);
    expect(of(events, 'setuid')).toMatchObject([
      {
        process: { uid: 1234, euid: 1234 },
        details: { call: 'setuid', realId: '1234', effectiveId: '1234', savedId: '1234', oldRealId: '0' },
      },
    ]);
    const exit = of(events, 'exit').find((event) => event.process?.uid === 1234);
    expect(exit).toBeDefined();
  });

  it('records namespaces and mounts', async () => {
    const { events } = await recorder.run('mounts', recorder.directory);
    expect(of(events, 'unshare')).toMatchObject([{ details: { flags: '0x20000' } }]);
    expect(of(events, 'mount').at(-1)).toMatchObject({
      file: { path: recorder.directory, op: 'mount' },
      details: { source: 'sentinel-test', fileSystem: 'tmpfs', flags: '0x2' },
    });
    expect(of(events, 'umount')).toMatchObject([{ file: { path: recorder.directory } }]);
  });

  it('records a signal to another process, not a question whether it lives', async () => {
    const { events, pid } = await recorder.run('kill');
    const victim = of(events, 'fork')[0]?.process;
    expect(of(events, 'kill')).toMatchObject([
      {
        process: { pid },
        target: { pid: victim?.pid, startNs: victim?.startNs },
        details: { signal: 'TERM' },
      },
    ]);
    expect(of(events, 'exit').find((event) => event.process?.pid === victim?.pid)?.process?.exitSignal).toBe(
      15,
    );
  });

  it('records an attempt to load a module, also where the kernel has no modules', async () => {
    const { events } = await recorder.run('module');
    const hook = recorder.sensor.status().hooks.find(({ name }) => name === 'finit_module');
    const modules = hook?.state !== 'missing';
    // Without modules there is no such call: the parameters mean nothing, the attempt does.
    expect(of(events, 'finit_module')).toMatchObject([
      {
        type: 'module',
        file: { path: '/dev/null' },
        details: modules ? { parameters: 'option=1' } : { error: 'ENOSYS' },
      },
    ]);
    expect(of(events, 'delete_module')).toMatchObject([
      { details: modules ? { name: 'sentinel_no_such_module' } : { error: 'ENOSYS' } },
    ]);
  });

  it('lost nothing', () => {
    expect(recorder.losses).toEqual([]);
  });
});
