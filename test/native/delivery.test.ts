/** Who reads the rings: the main thread at rest, a thread of its own under load, and the change between the two. */
import { spawn } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeBatch } from '../../agent/sensors/decode.ts';
import { createEbpfSensor } from '../../agent/sensors/ebpf-sensor.ts';
import type { Sensor } from '../../agent/sensors/types.ts';
import { cgroup2, settle, skipNote, whyNot } from './recorder.ts';

const reason = whyNot();
if (reason) console.warn(`test/native/delivery: skipped: ${reason}`);

describe.skipIf(reason)(`delivery at rest and under load${skipNote(reason)}`, () => {
  let sensor: Sensor;
  let path = '';
  let batches: string[][] = [];
  let losses = 0;

  beforeAll(async () => {
    path = join(cgroup2() as string, `sentinel-delivery-${process.pid}`);
    mkdirSync(path);
    sensor = createEbpfSensor({ scope: { kind: 'cgroup', path } });
    await sensor.start({
      onBatch(batch) {
        const actions: string[] = [];
        decodeBatch(batch.bytes, batch.wallOffsetNs, (event) => actions.push(event.action));
        batches.push(actions);
      },
      onLoss: () => {
        losses += 1;
      },
    });
  });
  afterAll(async () => {
    await sensor.stop();
    rmdirSync(path);
  });

  const inside = (script: string): ReturnType<typeof spawn> =>
    spawn('/bin/sh', ['-c', `echo $$ > ${path}/cgroup.procs; ${script}`], { stdio: 'ignore' });
  const ended = (child: ReturnType<typeof spawn>): Promise<unknown> =>
    new Promise((resolve) => child.once('close', resolve));
  const starts = (): number => batches.flat().filter((action) => action === 'exec').length;
  const program = 'sleep 0.04';

  it('goes on waking the main thread after that was busy', async () => {
    // Until whatever ran before counts no more towards the load.
    await settle(500);
    batches = [];
    const child = inside('/bin/true; exit 0');
    // The loop cannot run: what happens meanwhile is taken from the rings by the other thread, to the last record.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
    await ended(child);
    await settle(150);
    expect(starts()).toBe(1);
    batches = [];
    await ended(inside(`for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do ${program}; done; exit 0`));
    await settle(150);
    expect(starts()).toBe(16);
    // 48 records in some 700 ms. Without wake-ups they would come ten times a second, some seven a time.
    expect(batches.length).toBeGreaterThan(20);
  });

  it('changes hands at the beginning and the end of a storm without losing or doubling a record', async () => {
    batches = [];
    for (let round = 0; round < 3; round++) {
      await ended(inside('i=0; while [ $i -lt 400 ]; do /bin/true; i=$((i+1)); done; exit 0'));
      // Long enough that the rate is one of rest again.
      await settle(400);
    }
    expect(starts()).toBe(3 * 400);
    expect(losses).toBe(0);
    // Under load records share batches.
    expect(batches.flat().length / batches.length).toBeGreaterThan(2);
  });

  it('delivers what is left when it stops, and nothing after', async () => {
    batches = [];
    await ended(inside('for i in 1 2 3; do /bin/true; done; exit 0'));
    await sensor.stop();
    const count = batches.flat().length;
    expect(starts()).toBe(3);
    await settle(100);
    expect(batches.flat().length).toBe(count);
  });
});
