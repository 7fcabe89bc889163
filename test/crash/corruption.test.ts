import { createHash } from 'node:crypto';
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWal } from '../../agent/wal/open.ts';
import { compressNext, retain } from '../../agent/wal/retention.ts';
import {
  readAll,
  removeTemporaryFolders,
  smallWal,
  temporaryFolder,
  testedWriters,
  textRecord,
} from '../../agent/wal/testing.ts';
import { RecordType } from '../../agent/wal/types.ts';
import { verifyWal } from '../../agent/wal/verify.ts';
import { type WalModules, type WalMutant, walModules } from './mutate-wal.ts';
import { seeded } from './power-loss.ts';

const RECORDS = 90;
const random = seeded(90);
const randomInt = (below: number): number => Math.floor(random() * below);
let original: string;
let contents: Map<number, string>;

/** Six segments of two runs, commits of one to five records, some larger than a page. */
beforeAll(async () => {
  original = temporaryFolder();
  for (let epoch = 1; epoch <= 2; epoch++) {
    const { writer } = await openWal(smallWal(original, { epoch, prefer: testedWriters()[0] as 'js' }));
    for (let done = 0; done < RECORDS / 2; done += 5) {
      const batch = Array.from({ length: 5 }, (_, i) =>
        textRecord(`${epoch}-${done + i}-`.padEnd(40 + i * 1500, 'a')),
      );
      await writer.whenDurable(writer.append(batch, true) + 4);
    }
    await writer.close();
  }
  contents = hashes(original);
});
afterAll(removeTemporaryFolders);

function hashes(dir: string): Map<number, string> {
  const { records } = readAll(dir, 1);
  return new Map(records.map((r) => [r.seq, createHash('sha256').update(r.payload).digest('hex')]));
}

function copy(): string {
  const dir = temporaryFolder();
  cpSync(original, dir, { recursive: true });
  return dir;
}

interface Matrix {
  /** Records that read differently. */
  silent: number;
  /** Records that are not there, and the gaps do not say so. */
  unsaid: number;
  /** Damages that verify did not find. */
  unverified: number;
  /** Damages that made reading, recovery or verify throw. */
  broken: number;
  /** Records that are not there. */
  missing: number;
}

/** Damage of every size at random places: bits, bytes, sectors, pages; zeroed, random, swapped. */
async function matrix(modules: WalModules, rounds: number): Promise<Matrix> {
  const names = readdirSync(original)
    .filter((name) => name.endsWith('.swal'))
    .toSorted();
  const images = new Map(names.map((name) => [name, readFileSync(join(original, name))]));
  const dir = copy();
  const totals: Matrix = { silent: 0, unsaid: 0, unverified: 0, broken: 0, missing: 0 };
  for (let round = 0; round < rounds; round++) {
    const name = names[round % names.length] as string;
    const good = images.get(name) as Buffer;
    const image = Buffer.from(good);
    damage(image, round);
    if (image.equals(good)) continue;
    writeFileSync(join(dir, name), image);
    try {
      judge(modules, dir, totals);
      // The end of the log may have been cut: that no file can tell, only a checkpoint held elsewhere.
      const isEnd = name === names.at(-1);
      if (round % 7 === 0 && !isEnd && (await modules.verifyWal(dir)).findings.length === 0)
        totals.unverified++;
    } catch {
      totals.broken++;
    }
    writeFileSync(join(dir, name), good);
  }
  return totals;
}

function judge({ WalReader, recover }: WalModules, dir: string, totals: Matrix): void {
  const reader = new WalReader(dir, { fromSeq: 1 });
  const seen = new Set<number>();
  for (;;) {
    const batch = reader.readBatch(1024 * 1024);
    if (batch.length === 0) break;
    for (const { seq, payload } of batch) {
      seen.add(seq);
      if (createHash('sha256').update(payload).digest('hex') !== contents.get(seq)) totals.silent++;
    }
  }
  reader.close();
  const gaps = [...reader.takeGaps(), ...recover({ ...smallWal(dir), witnessSeq: RECORDS }).recovered.gaps];
  for (let seq = 1; seq <= RECORDS; seq++) {
    if (seen.has(seq)) continue;
    totals.missing++;
    if (!gaps.some((gap) => gap.fromSeq <= seq && seq <= gap.toSeq)) totals.unsaid++;
  }
}

describe('verify', () => {
  it('finds nothing wrong with a good log, and counts what is there', async () => {
    const report = await verifyWal(original);
    expect(report).toMatchObject({ ok: true, records: RECORDS, firstSeq: 1, lastSeq: RECORDS, findings: [] });
    expect(report).toMatchObject({ lane: 'security', epochs: 2, cleanShutdown: true });
    expect(report.segments).toBeGreaterThanOrEqual(5);
  });

  // Nothing that was written may read differently without a finding and a gap.
  it('corruption matrix: 1,600 damages, none silent', async () => {
    const totals = await matrix(await walModules(), 1600);
    expect(totals).toMatchObject({ silent: 0, unsaid: 0, unverified: 0, broken: 0 });
    expect(totals.missing).toBeGreaterThan(1000);
  });

  const mutants: (WalMutant & { shows: keyof Matrix })[] = [
    {
      name: 'commits-without-checksum',
      file: 'format.ts',
      from: 'if (crc32c(salt, bytes, offset + 4, offset + info.paddedBytes) !== bytes.readUInt32LE(offset)) {',
      to: 'if (info.count > 1e9) {',
      shows: 'silent',
    },
    {
      name: 'no-gap-at-damage',
      file: 'reader.ts',
      from: 'this.#onGap({',
      to: "if (cause !== 'wal_corruption') this.#onGap({",
      shows: 'unsaid',
    },
    {
      name: 'no-gap-at-the-end',
      file: 'recovery.ts',
      from: 'if (witness > last) {',
      to: 'if (witness > last + 1e9) {',
      shows: 'unsaid',
    },
    {
      name: 'verify-without-scan',
      file: 'verify.ts',
      from: 'this.#checkScan(scan, header, next, image.length);',
      to: '',
      shows: 'unverified',
    },
  ];
  it.each(mutants)('the matrix catches the mutant $name', async (mutant) => {
    expect((await matrix(await walModules(mutant), 320))[mutant.shows]).toBeGreaterThan(0);
  });

  it('says where a flipped bit, a lost file and a removed commit are', async () => {
    const dir = copy();
    const third = join(dir, '000000000002.swal');
    const image = readFileSync(third);
    image[8192 + 200] = (image[8192 + 200] as number) ^ 4;
    writeFileSync(third, image);
    const flipped = await verifyWal(dir);
    expect(flipped.ok).toBe(false);
    expect(flipped.findings[0]).toMatchObject({
      kind: 'commit_damaged',
      level: 'error',
      segment: 2,
      offset: 8192,
    });
    rmSync(third);
    expect((await verifyWal(dir)).findings).toMatchObject([{ kind: 'missing_segment', segment: 3 }]);
  });

  it('checks checkpoints against the chain, and gaps, through the functions it is given', async () => {
    const dir = temporaryFolder();
    const { writer } = await openWal(smallWal(dir));
    await writer.whenDurable(writer.append([textRecord('a')], true));
    const head = writer.chainHead();
    const checkpoint = (chain: string): string =>
      JSON.stringify({ lane: 'security', upToSeq: head.seq, commitNo: head.commitNo, chain, valid: true });
    const good = { ...textRecord(checkpoint(head.chain.toString('hex'))), type: RecordType.checkpoint };
    const forged = { ...textRecord(checkpoint('00'.repeat(32))), type: RecordType.checkpoint };
    const gap = { ...textRecord('unsigned'), type: RecordType.gap };
    await writer.whenDurable(writer.append([good, forged, gap], true) + 2);
    await writer.close();
    const report = await verifyWal(dir, {
      checkCheckpoint: (payload) => JSON.parse(payload.toString()),
      checkGap: () => false,
    });
    expect(report).toMatchObject({ ok: false, checkpoints: 2, gaps: 1, coveredUpToSeq: 1 });
    expect(report.findings.map((f) => [f.kind, f.seq])).toEqual([
      ['checkpoint_mismatch', 3],
      ['gap_invalid', 4],
    ]);
  });
});

function damage(image: Buffer, round: number): void {
  const at = randomInt(image.length);
  const page = at - (at % 4096);
  const sector = at - (at % 512);
  switch (round % 8) {
    case 0:
      image[at] = (image[at] as number) ^ (1 << (round % 7));
      break;
    case 1:
      image[at] = randomInt(256);
      break;
    case 2:
      image.fill(0, sector, sector + 512);
      break;
    case 3:
      for (let i = sector; i < Math.min(image.length, sector + 512); i++) image[i] = randomInt(256);
      break;
    case 4:
      image.fill(0, page, page + 4096);
      break;
    case 5:
      image.copy(image, page, 8192, 12288);
      break;
    case 6:
      image.fill(0xff, page, Math.min(image.length, page + 8192));
      break;
    default:
      image.fill(0, page);
  }
}

describe('compression and retention', () => {
  it('keeps every byte: a compressed log reads, verifies and expands the same', async () => {
    const dir = copy();
    const before = new Map(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name))]));
    while ((await compressNext(dir)) !== undefined);
    const names = readdirSync(dir);
    expect(names.filter((name) => name.endsWith('.swal'))).toHaveLength(1);
    expect(hashes(dir)).toEqual(contents);
    expect(await verifyWal(dir)).toMatchObject({
      ok: true,
      records: RECORDS,
      compressedSegments: names.length - 1,
    });
    for (const name of names.filter((other) => other.endsWith('.zst'))) {
      const expanded = zstdDecompressSync(firstFrame(readFileSync(join(dir, name))));
      expect(expanded.equals(before.get(name.slice(0, -4)) as Buffer)).toBe(true);
    }
    expect(readAll(dir, 37).records[0]?.seq).toBe(37);
  });

  it('lets old segments leave once every cursor has passed them, and the oldest in any case when it is too large', async () => {
    const dir = copy();
    const nowNs = BigInt(Date.now() + 3_600_000) * 1_000_000n;
    const limits = { maxBytes: 1e9, maxAgeNs: 1n, nowNs };
    expect(await retain(dir, { ...limits, cursors: [0, 80] })).toMatchObject({
      removedSegments: 0,
      gaps: [],
    });
    const first = await retain(dir, { ...limits, cursors: [30, 80] });
    expect(first.removedSegments).toBeGreaterThan(0);
    expect(first.gaps).toEqual([]);
    const { records, reader } = readAll(dir, 1);
    expect(records[0]?.seq).toBeLessThanOrEqual(31);
    expect(reader.takeGaps()).toMatchObject([{ fromSeq: 1, cause: 'retention' }]);
    const forced = await retain(dir, { ...limits, maxBytes: 1, cursors: [30] });
    const [gap] = forced.gaps;
    expect(gap).toMatchObject({ fromSeq: 31, cause: 'retention' });
    expect(readAll(dir).records[0]?.seq).toBe((forced.gaps.at(-1)?.toSeq ?? 0) + 1);
    expect((await verifyWal(dir)).ok).toBe(true);
  });
});

/** The segments are smaller than a frame, so the file is one frame and the seek table. */
function firstFrame(file: Buffer): Buffer {
  return file.subarray(0, file.length - (8 + 8 + 9));
}
