import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeBatch } from '../../agent/sensors/decode.ts';
import { createEbpfSensor } from '../../agent/sensors/ebpf-sensor.ts';
import type { SensorBatch } from '../../agent/sensors/types.ts';
import { openWal } from '../../agent/wal/open.ts';
import { openWalReader } from '../../agent/wal/reader.ts';
import { RecordType, Schema } from '../../agent/wal/types.ts';
import { workloadBinary } from './compile.ts';
import { of, type Recorder, settle, skipNote, startRecorder, whyNot } from './recorder.ts';

const reason = whyNot();
if (reason) console.warn(`test/native/limits: skipped: ${reason}`);

/** Runs a module with `body` in a Node of its own; `out(x)` prints JSON lines. */
function inNode(body: string): unknown[] {
  const program = `
    import { createEbpfSensor } from ${JSON.stringify(join(import.meta.dirname, '../../agent/sensors/ebpf-sensor.ts'))};
    import { decodeBatch } from ${JSON.stringify(join(import.meta.dirname, '../../agent/sensors/decode.ts'))};
    import { spawnSync } from 'node:child_process';
    const out = (value) => console.log(JSON.stringify(value));
    ${body}`;
  const result = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', program], {
    encoding: 'utf8',
  });
  if (result.status !== 0) throw new Error(result.stderr);
  return result.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

describe.skipIf(reason)(`what is recorded and what is lost${skipNote(reason)}`, () => {
  let recorder: Recorder | undefined;
  afterEach(async () => {
    await recorder?.stop();
    recorder = undefined;
  });

  it('shows nothing from outside the cgroup, and everything of a cgroup below it', async () => {
    recorder = await startRecorder();
    const below = join(recorder.path, 'below');
    mkdirSync(below);
    recorder.take();
    spawnSync(workloadBinary(), ['fork', '20']);
    await settle(150);
    expect(recorder.take()).toEqual([]);
    const { events } = await recorder.shell(
      `echo $$ > ${below}/cgroup.procs; ${workloadBinary()} fork 20; echo $$ > ${recorder.path}/cgroup.procs; rmdir ${below}`,
    );
    expect(of(events, 'fork').length).toBeGreaterThanOrEqual(20);
  });

  it('follows one process and its descendants, also those born before the sensor', async () => {
    const workload = workloadBinary();
    // The grandchild exists before the sensor does; it acts once it is told to.
    const root = spawn('/bin/sh', ['-c', `sh -c 'read line; ${workload} fork 7; read line' & read line; :`], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    await settle(100);
    recorder = await startRecorder({}, { kind: 'pid', pid: root.pid as number });
    spawnSync(workload, ['fork', '20']);
    // A background job of sh reads from /dev/null, so its first read ends at once after this.
    root.stdin?.write('go\n');
    await settle(300);
    const events = recorder.take();
    const snapshot = of(events, 'snapshot').map((event) => event.process?.pid);
    expect(snapshot).toContain(root.pid);
    const known = new Set(snapshot);
    for (const event of events) {
      if (event.action === 'fork') expect(known).toContain(event.process?.ppid);
      known.add(event.process?.pid);
      expect(known).toContain(event.process?.pid);
    }
    root.kill();
  });

  it('never records itself', async () => {
    recorder = await startRecorder({}, { kind: 'host' });
    const path = join(recorder.directory, 'own');
    // Nor the process that keeps its hooks.
    const keeperRecords = recorder
      .take()
      .filter((event) => event.process?.argv?.[0] === 'sentinel-hooks' && event.process.ppid === process.pid);
    expect(keeperRecords).toEqual([]);
    const keepers = spawnSync('pgrep', ['-f', '^sentinel-hooks'], { encoding: 'utf8' }).stdout;
    expect(keepers.trim()).not.toBe('');
    writeFileSync(path, 'x');
    spawnSync('/bin/true');
    await settle(150);
    const events = recorder.take();
    expect(events.some((event) => event.process?.pid === process.pid)).toBe(false);
    expect(events.some((event) => event.file?.path === path)).toBe(false);
    // Its children are not itself.
    expect(of(events, 'exec').some((event) => event.process?.ppid === process.pid)).toBe(true);
  });

  it('counts what a process does beyond its rate, exactly', async () => {
    recorder = await startRecorder({ rateLimitPerSecond: 500 });
    const { events } = await recorder.run('storm', recorder.directory, '3000');
    const captured = events.filter((event) => event.type === 'file').length;
    await recorder.sensor.stop();
    expect(
      recorder.losses.every(({ cause, lane }) => cause === 'rate_limit' && lane === 'observability'),
    ).toBe(true);
    const stated = recorder.losses.reduce((sum, loss) => sum + (loss.count ?? 0), 0);
    expect(captured).toBeLessThan(6000);
    expect(captured + stated).toBe(9000);
    expect(new Set(recorder.losses.map(({ hook }) => hook))).toEqual(new Set(['openat', 'close', 'unlink']));
    for (const loss of recorder.losses) expect(loss.toNs).toBeGreaterThanOrEqual(loss.fromNs);
  });

  it('states exactly what was lost when nobody reads', async () => {
    recorder = await startRecorder({ rateLimitPerSecond: 0 });
    const { directory, path } = recorder;
    const children = [0, 1].map(() =>
      spawn(
        '/bin/sh',
        ['-c', `echo $$ > ${path}/cgroup.procs; cd /; exec ${workloadBinary()} storm ${directory} 40000`],
        { stdio: 'ignore' },
      ),
    );
    // The main thread stands still: the reader stops at its limit and the ring overflows.
    const ended = children.map((child) => new Promise((resolve) => child.on('close', resolve)));
    const still = new Int32Array(new SharedArrayBuffer(4));
    const running = ({ pid }: { pid?: number }): boolean =>
      !/ Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    for (let waited = 0; waited < 20_000 && children.some(running); waited += 100)
      Atomics.wait(still, 0, 0, 100);
    await Promise.all(ended);
    await recorder.sensor.stop();
    const files = recorder.take().filter((event) => event.type === 'file');
    const stated = recorder.losses.filter(({ lane }) => lane === 'observability');
    const lost = stated.reduce((sum, loss) => sum + (loss.count ?? 0), 0);
    // The recorder left out the two shells' own writes to cgroup.procs, one open and one close each, if captured.
    const tried = recorder.sensor.status().hooks.reduce((sum, hook) => sum + hook.events + hook.lost, 0);
    expect(lost).toBeGreaterThan(0);
    expect(new Set(stated.map(({ cause }) => cause))).toEqual(new Set(['ring_full']));
    // A hook that found no place to build its record in (a storm preempted by another) cannot tell of which lane the
    // record would have been: such losses are stated with the security lane.
    const unplaced = recorder.losses
      .filter(({ lane }) => lane === 'security')
      .reduce((sum, loss) => sum + (loss.count ?? 0), 0);
    const missing = 2 * 40_000 * 3 - files.length - lost;
    expect(missing).toBeGreaterThanOrEqual(0);
    expect(missing).toBeLessThanOrEqual(unplaced);
    expect(tried).toBeGreaterThanOrEqual(files.length + lost);
    // Sequence numbers tell the same: what is missing from them is what was lost.
    const last = new Map<bigint, bigint>();
    for (const event of files) {
      const seq = event.sensorSeq as bigint;
      const cpu = seq >> 40n;
      if ((last.get(cpu) ?? 0n) < seq) last.set(cpu, seq);
    }
    const highest = [...last].reduce((sum, [cpu, seq]) => sum + Number(seq - (cpu << 40n)), 0);
    expect(highest).toBeLessThanOrEqual(files.length + lost + 4);
  });

  it('needs no privilege after it was loaded', () => {
    const [before, after] = inNode(`
      const seen = [];
      const sensor = createEbpfSensor({ scope: { kind: 'pid', pid: process.ppid } });
      await sensor.start({
        onBatch: (batch) => decodeBatch(batch.bytes, batch.wallOffsetNs, (event) => seen.push(event.action)),
        onLoss: (loss) => seen.push(loss.cause),
      });
      process.setgid(65534);
      process.setuid(65534);
      out(process.geteuid());
      seen.length = 0;
      spawnSync('/bin/true');
      await new Promise((resolve) => setTimeout(resolve, 300));
      await sensor.stop();
      out({ seen, active: sensor.status().hooks.filter((hook) => hook.state === 'active').length });
    `);
    expect(before).toBe(65534);
    const { seen, active } = after as { seen: string[]; active: number };
    expect(active).toBeGreaterThan(40);
    expect(seen).toEqual(expect.arrayContaining(['exec', 'exit']));
  });

  it('is gone at once when it is killed, and its hooks soon after', async () => {
    recorder = await startRecorder();
    const sensor = join(import.meta.dirname, '../../agent/sensors/ebpf-sensor.ts');
    const child = spawn(
      process.execPath,
      [
        '--input-type=module-typescript',
        '-e',
        `import { createEbpfSensor } from ${JSON.stringify(sensor)};
         const sensor = createEbpfSensor({ scope: { kind: 'cgroup', path: ${JSON.stringify(recorder.path)} } });
         await sensor.start({ onBatch() {}, onLoss() {} });
         console.log('ready');`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const keeper = spawnSync('pgrep', ['-P', String(child.pid), '-f', '^sentinel-hooks'], {
      encoding: 'utf8',
    });
    const pid = Number(keeper.stdout);
    expect(pid).toBeGreaterThan(1);
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
    // The keeper lets go of the hooks by itself: 20 s is four times what the kernel takes.
    let alive = true;
    for (let turn = 0; turn < 200 && alive; turn++) {
      await settle(100);
      alive = existsSync(`/proc/${pid}`);
    }
    expect(alive).toBe(false);
  });

  it('says what is missing where it may not run', () => {
    const [error] = inNode(`
      process.setgid(65534);
      process.setuid(65534);
      try {
        createEbpfSensor({ scope: { kind: 'host' } });
      } catch (error) {
        out({ name: error.name, reason: error.reason, message: error.message });
      }
    `);
    expect(error).toMatchObject({ name: 'EbpfUnavailableError', reason: 'permission' });
    expect((error as { message: string }).message).toContain('start the agent as root');
  });

  it.each([
    ['scope', { scope: { kind: 'cgroup', path: '/no/such/cgroup' } }],
    ['object', { scope: { kind: 'host' }, objectPath: '/no/such/object' }],
    ['object', { scope: { kind: 'host' }, objectPath: '/etc/passwd' }],
  ] as const)('refuses with reason %s', (wanted, options) => {
    expect(() => createEbpfSensor(options)).toThrow(expect.objectContaining({ reason: wanted }));
  });

  it('appends security records to the log before anybody hears of them', async () => {
    recorder = await startRecorder();
    const { directory, path } = recorder;
    const dir = join(directory, 'wal');
    const { writer } = await openWal({ dir, lane: 'security', deviceId: 'test', epoch: 1 });
    const batches: SensorBatch[] = [];
    const sensor = createEbpfSensor({ scope: { kind: 'cgroup', path }, walHandle: writer.nativeHandle });
    await sensor.start({ onBatch: (batch) => batches.push(batch), onLoss: () => {} });
    await recorder.run('fork', '100');
    await sensor.stop();
    await writer.close();
    const security = batches.filter(({ lane }) => lane === 'security');
    expect(security.length).toBeGreaterThan(0);
    const reader = openWalReader(dir, { fromSeq: 1 });
    let at = 0;
    for (const record of reader.scan(1, 10_000)) {
      if (record.type !== RecordType.sensor) continue;
      const batch = security.find(
        ({ firstSeq, count }) => firstSeq <= record.seq && record.seq < firstSeq + count,
      );
      expect(batch).toBeDefined();
      expect(record.schema).toBe(Schema.sensorV1);
      expect(record.wallNs - record.payload.readBigUInt64LE(8)).toBe(batch?.wallOffsetNs);
      at += 1;
    }
    expect(at).toBe(security.reduce((sum, { count }) => sum + count, 0));
    const events: string[] = [];
    for (const batch of security)
      decodeBatch(batch.bytes, batch.wallOffsetNs, (event) => events.push(event.action));
    expect(events.filter((action) => action === 'fork')).toHaveLength(100);
    reader.close();
    expect(statSync(dir).isDirectory()).toBe(true);
  });
});
