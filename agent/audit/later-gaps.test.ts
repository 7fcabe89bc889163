/** A range of the record whose losses were stated only after it: the bundle of the range says so, signed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GapInfo } from '../event.ts';
import { createVerifier, openIdentity, type Identity } from '../identity/identity.ts';
import { openWal } from '../wal/open.ts';
import { smallWal, textRecord } from '../wal/testing.ts';
import type { BundleReport } from './bundle-report.ts';
import { verifyBundle } from './bundle-verify.ts';
import { writeBundle } from './bundle-write.ts';
import { Checkpointer } from './checkpoint.ts';
import { gapRecord } from './gap.ts';

const NS_PER_MS = 1_000_000n;
const folder = mkdtempSync(join(tmpdir(), 'sentinel-later-gaps-'));
const dir = join(folder, 'log');
let identity: Identity;
let untilNs: bigint;

const nowNs = (): bigint => BigInt(Date.now()) * NS_PER_MS;
const gap = (fromNs: bigint, count: number): GapInfo => ({
  lane: 'security',
  cause: 'ring_full',
  count,
  fromNs,
  toNs: fromNs + 1n,
});

async function afterThisMillisecond(): Promise<void> {
  const then = Date.now();
  while (Date.now() <= then + 1) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function exported(range: {
  sinceNs?: bigint;
  untilNs?: bigint;
}): Promise<{ report: BundleReport; file: string; told: number }> {
  const file = join(folder, 'range.sab');
  const pieces: Buffer[] = [];
  const { laterGaps } = await writeBundle({
    lanes: [{ lane: 'security', dir }],
    identity,
    agentVersion: 'test',
    createdNs: nowNs(),
    ...range,
    write: (bytes) => void pieces.push(Buffer.from(bytes)),
  });
  writeFileSync(file, Buffer.concat(pieces));
  return { report: verified(file), file, told: laterGaps };
}

function verified(file: string): BundleReport {
  return verifyBundle(file, {
    verifier: createVerifier([identity.publicKeyPem]),
    verifierOf: createVerifier,
  });
}

beforeAll(async () => {
  identity = openIdentity(folder);
  const { writer } = await openWal(
    smallWal(dir, { lane: 'security', epoch: 1, deviceId: identity.deviceId }),
  );
  const checkpoints = new Checkpointer(writer, identity, nowNs);
  const write = async (...records: Parameters<typeof writer.append>[0][]): Promise<void> => {
    for (const each of records) await writer.whenDurable(writer.append(each, true) + each.length - 1);
  };
  const many = (what: string) =>
    Array.from({ length: 4 }, (_, n) => [textRecord(`${what} ${n} `.repeat(20))]);
  const fromNs = nowNs();
  await write(...many('within'));
  checkpoints.sign();
  await afterThisMillisecond();
  untilNs = nowNs();
  await afterThisMillisecond();
  await write(...many('behind'));
  checkpoints.sign();
  await write([gapRecord(gap(fromNs + 1n, 7), identity, nowNs())]);
  await write([gapRecord(gap(untilNs + NS_PER_MS, 99), identity, nowNs())]);
  await write(...many('at the end'), ...many('and further'), ...many('and further still'));
  checkpoints.sign();
  await writer.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a bundle of a range', () => {
  it('tells the losses in it that were stated behind it, and those only', async () => {
    const { report, told } = await exported({ untilNs });
    expect(report).toMatchObject({ ok: true, findings: [], gaps: [] });
    expect(report.laterGaps).toMatchObject([{ lane: 'security', cause: 'ring_full', count: 7 }]);
    expect(report.laterGaps[0]!.seq).toBeGreaterThan(report.lanes[0]!.lastSeq);
    expect(BigInt(report.laterGaps[0]!.statedNs)).toBeGreaterThan(untilNs);
    expect(told).toBe(1);
  });

  it('has nothing to tell when all of the record is there', async () => {
    const { report } = await exported({});
    expect(report.laterGaps).toEqual([]);
    expect(report.gaps).toMatchObject([{ gaps: 2, records: 106 }]);
  });

  it('does not verify when somebody leaves such a statement out or changes it', async () => {
    const { file } = await exported({ untilNs });
    const bytes = readFileSync(file).toString('latin1');
    const at = bytes.indexOf('laterGaps');
    expect(at).toBeGreaterThan(0);
    for (const changed of [
      bytes.replace('laterGaps', 'laterGapz'),
      bytes.slice(0, at) + bytes.slice(at).replace('ring_full', 'ring_fool'),
    ]) {
      writeFileSync(file, Buffer.from(changed, 'latin1'));
      expect(verified(file).ok).toBe(false);
    }
  });
});
