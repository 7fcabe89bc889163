/** The writer's process is killed at random moments and goes on from what is left: nothing acknowledged may be lost. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCore } from '../../native-addon/index.ts';
import { buildDriver, canBuild } from './build-driver.ts';
import { SEGMENT_BYTES, type Verdict, judge } from './content.ts';
import { seeded } from './power-loss.ts';

const LOOPS = Number(process.env['SENTINEL_CRASH_LOOPS'] ?? 1);
const hasAddon = loadCore().ok;
if (!canBuild) console.warn('kills of the native writer alone are not tested: there is no g++');
if (!hasAddon) console.warn('kills of the native writer inside Node are not tested: the addon did not load');

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sentinel-kill-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Starts a writer, kills it after a random time; returns the last durable sequence number it told. */
function killOnce(command: string, args: readonly string[], afterMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NODE_COMPILE_CACHE: join(scratch, 'compiled') };
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
    let told = 0;
    let rest = Buffer.alloc(0);
    let timer: NodeJS.Timeout | undefined;
    child.stdout.on('data', (bytes: Buffer) => {
      // The clock starts with the first acknowledgement: starting takes longer than writing.
      timer ??= setTimeout(() => child.kill('SIGKILL'), afterMs);
      rest = Buffer.concat([rest, bytes]);
      for (; rest.length >= 8; rest = rest.subarray(8))
        told = Math.max(told, Number(rest.readBigUInt64LE(0)));
    });
    child.on('error', reject);
    child.on('close', (_code, signal) => {
      clearTimeout(timer);
      if (signal === 'SIGKILL') resolve(told);
      else reject(new Error(`the writer ended by itself: ${String(_code)}`));
    });
  });
}

interface Totals {
  kills: number;
  lost: number;
  silent: number;
  falseGaps: number;
}

async function killRounds(
  kills: number,
  maxMs: number,
  start: (dir: string, from: Verdict['recovered'], epoch: number) => [string, string[]],
): Promise<Totals> {
  const totals: Totals = { kills: 0, lost: 0, silent: 0, falseGaps: 0 };
  const random = seeded(kills);
  let dir = '';
  let verdict: Verdict | undefined;
  for (let kill = 0; kill < kills; kill++) {
    // A fresh folder now and then, so that judging stays quick.
    if (kill % 20 === 0) {
      dir = mkdtempSync(join(scratch, 'log-'));
      verdict = judge(dir, 0);
    }
    const before = (verdict as Verdict).recovered;
    const [command, args] = start(dir, before, kill + 1);
    const told = await killOnce(command, args, random() * maxMs);
    verdict = judge(dir, Math.max(told, before.recovered.lastSeq));
    totals.kills++;
    totals.lost += verdict.lost;
    totals.silent += verdict.silent;
    totals.falseGaps += verdict.falseGaps;
  }
  return totals;
}

const NONE = { lost: 0, silent: 0, falseGaps: 0 };
const driverArgs = (dir: string, from: Verdict['recovered'], direct: string): string[] => [
  dir,
  `${SEGMENT_BYTES}`,
  direct,
  `${from.nextSegment}`,
  `${from.nextSeq}`,
  `${from.nextCommit}`,
  from.chain.toString('hex'),
  '100000000',
];

describe('SIGKILL', () => {
  it.skipIf(!canBuild)(
    'native writer, 280 kills (skipped: needs g++)',
    async () => {
      const driver = buildDriver();
      const totals = await killRounds(280 * LOOPS, 30, (dir, from, epoch) => [
        driver,
        driverArgs(dir, from, epoch % 2 === 0 ? '1' : '0'),
      ]);
      expect(totals).toMatchObject(NONE);
    },
    300_000 * LOOPS,
  );

  it.skipIf(!canBuild)(
    'the checker catches a writer that acknowledges first (skipped: needs g++)',
    async () => {
      const driver = buildDriver({
        name: 'acknowledge-first',
        file: 'writer.cc',
        from: 'ChainHead next = head_;',
        to: 'ChainHead next = head_; if (block) { durable_seq_ = head_.seq + block->count; const struct timespec p = {0, 5000000}; nanosleep(&p, nullptr); }',
      });
      const totals = await killRounds(40, 30, (dir, from) => [driver, driverArgs(dir, from, '1')]);
      expect(totals.lost).toBeGreaterThan(0);
    },
  );

  it.skipIf(!hasAddon)(
    'a Node process with the native writer, 70 kills (skipped: needs the addon)',
    async () => expect(await killNode('native')).toMatchObject(NONE),
    300_000 * LOOPS,
  );

  it(
    'a Node process with the JS writer, 70 kills',
    async () => expect(await killNode('js')).toMatchObject(NONE),
    300_000 * LOOPS,
  );
});

function killNode(prefer: 'native' | 'js'): Promise<Totals> {
  const child = join(import.meta.dirname, 'writer-process.ts');
  return killRounds(70 * LOOPS, 40, (dir, _from, epoch) => [
    process.execPath,
    [child, dir, prefer, `${epoch}`],
  ]);
}
