/** What the crash tests write, and the check of what is left: the same content as driver.cc. */
import { recover } from '../../agent/wal/recovery.ts';
import { WalReader } from '../../agent/wal/reader.ts';
import type { WalOptions } from '../../agent/wal/types.ts';

export const SEGMENT_BYTES = 128 * 1024;

/** Content of record `seq`. */
export function contentOf(seq: number): Buffer {
  let x = (Math.imul(seq, 2654435761 | 0) + 12345) >>> 0;
  const bytes = Buffer.alloc(8 + (seq % 7 === 0 ? 5000 : (x >>> 8) % 400));
  bytes.writeBigUInt64LE(BigInt(seq), 0);
  for (let i = 8; i < bytes.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}

export function crashOptions(dir: string): WalOptions & { segmentBytes: number } {
  return {
    dir,
    lane: 'security',
    deviceId: 'crash-test',
    epoch: 0,
    segmentBytes: SEGMENT_BYTES,
    minFreeBytes: 0,
  };
}

export interface Verdict {
  /** Acknowledged records that cannot be read. */
  lost: number;
  /** Records that read differently, or holes that nobody stated. */
  silent: number;
  /** Records stated as missing although the log only crashed. */
  falseGaps: number;
  recovered: ReturnType<typeof recover>;
}

/** Recovers and reads the folder; everything from `from` up to `acknowledged` must be there as it was written. */
export function judge(dir: string, acknowledged: number, from = 1): Verdict {
  const recovered = recover(crashOptions(dir));
  const reader = new WalReader(dir, { fromSeq: from });
  const verdict: Verdict = { lost: 0, silent: 0, falseGaps: 0, recovered };
  let next = from;
  let kept = 0;
  const holes: [from: number, to: number][] = [];
  for (;;) {
    const batch = reader.readBatch(1 << 20);
    if (batch.length === 0) break;
    for (const record of batch) {
      if (record.seq > next) holes.push([next, record.seq - 1]);
      else if (record.seq < next) verdict.silent++;
      if (!record.payload.equals(contentOf(record.seq))) verdict.silent++;
      if (record.seq <= acknowledged) kept++;
      next = record.seq + 1;
    }
  }
  reader.close();
  verdict.lost = Math.max(0, acknowledged - from + 1 - kept);
  const gaps = [...reader.takeGaps(), ...recovered.recovered.gaps];
  for (const gap of gaps) verdict.falseGaps += Math.max(0, gap.toSeq - gap.fromSeq + 1);
  for (const [first, last] of holes) {
    if (!gaps.some((gap) => gap.fromSeq <= first && last <= gap.toSeq)) verdict.silent++;
  }
  if (recovered.recovered.lastSeq !== next - 1) verdict.silent++;
  return verdict;
}
