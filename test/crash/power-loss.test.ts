/** Power loss at any moment, with and without failing writes: nothing acknowledged may be lost. Mutants must be caught. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWal } from '../../agent/wal/open.ts';
import { realFs } from '../../agent/wal/wal-fs.ts';
import type { WalFs } from '../../agent/wal/types.ts';
import { type Mutant, buildDriver, buildTracer, canBuild } from './build-driver.ts';
import { SEGMENT_BYTES, contentOf, crashOptions, judge } from './content.ts';
import { Disk, Op, type TraceEvent, parseTrace, seeded } from './power-loss.ts';

const LOOPS = Number(process.env['SENTINEL_CRASH_LOOPS'] ?? 1);
const RECORDS = 160;
if (!canBuild) console.warn('power loss of the native writer is not tested: there is no g++');

let scratch: string;
let tracer: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sentinel-power-'));
  if (canBuild) tracer = buildTracer();
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Fault {
  FAIL_WRITE?: string;
  FAIL_SYNC?: string;
  FAIL_ERRNO?: string;
  SHORT_WRITE?: string;
}

const ENOSPC = `${constants.errno.ENOSPC}`;

function traceOf(driver: string, direct: boolean, fault: Fault = {}): TraceEvent[] {
  const dir = mkdtempSync(join(scratch, 'run-'));
  const args = [dir, `${SEGMENT_BYTES}`, direct ? '1' : '0', '1', '1', '1', '00'.repeat(32), `${RECORDS}`];
  const env = { ...process.env, ...fault, LD_PRELOAD: tracer, TRACE_DIR: dir, TRACE_FILE: `${dir}.trace` };
  const run = spawnSync(driver, args, { env, timeout: 60_000 });
  if (run.error) throw run.error;
  return parseTrace(readFileSync(`${dir}.trace`));
}

interface Totals {
  states: number;
  lost: number;
  silent: number;
  falseGaps: number;
  /** Highest acknowledgement seen. */
  acknowledged: number;
}

/** Judges `states` random states of one trace. */
function replay(events: readonly TraceEvent[], states: number, seed: number): Totals {
  const random = seeded(seed);
  const cuts = Array.from({ length: states }, () => Math.floor(random() * (events.length + 1))).sort(
    (a, b) => a - b,
  );
  const disk = new Disk(random);
  const dir = join(scratch, 'state');
  const totals: Totals = { states, lost: 0, silent: 0, falseGaps: 0, acknowledged: 0 };
  let at = 0;
  for (const cut of cuts) {
    for (; at < cut; at++) disk.apply(events[at] as TraceEvent);
    disk.materialize(dir);
    const verdict = judge(dir, disk.acknowledged);
    totals.lost += verdict.lost > 0 ? 1 : 0;
    totals.silent += verdict.silent > 0 ? 1 : 0;
    totals.falseGaps += verdict.falseGaps > 0 ? 1 : 0;
    totals.acknowledged = Math.max(totals.acknowledged, disk.acknowledged);
  }
  return totals;
}

/** As many states with a loss are no accident. */
const CAUGHT = 10;

/**
 * States with a loss, at most a few more than CAUGHT. What is left of a failed write is drawn once for each seed, and may
 * happen to be all of it.
 */
function lossesOf(events: readonly TraceEvent[]): number {
  let lost = 0;
  for (let seed = 11; seed < 35 && lost <= CAUGHT; seed++) lost += replay(events, 40, seed).lost;
  return lost;
}

const NONE = { lost: 0, silent: 0, falseGaps: 0 };

describe.skipIf(!canBuild)('power loss, native writer (skipped: needs g++)', () => {
  it.each([
    ['O_DIRECT|O_DSYNC', true, 1800, {}],
    ['write + fdatasync', false, 1400, {}],
    ['a write that fails with EIO, O_DIRECT', true, 600, { FAIL_WRITE: '12' }],
    ['a full disk (ENOSPC) at a write, O_DIRECT', true, 400, { FAIL_WRITE: '12', FAIL_ERRNO: ENOSPC }],
    ['a write that is cut short', true, 400, { SHORT_WRITE: '4' }],
    ['a sync that fails with EIO and drops its pages', false, 600, { FAIL_SYNC: '9' }],
  ])('%s: nothing acknowledged is lost in any state', (_name, direct, states, fault) => {
    const events = traceOf(buildDriver(), direct, fault);
    const totals = replay(events, states * LOOPS, 7);
    expect(totals).toMatchObject(NONE);
    expect(totals.acknowledged).toBe(RECORDS);
  });

  const mutants: [Mutant, boolean, Fault][] = [
    [
      {
        name: 'no-dsync',
        file: 'segment_file.cc',
        from: '(options.direct ? O_DIRECT | O_DSYNC : 0)',
        to: '(options.direct ? O_DIRECT : 0)',
      },
      true,
      {},
    ],
    [
      {
        name: 'no-fdatasync',
        file: 'segment_file.cc',
        from: 'return fdatasync(file.fd) == 0 ? 0 : errno;',
        to: 'return 0;',
      },
      false,
      {},
    ],
    [
      {
        name: 'acknowledge-first',
        file: 'writer.cc',
        from: 'ChainHead next = head_;',
        to: 'ChainHead next = head_; if (block) { durable_seq_ = head_.seq + block->count; const struct timespec p = {0, 5000000}; nanosleep(&p, nullptr); }',
      },
      true,
      {},
    ],
    [
      {
        name: 'no-directory-sync',
        file: 'segment_file.cc',
        from: 'if (err == 0) err = SyncDirectory(options.dir);',
        to: '',
      },
      true,
      {},
    ],
    [
      {
        name: 'retry-the-same-segment',
        file: 'segment_file.cc',
        from: 'return fdatasync(file.fd) == 0 ? 0 : errno;',
        to: 'return fdatasync(file.fd) == 0 || fdatasync(file.fd) == 0 ? 0 : errno;',
      },
      false,
      { FAIL_SYNC: '9' },
    ],
    [
      {
        name: 'forget-one-EIO',
        file: 'segment_file.cc',
        from: 'return fdatasync(file.fd) == 0 ? 0 : errno;',
        to: 'return fdatasync(file.fd) == 0 || errno == EIO ? 0 : errno;',
      },
      false,
      { FAIL_SYNC: '9' },
    ],
    [
      {
        name: 'acknowledge-on-a-full-disk',
        file: 'segment_file.cc',
        from: 'if (errno == EINTR) continue;',
        to: 'if (errno == EINTR) continue; if (errno == ENOSPC) return 0;',
      },
      true,
      { FAIL_WRITE: '12', FAIL_ERRNO: ENOSPC },
    ],
    [
      {
        name: 'take-a-short-write-for-a-whole-one',
        file: 'segment_file.cc',
        from: 'data += n;',
        to: 'if (static_cast<size_t>(n) < len) return 0; data += n;',
      },
      true,
      { SHORT_WRITE: '4' },
    ],
    [
      {
        name: 'write-on-in-the-failed-segment',
        file: 'writer.cc',
        from: 'segment_bad_ = true;',
        to: 'segment_bad_ = false; segment_used_ += padded; segment_fresh_ = false; if (block) { head_.seq += block->count; durable_seq_ = head_.seq; } return true;',
      },
      true,
      { FAIL_WRITE: '12' },
    ],
  ];
  const named = mutants.map(([mutant, direct, fault]) => ({ name: mutant.name, mutant, direct, fault }));
  it.each(named)('the checker catches the mutant $name', ({ mutant, direct, fault }) => {
    expect(lossesOf(traceOf(buildDriver(mutant), direct, fault))).toBeGreaterThan(CAUGHT);
  });
});

type JsMistake = 'no-datasync' | 'no-directory-sync' | 'forget-one-EIO';

/**
 * The real file system, every operation written down; `mistake` leaves something out; the sync of commit `failing` gives
 * EIO. The syncs of a segment in preparation, which carry only zeros and come whenever the disk allows, do not count.
 */
function tracingFs(events: TraceEvent[], mistake?: JsMistake, failing = 0): WalFs {
  let commits = 0;
  const log = (op: number, file: number, offset = 0, bytes?: Buffer): void => {
    events.push({ op, dsync: false, failed: false, file, offset, length: bytes?.length ?? 0, bytes });
  };
  const numbers = new Map<string, number>();
  return {
    ...realFs,
    async create(path) {
      const file = await realFs.create(path);
      const number = numbers.size + 1;
      numbers.set(path, number);
      log(Op.create, number, 0, Buffer.from(path));
      let carriesCommit = false;
      return {
        async write(bytes, position) {
          carriesCommit ||= bytes.some((byte) => byte !== 0);
          log(Op.writeStart, number, position, Buffer.from(bytes));
          await file.write(bytes, position);
          log(Op.writeEnd, number);
        },
        async datasync() {
          if (mistake === 'no-datasync') return;
          if (carriesCommit && ++commits === failing) {
            events.push({ op: Op.sync, dsync: false, failed: true, file: number, offset: 0, length: 0 });
            if (mistake === 'forget-one-EIO') return;
            throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
          }
          await file.datasync();
          log(Op.sync, number);
        },
        async truncate(length) {
          await file.truncate(length);
          log(Op.truncate, number, length);
        },
        close: () => file.close(),
      };
    },
    async syncDir(dir) {
      if (mistake === 'no-directory-sync') return;
      await realFs.syncDir(dir);
      log(Op.syncDir, 0);
    },
    async unlink(path) {
      await realFs.unlink(path);
      log(Op.unlink, numbers.get(path) ?? 0);
    },
  };
}

async function traceOfJs(mistake?: JsMistake, failing = 0): Promise<TraceEvent[]> {
  const events: TraceEvent[] = [];
  const dir = mkdtempSync(join(scratch, 'js-'));
  const { writer } = await openWal({ ...crashOptions(dir), fs: tracingFs(events, mistake, failing) });
  for (let seq = 1; seq <= RECORDS;) {
    const batch = Array.from({ length: Math.min(1 + (seq % 5), RECORDS - seq + 1) }, (_, i) => ({
      type: 2,
      schema: 2,
      wallNs: 1n,
      payload: contentOf(seq + i),
    }));
    writer.append(batch, true);
    seq += batch.length;
    await writer.whenDurable(seq - 1);
    events.push({ op: Op.ack, dsync: false, failed: false, file: 0, offset: seq - 1, length: 0 });
  }
  await writer.close();
  return events;
}

describe('power loss, JS writer', () => {
  it('nothing acknowledged is lost in any state', async () => {
    const totals = replay(await traceOfJs(), 600 * LOOPS, 13);
    expect(totals).toMatchObject({ ...NONE, acknowledged: RECORDS });
  });

  it('nor after a sync that failed with EIO and dropped its pages', async () => {
    const totals = replay(await traceOfJs(undefined, 12), 400 * LOOPS, 19);
    expect(totals).toMatchObject({ ...NONE, acknowledged: RECORDS });
  });

  it.each([
    ['no-datasync', 0],
    ['no-directory-sync', 0],
    ['forget-one-EIO', 12],
  ] as const)('the checker catches the mutant %s', async (mistake, failing) => {
    expect(lossesOf(await traceOfJs(mistake, failing))).toBeGreaterThan(CAUGHT);
  });
});
