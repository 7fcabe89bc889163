/**
 * Audit bundles against somebody with the file and its format, but without the device's key: every change is found and
 * placed, and a verifier that leaves a check out is caught.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BundleReport, BundleVerifyOptions } from '../../agent/audit/bundle-report.ts';
import { verifyBundle } from '../../agent/audit/bundle-verify.ts';
import { readCheckpoint } from '../../agent/audit/checkpoint.ts';
import { newestCheckpoint } from '../../agent/audit/newest-checkpoint.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { createVerifier } from '../../agent/identity/identity.ts';
import { readAll } from '../../agent/wal/testing.ts';
import { RecordType } from '../../agent/wal/types.ts';
import { ATTACK_KINDS, tamperings } from './evidence-attacks.ts';
import { verifierWith, writeDataDir, type VerifierMutant } from './evidence-fixture.ts';
import { framesOf, joined, recordsIn, resealClosing } from './evidence-forge.ts';

const SEED = Number(process.env['SENTINEL_TAMPER_SEED'] ?? 1);
const COUNT = Number(process.env['SENTINEL_TAMPER_COUNT'] ?? 400);
const sentinel = join(import.meta.dirname, '..', '..', 'agent', 'main.ts');

let scratch: string;
let dataDir: string;
let bundle: Buffer;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'sentinel-evidence-'));
  dataDir = join(scratch, 'data');
  await writeDataDir(dataDir);
  bundle = exported(dataDir, 'whole.sab');
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function cli(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [sentinel, ...args], { encoding: 'utf8', maxBuffer: 1 << 26 });
}

function exported(from: string, name: string, ...more: string[]): Buffer {
  const path = join(scratch, name);
  execFileSync(process.execPath, [sentinel, 'audit', 'export', '--data', from, '--out', path, ...more]);
  return readFileSync(path);
}

function verify(
  bytes: Buffer,
  more: Partial<BundleVerifyOptions> = {},
  using: typeof verifyBundle = verifyBundle,
): BundleReport {
  const path = join(scratch, 'tampered.sab');
  writeFileSync(path, bytes);
  const verifier = createVerifier([readFileSync(dataPaths(dataDir).publicKey, 'utf8')]);
  return using(path, { verifier, verifierOf: createVerifier, ...more });
}

/** Attacks that are not found, or found without their place. */
function missedBy(using: typeof verifyBundle, count: number): string[] {
  const missed: string[] = [];
  for (const { name, bytes, placed } of tamperings(bundle, count, SEED)) {
    const report = verify(bytes, {}, using);
    const errors = report.findings.filter(({ level }) => level === 'error');
    if (report.ok || !errors.some(placed)) missed.push(`${name}: ${JSON.stringify(errors.slice(0, 3))}`);
  }
  return missed;
}

describe('an audit bundle', () => {
  it('verifies untouched, and holds every record of both logs', () => {
    const report = verify(bundle);
    expect(report).toMatchObject({ ok: true, findings: [], decisions: 2, policies: 1, unknownPolicies: [] });
    const paths = dataPaths(dataDir);
    const logs = { security: readAll(paths.securityLog), observability: readAll(paths.observabilityLog) };
    const inBundle = recordsIn(framesOf(bundle));
    for (const lane of report.lanes) {
      const { records } = logs[lane.lane as 'security'];
      expect(inBundle.filter((one) => one.lane === lane.lane).map(({ seq }) => seq)).toEqual(
        records.map(({ seq }) => seq),
      );
      expect(lane).toMatchObject({
        firstSeq: 1,
        lastSeq: records.at(-1)?.seq,
        coveredUpToSeq: records.at(-1)?.seq,
      });
    }
    expect(report.gaps).toEqual([
      { lane: 'security', cause: 'ring_full', gaps: 2, records: 6, unknown: 0, fromNs: '1', toNs: '2' },
    ]);
  });

  it(`${COUNT} changes of ${ATTACK_KINDS} kinds: each is found in its place (seed ${SEED})`, () => {
    expect(missedBy(verifyBundle, COUNT)).toEqual([]);
  });

  it('by the command: 0 untouched, 1 with the place, 2 for wrong words, and only the file is needed', () => {
    const path = join(scratch, 'alone.sab');
    writeFileSync(path, bundle);
    expect(cli('audit', 'verify', path).status).toBe(0);
    const frames = framesOf(bundle);
    const record = recordsIn(frames).find(({ type, seq }) => type === RecordType.event && seq > 20);
    if (!record) throw new Error('no record');
    const body = frames[record.frame]?.body as Buffer;
    body[record.at + 40] = (body[record.at + 40] as number) ^ 1;
    writeFileSync(path, joined(frames));
    const told = cli('audit', 'verify', path, '--json');
    expect(told.status).toBe(1);
    expect((JSON.parse(told.stdout) as BundleReport).findings).toContainEqual(
      expect.objectContaining({
        kind: 'record_damaged',
        lane: record.lane,
        commitNo: record.commitNo,
        fromSeq: record.seq,
      }),
    );
    expect(cli('audit', 'verify').status).toBe(2);
    expect(cli('audit', 'export', '--data', dataDir).status).toBe(2);
    expect(cli('audit', 'verify', join(scratch, 'none')).status).toBe(1);
    expect(cli('audit', 'verify', '/bin/true').status).toBe(1);
  });

  it('is refused when another key is the right one, and when it was made again under another key', async () => {
    const other = join(scratch, 'other');
    await writeDataDir(other, [1]);
    const pem = readFileSync(dataPaths(other).publicKey, 'utf8');
    const report = verify(bundle, { verifier: createVerifier([pem]) });
    expect(report.ok).toBe(false);
    expect(verify(exported(other, 'other.sab')).ok).toBe(false);
    expect(verify(exported(other, 'other.sab'), { verifier: createVerifier([pem]) }).ok).toBe(true);
  });

  it('holds a range of time, whole commits up to the checkpoint behind it, which verify by themselves', () => {
    const { records } = readAll(dataPaths(dataDir).securityLog);
    const middle = records[Math.floor(records.length / 2)];
    const sinceNs = Number((middle?.wallNs ?? 0n) / 1_000_000n);
    const bytes = exported(
      dataDir,
      'range.sab',
      '--lane',
      'security',
      '--since',
      new Date(sinceNs).toISOString(),
    );
    const report = verify(bytes);
    expect(report).toMatchObject({ ok: true, findings: [] });
    const [lane] = report.lanes;
    expect(lane?.firstSeq).toBeGreaterThan(1);
    expect(lane?.lastSeq).toBe(records.at(-1)?.seq);
    expect(bytes.length).toBeLessThan(bundle.length / 2);
  });

  it('does not hide that records are missing, and forgives it only to a gap that the device signed', () => {
    const frames = framesOf(bundle);
    const places = recordsIn(frames);
    const gone = places.find(({ lane, seq }) => lane === 'security' && seq === 30)?.frame ?? 0;
    const kept = frames.filter((_, index) => index !== gone);
    resealClosing(kept);
    const report = verify(joined(kept));
    expect(report.findings).toContainEqual(
      expect.objectContaining({ kind: 'commit_missing', level: 'error', lane: 'security' }),
    );
  });
});

describe('the ledger of gaps', () => {
  it('sums what the signed records state, by cause, hook and CPU, without an agent', () => {
    const told = cli('audit', 'gaps', '--data', dataDir, '--json');
    expect(told.status).toBe(0);
    expect((JSON.parse(told.stdout) as { totals: unknown }).totals).toEqual([
      {
        lane: 'security',
        cause: 'ring_full',
        cpu: 1,
        gaps: 2,
        records: 6,
        unknown: 0,
        fromNs: '1',
        toNs: '2',
      },
    ]);
    expect(cli('audit', 'gaps', '--data', dataDir, '--since', '1h', '--json').stdout).toContain(
      '"totals":[]',
    );
  });
});

describe('a tail that was cut before the export', () => {
  /** The log as its owner could make it look: its last segments gone, exported again with the device's own key. */
  function cutCopy(): string {
    const cut = join(scratch, 'cut');
    rmSync(cut, { recursive: true, force: true });
    cpSync(dataDir, cut, { recursive: true });
    const { securityLog } = dataPaths(cut);
    const names = execFileSync('ls', [securityLog], { encoding: 'utf8' }).trim().split('\n');
    rmSync(join(securityLog, names.at(-1) as string));
    return cut;
  }

  it('is found with a later checkpoint that was kept elsewhere, and cannot be without', () => {
    const printed = cli('audit', 'checkpoint', '--data', dataDir);
    expect(printed.status).toBe(0);
    const held = join(scratch, 'held.jsonl');
    writeFileSync(held, printed.stdout);
    const cut = cutCopy();
    exported(cut, 'cut.sab');
    const path = join(scratch, 'cut.sab');
    expect(cli('audit', 'verify', path).status).toBe(0);
    const told = cli('audit', 'verify', path, '--checkpoint', held, '--json');
    expect(told.status).toBe(1);
    const report = JSON.parse(told.stdout) as BundleReport;
    const [lane] = report.lanes;
    expect(report.findings).toEqual([
      expect.objectContaining({ kind: 'tail_cut', lane: 'security', fromSeq: (lane?.lastSeq ?? 0) + 1 }),
    ]);
    expect(report.checkpointsMet).toBe(1);
    expect(cli('audit', 'verify', join(scratch, 'whole.sab'), '--checkpoint', held).status).toBe(0);
  });

  it('is found even when the log went on with other records under the same numbers', async () => {
    const payload = newestCheckpoint(dataPaths(dataDir).securityLog);
    const checkpoint = payload && readCheckpoint(payload);
    if (!checkpoint) throw new Error('no checkpoint');
    const cut = cutCopy();
    await writeDataDir(cut, [3, 4]);
    const bytes = exported(cut, 'rewritten.sab');
    expect(verify(bytes).ok).toBe(true);
    const report = verify(bytes, { checkpoints: [{ source: 'the checkpoint', checkpoint }] });
    expect(report.findings[0]).toMatchObject({
      kind: 'checkpoint_mismatch',
      level: 'error',
      lane: 'security',
    });
  });

  it('a checkpoint that somebody else made up is not believed', () => {
    const payload = newestCheckpoint(dataPaths(dataDir).securityLog);
    const checkpoint = payload && readCheckpoint(payload);
    if (!checkpoint) throw new Error('no checkpoint');
    const forged = { ...checkpoint, upToSeq: checkpoint.upToSeq + 10 };
    const report = verify(bundle, { checkpoints: [{ source: 'it', checkpoint: forged }] });
    expect(report.findings).toEqual([expect.objectContaining({ kind: 'checkpoint_invalid' })]);
  });
});

/** The last segment of the security log gone, exported again by the device: what only a checkpoint from elsewhere tells. */
function cutIsFound(using: typeof verifyBundle): boolean {
  const payload = newestCheckpoint(dataPaths(dataDir).securityLog);
  const checkpoint = payload && readCheckpoint(payload);
  if (!checkpoint) throw new Error('no checkpoint');
  const bytes = readFileSync(join(scratch, 'cut.sab'));
  const report = verify(bytes, { checkpoints: [{ source: 'the checkpoint', checkpoint }] }, using);
  return report.findings.some(({ kind }) => kind === 'tail_cut');
}

describe('verifiers with a check left out', () => {
  const lane = 'audit/bundle-lane.ts';
  const walk = 'audit/bundle-verify.ts';
  const MUTANTS: VerifierMutant[] = [
    {
      name: 'no-frame-crc',
      file: 'audit/bundle-read.ts',
      from: 'frameCrc(head, body) !== head.readUInt32LE(4)',
      to: 'head.length < 0',
    },
    {
      name: 'no-commit-crc',
      file: lane,
      from: 'decodeCommit(image, 0, header.salt) === undefined',
      to: 'head.count < 0',
    },
    { name: 'no-record-crc', file: lane, from: 'sum !== image.readUInt32LE(at)', to: 'seq < 0' },
    {
      name: 'no-chain',
      file: lane,
      from: '.equals(head.chain)',
      to: '.equals(head.chain) && head.count < 0',
    },
    { name: 'no-record-number', file: lane, from: 'record.seq !== seq', to: 'record.seq < 0' },
    {
      name: 'no-commit-number',
      file: lane,
      from: 'head.commitNo > this.#nextCommit) {\n      if (this',
      to: 'head.commitNo < 0) {\n      if (this',
    },
    { name: 'no-frame-number', file: walk, from: 'if (number > this.#expected) {', to: 'if (number < 0) {' },
    { name: 'no-checkpoint-signature', file: lane, from: ' || !this.signed(checkpoint)', to: '' },
    { name: 'no-checkpoint-chain', file: lane, from: 'if (!agrees ||', to: 'if (' },
    {
      name: 'no-closing-signature',
      file: walk,
      from: 'this.#closingHolds = this.#verifier(keyId, closingBytes(text, keyId), signature);',
      to: 'this.#closingHolds = signature !== text;',
    },
    { name: 'no-piece-hash', file: walk, from: 'if (found !== hash)', to: 'if (frame < 0)' },
    {
      name: 'no-lane-summary',
      file: lane,
      from: 'if (differs.length === 0) {',
      to: 'if (differs.length >= 0) {',
    },
    {
      name: 'no-policy-hash',
      file: walk,
      from: 'hashOf(text.text) !== text.hash) {\n      this.#error',
      to: 'hashOf(text.text) === "") {\n      this.#error',
    },
    { name: 'no-cut', file: walk, from: 'if (!this.#ended) {', to: 'if (this.#expected < 0) {' },
    {
      name: 'no-held-checkpoint',
      file: lane,
      from: 'checkpoint.commitNo > report.lastCommit || report.commits === 0',
      to: 'report.commits < 0',
    },
  ];

  it('the verifier itself is not', () => expect(cutIsFound(verifyBundle)).toBe(true));

  it.each(MUTANTS)('$name is caught', async (mutant) => {
    const using = await verifierWith(mutant);
    expect(verify(bundle, {}, using).ok).toBe(true);
    expect(missedBy(using, 250).length > 0 || !cutIsFound(using)).toBe(true);
  });
});
