import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeHeader } from './format.ts';
import { openWal } from './open.ts';
import { WalReader } from './reader.ts';
import { scanSegment } from './scan.ts';
import { listSegments, readHeader, readImage } from './segments.ts';

const SEGMENT_BYTES = 128 * 1024;
let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'sentinel-recovery-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (epoch: number) =>
  openWal({ dir, lane: 'security', deviceId: 'd', epoch, segmentBytes: SEGMENT_BYTES, prefer: 'js' });
const record = (text: string) => ({ type: 1, schema: 2, wallNs: 1n, payload: Buffer.from(text) });

describe('recovery after a failed write that the disk kept, and a power cut while it was written again', () => {
  /** A log of three commits, and the header alone of the segment that took the last one over. */
  async function cutWhileWritingAgain(rest: Buffer): Promise<string> {
    const { writer } = await open(1);
    for (const text of ['a', 'b', 'c']) await writer.whenDurable(writer.append([record(text)], true));
    await writer.close();
    const [file] = listSegments(dir);
    const header = readHeader(file!).header!;
    const last = scanSegment(readImage(file!), header).commits.find(
      ({ baseSeq, count }) => baseSeq === 3 && count === 1,
    )!;
    const image = Buffer.alloc(SEGMENT_BYTES);
    const again = {
      ...header,
      segment: header.segment + 1,
      baseSeq: last.baseSeq,
      firstCommit: last.commitNo,
    };
    encodeHeader(again).copy(image);
    rest.copy(image, 2 * 4096 + last.paddedBytes);
    const path = file!.path.replace(/\d+(?=\.swal$)/, (digits) =>
      `${Number(digits) + 1}`.padStart(digits.length, '0'),
    );
    writeFileSync(path, image);
    return path;
  }

  it('goes on behind the commit, so that its numbers are given once', async () => {
    await cutWhileWritingAgain(Buffer.alloc(0));
    const { writer, recovered } = await open(2);
    expect(recovered.lastSeq).toBe(3);
    expect(recovered.gaps).toEqual([]);
    await writer.whenDurable(writer.append([record('d')], true));
    await writer.close();
    const texts = new WalReader(dir, { fromSeq: 1 })
      .readBatch(1 << 20)
      .map(({ payload }) => payload.toString());
    expect(texts.filter((text) => /^[a-d]$/.test(text))).toEqual(['a', 'b', 'c', 'd']);
  });

  it('leaves a segment alone that holds anything behind its first write', async () => {
    const path = await cutWhileWritingAgain(Buffer.from('damage'));
    const { writer } = await open(2);
    await writer.close();
    expect(existsSync(path)).toBe(true);
  });
});
