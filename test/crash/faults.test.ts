/** Disks that fail or fill up while the log is written, and the log against a model of itself. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WalFailedError } from '../../agent/wal/errors.ts';
import { openWal } from '../../agent/wal/open.ts';
import { readAll, testedWriters, textRecord } from '../../agent/wal/testing.ts';
import type { WalFs, WalState, WalWriter } from '../../agent/wal/types.ts';
import { verifyWal } from '../../agent/wal/verify.ts';
import { realFs } from '../../agent/wal/wal-fs.ts';
import { crashOptions } from './content.ts';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sentinel-faults-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const folder = (): string => mkdtempSync(join(scratch, 'log-'));

/** Fails the given durable syncs of commits (1 is the first after the file was filled with zeros). */
function failingFs(failing: ReadonlySet<number>): WalFs {
  let commits = 0;
  return {
    ...realFs,
    async create(path) {
      const file = await realFs.create(path);
      let filled = false;
      return {
        ...file,
        async datasync() {
          if (filled && failing.has(++commits))
            throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
          await file.datasync();
          filled = true;
        },
      };
    },
  };
}

describe('a disk that fails', () => {
  it('one failed sync: the commit moves to the next segment, nothing is lost, the log is healthy again', async () => {
    const dir = folder();
    const states: WalState[] = [];
    const { writer } = await openWal({
      ...crashOptions(dir),
      fs: failingFs(new Set([3])),
      onState: (state) => states.push(state),
    });
    for (let seq = 1; seq <= 6; seq++) await writer.whenDurable(writer.append([textRecord(`${seq}`)], true));
    expect(writer.stats()).toMatchObject({ failedWrites: 1, durableSeq: 6 });
    await writer.close();
    expect(states[0]).toBe('degraded');
    expect(readAll(dir).records.map((r) => r.payload.toString())).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(await verifyWal(dir)).toMatchObject({ ok: true, records: 6, segments: 2 });
  });

  it('two in a row: the log says it failed, acknowledges nothing more and takes nothing more', async () => {
    const dir = folder();
    const { writer } = await openWal({ ...crashOptions(dir), fs: failingFs(new Set([3, 4])) });
    await writer.whenDurable(writer.append([textRecord('1')], true));
    await writer.whenDurable(writer.append([textRecord('2')], true));
    await expect(writer.whenDurable(writer.append([textRecord('3')], true))).rejects.toThrow(WalFailedError);
    expect(writer.stats()).toMatchObject({ state: 'failed', durableSeq: 2, pendingBytes: 0 });
    expect(() => writer.append([textRecord('4')], true)).toThrow(WalFailedError);
    await expect(writer.close()).rejects.toThrow(WalFailedError);
    // The record that was never acknowledged may be there or not, as after any crash.
    expect(
      readAll(dir)
        .records.slice(0, 2)
        .map((r) => r.payload.toString()),
    ).toEqual(['1', '2']);
  });
});

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('a full disk is not tested: mounting a tmpfs needs root');

describe.skipIf(!isRoot)('a full disk (skipped: needs root to mount a tmpfs)', () => {
  it.each(testedWriters())(
    '%s writer: keeps what it acknowledged, says so, and goes on when there is space',
    async (prefer) => {
      const mount = folder();
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount]).status !== 0) {
        console.warn('a full disk is not tested: tmpfs cannot be mounted here');
        return;
      }
      try {
        const dir = join(mount, 'log');
        mkdirSync(dir);
        const ballast = join(mount, 'ballast');
        writeFileSync(ballast, Buffer.alloc(600 * 1024));
        const { writer } = await openWal({ ...crashOptions(dir), prefer, maxPendingBytes: 256 * 1024 });
        const before = await fillUp(writer);
        expect(writer.stats()).toMatchObject({ state: 'degraded', durableSeq: before });
        expect(writer.stats().reason).toMatch(/disk/);
        expect(readAll(dir).records.length).toBeGreaterThanOrEqual(before);
        rmSync(ballast);
        const { lastSeq } = writer.stats();
        await writer.whenDurable(lastSeq);
        await writer.close();
        expect(readAll(dir).records).toHaveLength(lastSeq);
        expect((await verifyWal(dir)).ok).toBe(true);
      } finally {
        spawnSync('umount', ['-l', mount]);
      }
    },
  );
});

/** Appends until the log takes no more; returns what is durable then. */
async function fillUp(writer: WalWriter): Promise<number> {
  for (;;) {
    try {
      writer.append([textRecord('x'.repeat(4000))], true);
    } catch {
      return writer.durableSeq;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

type Step =
  | { kind: 'append'; sizes: number[]; urgent: boolean }
  | { kind: 'wait' }
  | { kind: 'reopen'; prefer: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('append' as const),
      sizes: fc.array(fc.oneof(fc.nat(300), fc.nat(20_000)), { minLength: 1, maxLength: 6 }),
      urgent: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('wait' as const) }),
    fc.record({ kind: fc.constant('reopen' as const), prefer: fc.nat(1) }),
  ),
  { maxLength: 25 },
);

describe('the log against a model (a list of payloads)', () => {
  it('append, wait and reopen with either writer in any order: reading gives the list', async () => {
    const writers = testedWriters();
    await fc.assert(
      fc.asyncProperty(steps, async (run) => {
        const dir = folder();
        const model: number[] = [];
        let epoch = 1;
        let { writer } = await openWal({ ...crashOptions(dir), epoch });
        for (const step of run) {
          if (step.kind === 'append') {
            const first = writer.append(
              step.sizes.map((size, i) => textRecord(`${model.length + 1 + i}:`.padEnd(size + 8, '.'))),
              step.urgent,
            );
            expect(first).toBe(model.length + 1);
            for (const size of step.sizes) model.push(size + 8);
          } else if (step.kind === 'wait') {
            await writer.whenDurable(model.length);
          } else {
            await writer.close();
            const opened = await openWal({
              ...crashOptions(dir),
              epoch: ++epoch,
              prefer: writers[step.prefer] ?? 'js',
            });
            expect(opened.recovered).toMatchObject({ lastSeq: model.length, gaps: [], cleanShutdown: true });
            writer = opened.writer;
          }
        }
        await writer.close();
        const { records, reader } = readAll(dir, 1);
        expect(records.map((r) => [Number.parseInt(r.payload.toString(), 10), r.payload.length])).toEqual(
          model.map((size, i) => [i + 1, size]),
        );
        expect(reader.takeGaps()).toEqual([]);
        expect((await verifyWal(dir)).ok).toBe(true);
        rmSync(dir, { recursive: true });
      }),
      { numRuns: 40 },
    );
  });
});
