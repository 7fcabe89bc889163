/** Helpers of the WAL's tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCore } from '../../native-addon/index.ts';
import { RecordType, Schema, type WalOptions, type WalRecord, type WalRecordInput } from './types.ts';
import { WalReader } from './reader.ts';

/** The writers this machine can test. The native one is loudly missing without the addon. */
export function testedWriters(): ('native' | 'js')[] {
  const core = loadCore();
  if (core.ok) return ['native', 'js'];
  console.warn(`WAL tests run without the native writer: ${core.reason}`);
  return ['js'];
}

const made: string[] = [];

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-wal-'));
  made.push(folder);
  return folder;
}

export function removeTemporaryFolders(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Options with small segments and no reserve. */
export function smallWal(dir: string, more: Partial<WalOptions> = {}): WalOptions {
  return {
    dir,
    lane: 'security',
    deviceId: 'test-device',
    epoch: 1,
    segmentBytes: 65536,
    minFreeBytes: 0,
    ...more,
  };
}

/** A record whose payload says what it is. */
export function textRecord(text: string): WalRecordInput {
  return {
    type: RecordType.event,
    schema: Schema.jsonV1,
    wallNs: BigInt(Date.now()) * 1_000_000n,
    payload: Buffer.from(text),
  };
}

/** Everything a fresh reader sees. */
export function readAll(dir: string, fromSeq?: number): { records: WalRecord[]; reader: WalReader } {
  const reader = new WalReader(dir, fromSeq === undefined ? {} : { fromSeq });
  const records: WalRecord[] = [];
  for (;;) {
    const batch = reader.readBatch(1024 * 1024);
    if (batch.length === 0) break;
    records.push(...batch);
  }
  reader.close();
  return { records, reader };
}
