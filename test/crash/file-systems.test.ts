/**
 * Real file systems that stop at a random moment under the writer: ext4 and xfs on loop devices, shut down without
 * flushing their journals, mounted again (which replays the journal). Nothing acknowledged may be lost.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../native/compile.ts';
import { buildDriver, canBuild } from './build-driver.ts';
import { SEGMENT_BYTES, type Verdict, judge } from './content.ts';
import { seeded } from './power-loss.ts';

const LOOPS = Number(process.env['SENTINEL_CRASH_LOOPS'] ?? 1);
const KINDS = [
  { kind: 'ext4', megabytes: 64, make: ['mkfs.ext4', '-q', '-F'] },
  { kind: 'xfs', megabytes: 320, make: ['mkfs.xfs', '-q', '-f'] },
] as const;

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sentinel-fs-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function ok(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

interface Volume {
  mount: string;
  shutDown(): boolean;
  /** Unmounts and mounts again. */
  remount(): boolean;
  remove(): void;
}

/** A new file system on a loop device; a reason where that is not possible. */
function makeVolume(kind: (typeof KINDS)[number]): Volume | string {
  if (process.getuid?.() !== 0) return 'it needs root to mount';
  if (!canBuild) return 'there is no g++';
  const image = join(scratch, `${kind.kind}.img`);
  const mount = join(scratch, kind.kind);
  mkdirSync(mount, { recursive: true });
  if (!ok('truncate', '-s', `${kind.megabytes}M`, image)) return 'no space for the image';
  const [command, ...args] = kind.make;
  if (!ok(command, ...args, image)) return `${command} is not there or failed`;
  if (!ok('mount', '-o', 'loop', image, mount))
    return `this kernel does not mount ${kind.kind} on a loop device`;
  const stop = compile(['test/crash/shutdown.c']);
  const unmount = (): boolean => ok('umount', mount) || ok('umount', '-l', mount);
  return {
    mount,
    shutDown: () => ok(stop, mount),
    remount: () => unmount() && ok('mount', '-o', 'loop', image, mount),
    remove: () => void unmount(),
  };
}

interface Totals {
  stops: number;
  acknowledged: number;
  lost: number;
  silent: number;
}

/** Stops the file system under the driver `times` times; each time the log goes on from what is left. */
async function loops(volume: Volume, driver: string, times: number, direct: boolean): Promise<Totals> {
  const totals: Totals = { stops: 0, acknowledged: 0, lost: 0, silent: 0 };
  const random = seeded(times);
  for (let turn = 0; turn < times; turn++) {
    // Now and then a fresh folder, so that its creation is cut as well.
    const dir = join(volume.mount, `log-${direct}-${Math.floor(turn / 4)}`);
    mkdirSync(dir, { recursive: true });
    if (turn % 4 === 0) spawnSync('sync', ['-f', volume.mount]);
    const before: Verdict = judge(dir, 0);
    const from = before.recovered;
    const child = spawn(
      driver,
      [dir, `${SEGMENT_BYTES}`, direct ? '1' : '0', `${from.nextSegment}`, `${from.nextSeq}`].concat([
        `${from.nextCommit}`,
        from.chain.toString('hex'),
        '100000000',
      ]),
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const ended = new Promise((resolve) => child.once('close', resolve));
    let told = from.recovered.lastSeq;
    let rest = Buffer.alloc(0);
    let stopped = false;
    // However slow the disk is: some dozens of records, and a little.
    const enough = told + 15 + random() * 30;
    await new Promise((resolve) => {
      void ended.then(resolve);
      child.stdout.on('data', (bytes: Buffer) => {
        rest = Buffer.concat([rest, bytes]);
        for (; rest.length >= 8; rest = rest.subarray(8)) told = Number(rest.readBigUInt64LE(0));
        if (told >= enough) resolve(undefined);
      });
    });
    await sleep(random() * 30);
    stopped = volume.shutDown();
    expect(stopped).toBe(true);
    // The writer may end by itself: every write fails now.
    await Promise.race([ended, sleep(200)]);
    child.kill('SIGKILL');
    await ended;
    expect(volume.remount()).toBe(true);
    mkdirSync(dir, { recursive: true });
    const verdict = judge(dir, told);
    totals.stops++;
    totals.acknowledged += told - from.recovered.lastSeq;
    totals.lost += verdict.lost;
    totals.silent += verdict.silent;
    // A mutant's damage must not count twice.
    if (verdict.lost + verdict.silent > 0) rmSync(dir, { recursive: true });
  }
  return totals;
}

describe.each(KINDS)('$kind that stops under the writer', (kind) => {
  it('loses nothing acknowledged, and the check catches a writer that does not sync', async (context) => {
    const volume = makeVolume(kind);
    if (typeof volume === 'string') {
      console.warn(`SKIPPED: ${kind.kind} shut down under the writer is not tested: ${volume}`);
      context.skip();
      return;
    }
    try {
      const driver = buildDriver();
      const direct = await loops(volume, driver, 10 * LOOPS, true);
      const buffered = await loops(volume, driver, 8 * LOOPS, false);
      console.info(
        `${kind.kind}: ${direct.stops + buffered.stops} stops, ` +
          `${direct.acknowledged + buffered.acknowledged} records acknowledged, lost ${direct.lost + buffered.lost}`,
      );
      for (const totals of [direct, buffered]) {
        expect(totals).toMatchObject({ lost: 0, silent: 0 });
        expect(totals.acknowledged).toBeGreaterThan(100);
      }
      const mutant = buildDriver({
        name: 'no-fdatasync',
        file: 'segment_file.cc',
        from: 'return fdatasync(file.fd) == 0 ? 0 : errno;',
        to: 'return 0;',
      });
      const careless = await loops(volume, mutant, 5, false);
      expect(careless.lost).toBeGreaterThan(0);
    } finally {
      volume.remove();
    }
  });
});
