/** One process id, several lives: real processes that are given the id of one that ended. */
import { copyFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProcessTree } from '../../agent/sensors/process-tree.ts';
import { compile } from './compile.ts';
import { of, type Recorder, skipNote, startRecorder, whyNot } from './recorder.ts';

const reason = whyNot();
if (reason) console.warn(`test/native/pid-reuse: skipped: ${reason}`);

describe.skipIf(reason)(`a process id that is used again${skipNote(reason)}`, () => {
  let recorder: Recorder;
  beforeAll(async () => {
    recorder = await startRecorder();
  });
  afterAll(() => recorder.stop());

  it('keeps program, parent and ancestry of its lives apart', async () => {
    const tiny = compile(['test/native/tiny.c'], ['-nostdlib']);
    const [first, second] = ['first-life', 'second-life'].map((name) => {
      const copy = join(recorder.directory, name);
      copyFileSync(tiny, copy);
      return copy;
    }) as [string, string];
    const { events, pid: main, stdout } = await recorder.run('reuse', first, second);
    const [pid, other] = stdout.trim().split(' ').map(Number) as [number, number];

    const tree = new ProcessTree();
    for (const event of events) tree.apply(event);

    // The id's first owner only lent it; then the two lives.
    const starts = of(events, 'fork')
      .filter((event) => event.process?.pid === pid)
      .map((event) => event.process?.startNs ?? 0n);
    expect(starts).toHaveLength(3);
    expect(new Set(starts).size).toBe(3);
    const lives = [
      { startNs: starts[1], executable: first, argument: 'first', parent: main },
      { startNs: starts[2], executable: second, argument: 'second', parent: other },
    ];
    for (const { startNs, executable, argument, parent } of lives) {
      const mine = events.filter((event) => event.process?.pid === pid && event.process.startNs === startNs);
      expect(mine.map((event) => event.action)).toEqual(['fork', 'exec', 'exit']);
      for (const event of mine) expect(event.process).toMatchObject({ ppid: parent });
      const parentStart = events.find((event) => event.process?.pid === parent)?.process?.startNs;
      expect(tree.get(pid, startNs)).toMatchObject({
        pid,
        startNs,
        ppid: parent,
        parentStartNs: parentStart,
        executable,
        name: basename(executable),
        argv: [executable, argument],
      });
      // The exit, which names no program itself, is completed by the right life.
      expect(mine.at(-1)?.process).toMatchObject({ executable, parentStartNs: parentStart });
    }
  });
});
