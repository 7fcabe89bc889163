/**
 * Somebody with the files and the format, but without the device's key, changes the record. Every change must be found
 * and placed at or before the first record it touches, and a verifier that leaves a check out must be caught.
 */
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Checkpointer, checkpointBytes, readCheckpoint } from '../../agent/audit/checkpoint.ts';
import { gapRecord, verifyGap } from '../../agent/audit/gap.ts';
import { createVerifier, openIdentity } from '../../agent/identity/identity.ts';
import { HEADER_BYTES } from '../../agent/wal/format.ts';
import { openWal } from '../../agent/wal/open.ts';
import { removeTemporaryFolders, smallWal, temporaryFolder, textRecord } from '../../agent/wal/testing.ts';
import type { VerifyReport } from '../../agent/wal/verify-report.ts';
import { Forge, pathOf, resealAll } from './forge.ts';
import { type WalModules, type WalMutant, walModules } from './mutate-wal.ts';

let original: string;
let foreign: string;
let keys: string;

/** Two runs of about six segments each, a signed gap, a checkpoint after each third commit. */
async function writeLog(dir: string, keyDir: string, device: string): Promise<void> {
  const identity = openIdentity(keyDir);
  for (let epoch = 1; epoch <= 2; epoch++) {
    const { writer } = await openWal(smallWal(dir, { epoch, deviceId: device }));
    const checkpoints = new Checkpointer(writer, identity, () => BigInt(Date.now()) * 1_000_000n);
    for (let commit = 0; commit < 30; commit++) {
      const records = Array.from({ length: 4 }, (_, i) =>
        textRecord(`${device} ${epoch} ${commit} ${i} `.repeat(90)),
      );
      if (commit === 7) {
        records.push(
          gapRecord({ lane: 'security', cause: 'ring_full', count: 3, fromNs: 1n, toNs: 2n }, identity, 3n),
        );
      }
      await writer.whenDurable(writer.append(records, true) + records.length - 1);
      if (commit % 3 === 2) checkpoints.sign();
    }
    checkpoints.sign();
    await writer.close();
  }
}

beforeAll(async () => {
  [original, foreign, keys] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
  await writeLog(original, keys, 'device-a');
  await writeLog(foreign, temporaryFolder(), 'device-b');
});
afterAll(removeTemporaryFolders);

interface Attack {
  name: string;
  /** Returns the first segment and record that the change touches. */
  run: (dir: string) => { segment: number; seq: number };
}

function edit(forge: Forge, commit: number, index: number): number {
  const at = forge.record(commit, index);
  forge.image[at + 40] = (forge.image[at + 40] as number) ^ 1;
  forge.sealRecord(at);
  forge.sealCommit(commit);
  return Number(forge.image.readBigUInt64LE(at + 8));
}

const ATTACKS: Attack[] = [
  {
    name: 'a record edited, checksums fitted',
    run: (dir) => {
      const forge = new Forge(dir, 3);
      const seq = edit(forge, 1, 2);
      forge.save();
      return { segment: 3, seq };
    },
  },
  {
    name: 'a record edited, checksums and the whole chain fitted',
    run: (dir) => {
      const forge = new Forge(dir, 3);
      const seq = edit(forge, 1, 2);
      forge.save();
      resealAll(dir);
      // Only the signatures know: the first checkpoint behind it speaks.
      return { segment: 99, seq: seq + 30 };
    },
  },
  {
    name: 'a record edited, everything fitted and the checkpoints rewritten',
    run: (dir) => {
      const forge = new Forge(dir, 3);
      const seq = edit(forge, 1, 2);
      forge.save();
      resealAll(dir, true);
      return { segment: 99, seq: seq + 30 };
    },
  },
  {
    name: 'a record numbered twice, everything fitted',
    run: (dir) => {
      const forge = new Forge(dir, 2);
      const at = forge.record(0, 1);
      const seq = Number(forge.image.readBigUInt64LE(at + 8));
      forge.image.writeBigUInt64LE(BigInt(seq - 1), at + 8);
      forge.sealRecord(at);
      forge.sealCommit(0);
      forge.save();
      resealAll(dir, true);
      return { segment: 2, seq };
    },
  },
  {
    name: 'two commits of a segment exchanged',
    run: (dir) => {
      const forge = new Forge(dir, 2);
      const [, a, b] = forge.commits;
      if (a === undefined || b === undefined) throw new Error('too few commits');
      const { offset, paddedBytes } = b;
      const first = Buffer.from(forge.image.subarray(a.offset, a.offset + a.paddedBytes));
      const second = Buffer.from(forge.image.subarray(offset, offset + paddedBytes));
      Buffer.concat([second, first]).copy(forge.image, a.offset);
      forge.save();
      return { segment: 2, seq: a.baseSeq };
    },
  },
  {
    name: 'a commit cut out and the rest moved up',
    run: (dir) => {
      const forge = new Forge(dir, 3);
      const { offset, paddedBytes, baseSeq } = forge.commits[1] as (typeof forge.commits)[number];
      const rest = [forge.image.subarray(0, offset), forge.image.subarray(offset + paddedBytes)];
      writeFileSync(forge.path, Buffer.concat(rest));
      return { segment: 3, seq: baseSeq };
    },
  },
  {
    name: 'a segment cut in the middle',
    run: (dir) => {
      const { commits, path } = new Forge(dir, 3);
      const { offset, baseSeq } = commits[2] as (typeof commits)[number];
      truncateSync(path, offset);
      return { segment: 3, seq: baseSeq };
    },
  },
  {
    name: 'a segment emptied',
    run: (dir) => {
      const { header, path } = new Forge(dir, 3);
      truncateSync(path, 0);
      return { segment: 4, seq: header.baseSeq };
    },
  },
  {
    name: 'a segment removed',
    run: (dir) => {
      const { header, path } = new Forge(dir, 3);
      rmSync(path);
      return { segment: 4, seq: header.baseSeq };
    },
  },
  {
    name: 'two segments exchanged by name',
    run: (dir) => {
      const { header } = new Forge(dir, 2);
      renameSync(pathOf(dir, 2), join(dir, 'x'));
      renameSync(pathOf(dir, 3), pathOf(dir, 2));
      renameSync(join(dir, 'x'), pathOf(dir, 3));
      return { segment: 2, seq: header.baseSeq };
    },
  },
  {
    name: 'a segment copied to the end',
    run: (dir) => {
      const last = lastSegment(dir);
      copyFileSync(pathOf(dir, 3), pathOf(dir, last + 1));
      return { segment: last + 1, seq: Infinity };
    },
  },
  {
    name: 'a segment copied to the end, its header fitted',
    run: (dir) => {
      const last = lastSegment(dir);
      const forge = new Forge(dir, 3);
      forge.image.writeBigUInt64LE(BigInt(last + 1), 24);
      forge.sealHeader();
      writeFileSync(pathOf(dir, last + 1), forge.image);
      return { segment: last + 1, seq: Infinity };
    },
  },
  {
    name: 'the same segment of another device',
    run: (dir) => {
      const { header } = new Forge(dir, 4);
      copyFileSync(pathOf(foreign, 4), pathOf(dir, 4));
      return { segment: 4, seq: header.baseSeq };
    },
  },
  {
    name: 'all segments of another device',
    run: (dir) => {
      for (const name of readdirSync(dir)) rmSync(join(dir, name));
      cpSync(foreign, dir, { recursive: true });
      return { segment: 99, seq: 40 };
    },
  },
  {
    name: 'a segment of the run before under a later number',
    run: (dir) => {
      const { header } = new Forge(dir, 8);
      const forge = new Forge(dir, 2);
      forge.image.writeBigUInt64LE(8n, 24);
      forge.sealHeader();
      writeFileSync(pathOf(dir, 8), forge.image);
      return { segment: 8, seq: header.baseSeq };
    },
  },
  {
    name: 'bytes behind a finished segment',
    run: (dir) => {
      const { commits } = new Forge(dir, 3);
      const last = commits.at(-1);
      appendFileSync(pathOf(dir, 3), 'x'.repeat(700));
      return { segment: 3, seq: (last?.baseSeq ?? 0) + (last?.count ?? 0) };
    },
  },
  {
    name: 'one header copy damaged',
    run: (dir) => {
      const { image, path, header } = new Forge(dir, 3);
      image.fill(7, 200, 300);
      writeFileSync(path, image);
      return { segment: 3, seq: header.baseSeq };
    },
  },
  {
    name: 'both header copies damaged',
    run: (dir) => {
      const { image, path, header } = new Forge(dir, 3);
      image.fill(7, 0, HEADER_BYTES);
      writeFileSync(path, image);
      return { segment: 3, seq: header.baseSeq };
    },
  },
  {
    name: 'a gap edited, everything fitted',
    run: (dir) => {
      for (let segment = 1; ; segment++) {
        const forge = new Forge(dir, segment);
        for (let commit = 0; commit < forge.commits.length; commit++) {
          const count = forge.commits[commit]?.count ?? 0;
          for (let index = 0; index < count; index++) {
            const at = forge.record(commit, index);
            const end = at + 32 + forge.image.readUInt32LE(at + 4);
            const place = forge.image.subarray(at + 32, end).indexOf('"count":');
            if (forge.image.subarray(at + 32, end).indexOf('ring_full') < 0 || place < 0) continue;
            const digit = forge.image.subarray(at + 32 + place, end).indexOf('3') + at + 32 + place;
            forge.image[digit] = 0x31;
            forge.sealRecord(at);
            forge.sealCommit(commit);
            forge.save();
            resealAll(dir, true);
            return { segment, seq: Number(forge.image.readBigUInt64LE(at + 8)) };
          }
        }
      }
    },
  },
];

function lastSegment(dir: string): number {
  return Number.parseInt(readdirSync(dir).sort().at(-1) as string, 10);
}

function check(modules: WalModules, dir: string): Promise<VerifyReport> {
  const verifier = createVerifier([readFileSync(join(keys, 'keys', 'device.pub'), 'utf8')]);
  return modules.verifyWal(dir, {
    checkCheckpoint: (payload) => {
      const one = readCheckpoint(payload);
      return one && { ...one, valid: verifier(one.keyId, checkpointBytes(one), one.signature) };
    },
    checkGap: (payload) => verifyGap(payload, verifier),
  });
}

/** Names of the attacks that are not found, or found without their place. */
async function missedBy(modules: WalModules): Promise<string[]> {
  const missed: string[] = [];
  for (const { name, run } of ATTACKS) {
    const dir = temporaryFolder();
    cpSync(original, dir, { recursive: true });
    const touched = run(dir);
    const report = await check(modules, dir);
    const [first] = report.findings.filter(({ level }) => level === 'error');
    const placed =
      first?.seq !== undefined &&
      first.segment <= touched.segment &&
      first.seq <= touched.seq &&
      first.seq > 0;
    if (report.ok || !placed) missed.push(name);
    rmSync(dir, { recursive: true });
  }
  return missed;
}

describe('tampering', () => {
  it('an untouched log of two runs passes, and the signatures cover it', async () => {
    const report = await check(await walModules(), original);
    expect(report).toMatchObject({ ok: true, findings: [], epochs: 2, gaps: 2, cleanShutdown: true });
    expect(report.segments).toBeGreaterThan(8);
    expect(report.lastSeq - report.coveredUpToSeq).toBeLessThanOrEqual(3);
  });

  it(`${ATTACKS.length} ways of tampering: each is found, with segment and record`, async () => {
    expect(await missedBy(await walModules())).toEqual([]);
  });

  const mutants: WalMutant[] = [
    { name: 'no-chain', file: 'verify.ts', from: '!computed.equals(commit.chain)', to: 'commit.count < 0' },
    { name: 'no-record-number', file: 'verify.ts', from: '!valid || record.seq !== seq', to: '!valid' },
    {
      name: 'no-missing-segment',
      file: 'verify.ts',
      from: 'if (file.number !== previous.number + 1) {',
      to: 'if (file.number !== previous.number + 1) { return; } if (report.lane === "") {',
    },
    {
      name: 'no-checkpoint',
      file: 'verify.ts',
      from: 'signed.chain !== checkpoint.chain ||',
      to: '',
    },
    { name: 'no-signature', file: 'verify.ts', from: '!checkpoint.valid || ', to: '' },
    {
      name: 'no-gap-signature',
      file: 'verify.ts',
      from: '?.(record.payload) === false',
      to: '?.(record.payload) === undefined',
    },
    {
      name: 'no-holes',
      file: 'verify.ts',
      from: 'for (const hole of scan.holes) {',
      to: 'for (const hole of scan.holes.slice(0, 0)) {',
    },
    { name: 'no-trailing', file: 'verify.ts', from: 'bytes !== header.segmentBytes', to: 'bytes < 0' },
    {
      name: 'no-lost-header',
      file: 'verify.ts',
      from: 'if (header === undefined) {',
      to: 'if (header === undefined) { return; }\n    if (file.number < 0) {',
    },
  ];
  it.each(mutants)('the check catches a verifier with $name', async (mutant) => {
    expect(await missedBy(await walModules(mutant))).not.toEqual([]);
  });
});
