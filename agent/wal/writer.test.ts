import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { WalFailedError, WalFullError, WalRecordError } from './errors.ts';
import { openWal } from './open.ts';
import { packRecord, packedSize } from './packed.ts';
import { locateRecord } from './locate.ts';
import { listSegments } from './segments.ts';
import {
  readAll,
  removeTemporaryFolders,
  smallWal,
  temporaryFolder,
  testedWriters,
  textRecord,
} from './testing.ts';
import { realFs } from './wal-fs.ts';

afterEach(removeTemporaryFolders);

describe.each(testedWriters())('%s writer', (prefer) => {
  it('numbers records from 1, makes them durable, and a reader returns them as they were', async () => {
    const dir = temporaryFolder();
    const { writer, recovered } = await openWal(smallWal(dir, { prefer }));
    expect(recovered).toMatchObject({ lastSeq: 0, gaps: [], cleanShutdown: true, segments: 0 });
    const record = { type: 7, schema: 2, flags: 5, cpu: 3, wallNs: 1_700_000_000_123_456_789n };
    expect(writer.append([{ ...record, payload: Buffer.from('first') }, textRecord('')], true)).toBe(1);
    expect(writer.append([textRecord('third')], true)).toBe(3);
    await writer.whenDurable(3);
    expect(writer.durableSeq).toBe(3);
    await writer.close();
    const { records, reader } = readAll(dir);
    expect(records.map((r) => [r.seq, r.payload.toString()])).toEqual([
      [1, 'first'],
      [2, ''],
      [3, 'third'],
    ]);
    expect(records[0]).toMatchObject({ seq: 1, ...record });
    expect(reader.takeGaps()).toEqual([]);
  });

  it('goes on numbering over segments and restarts, and reads all of it', async () => {
    const dir = temporaryFolder();
    let expected = 0;
    for (let epoch = 1; epoch <= 3; epoch++) {
      const { writer, recovered } = await openWal(smallWal(dir, { prefer, epoch }));
      expect(recovered).toMatchObject({
        lastSeq: expected,
        gaps: [],
        cleanShutdown: true,
        truncatedBytes: 0,
      });
      for (let i = 0; i < 40; i++) {
        const payload = `${expected + 1}`.padEnd(4000, '.');
        expect(writer.append([textRecord(payload)], true)).toBe(expected + 1);
        expected++;
        await writer.whenDurable(expected);
      }
      await writer.close();
    }
    expect(listSegments(dir).length).toBeGreaterThan(6);
    const { records, reader } = readAll(dir);
    expect(records.map((r) => Number.parseInt(r.payload.toString(), 10))).toEqual(
      Array.from({ length: expected }, (_, i) => i + 1),
    );
    expect(reader.takeGaps()).toEqual([]);
    expect(readAll(dir, 100).records[0]?.seq).toBe(100);
    const place = locateRecord(dir, 77);
    expect(place?.record.payload.toString()).toMatch(/^77\./);
    expect(place?.chain).toHaveLength(32);
  });

  it('takes packed records in one piece', async () => {
    const dir = temporaryFolder();
    const { writer } = await openWal(smallWal(dir, { prefer }));
    const inputs = Array.from({ length: 50 }, (_, i) => textRecord('x'.repeat(i * 7)));
    const packed = Buffer.alloc(packedSize(inputs, 1e6));
    let at = 0;
    for (const input of inputs) at = packRecord(packed, at, input);
    expect(writer.appendPacked?.(packed, inputs.length, true)).toBe(1);
    expect(() => writer.appendPacked?.(packed.subarray(8), inputs.length, true)).toThrow(WalRecordError);
    packed.fill(0xff);
    await writer.whenDurable(50);
    await writer.close();
    expect(readAll(dir).records.map((r) => r.payload.length)).toEqual(inputs.map((_, i) => i * 7));
  });

  it('commits records that are not urgent within the window, in one commit', async () => {
    const dir = temporaryFolder();
    const { writer } = await openWal(smallWal(dir, { prefer, commitWindowMs: 20 }));
    for (let i = 0; i < 10; i++) writer.append([textRecord(`${i}`)], false);
    expect(writer.durableSeq).toBe(0);
    await writer.whenDurable(10);
    expect(writer.stats()).toMatchObject({
      commits: 1,
      state: 'ok',
      lastSeq: 10,
      durableSeq: 10,
      pendingBytes: 0,
    });
    await writer.close();
  });

  it('commits what waits for its window when asked to, and does nothing when nothing waits', async () => {
    const dir = temporaryFolder();
    const { writer } = await openWal(smallWal(dir, { prefer, commitWindowMs: 600_000 }));
    writer.commitNow();
    expect(writer.stats()).toMatchObject({ lastSeq: 0, commits: 0 });
    for (let seq = 1; seq <= 3; seq++) {
      expect(writer.append([textRecord(`${seq}`)], false)).toBe(seq);
      writer.commitNow();
      await writer.whenDurable(seq);
    }
    await writer.close();
    expect(() => writer.commitNow()).not.toThrow();
    expect(readAll(dir).records.map((record) => record.payload.toString())).toEqual(['1', '2', '3']);
  });

  it('tells listeners, and the chain head is what the files say', async () => {
    const dir = temporaryFolder();
    const { writer } = await openWal(smallWal(dir, { prefer }));
    const seen: number[] = [];
    const stop = writer.onDurable((seq) => seen.push(seq));
    for (let i = 0; i < 5; i++) {
      writer.append([textRecord(`${i}`)], true);
      await writer.whenDurable(i + 1);
    }
    const head = writer.chainHead();
    expect(head).toMatchObject({ seq: 5, commitNo: 5 });
    expect(locateRecord(dir, 5)?.chain.equals(head.chain)).toBe(true);
    stop();
    await writer.close();
    expect(seen.at(-1)).toBe(5);
    expect([...seen]).toEqual(seen.toSorted((a, b) => a - b));
  });

  it('refuses what is too large, what comes after close, and what exceeds the pending bound', async () => {
    const dir = temporaryFolder();
    const { writer } = await openWal(
      smallWal(dir, { prefer, maxPendingBytes: 4096, commitWindowMs: 60_000 }),
    );
    expect(() => writer.append([textRecord('x'.repeat(65536))], true)).toThrow(WalRecordError);
    writer.append([textRecord('x'.repeat(3000))], false);
    expect(() => writer.append([textRecord('x'.repeat(3000))], false)).toThrow(WalFullError);
    expect(writer.stats()).toMatchObject({ refusedAppends: 1, refusedRecords: 1, lastSeq: 1 });
    await writer.close();
    expect(() => writer.append([textRecord('late')], true)).toThrow(WalFailedError);
    await expect(writer.whenDurable(2)).rejects.toThrow(WalFailedError);
    expect(readAll(dir).records).toHaveLength(1);
  });

  it('stores the largest record a segment can hold', async () => {
    const dir = temporaryFolder();
    const { writer } = await openWal(smallWal(dir, { prefer }));
    const largest = 65536 - 8192 - 80 - 32 - 8;
    writer.append([textRecord('small'), textRecord('y'.repeat(largest)), textRecord('small')], true);
    await writer.whenDurable(3);
    await writer.close();
    expect(readAll(dir).records.map((r) => r.payload.length)).toEqual([5, largest, 5]);
  });

  it('follows a live writer up to its durable point only', async () => {
    const dir = temporaryFolder();
    const { writer } = await openWal(smallWal(dir, { prefer }));
    const { reader } = readAll(dir, 1);
    const seen: number[] = [];
    for (let i = 1; i <= 60; i++) {
      writer.append([textRecord('z'.repeat(3000))], true);
      await writer.whenDurable(i);
      if (i % 3 === 0) for (const r of reader.readBatch(1e6, i - 1)) seen.push(r.seq);
      expect(seen.at(-1) ?? 0).toBeLessThanOrEqual(i - 1);
    }
    for (const r of reader.readBatch(1e6, 60)) seen.push(r.seq);
    expect(seen).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(reader.takeGaps()).toEqual([]);
    await writer.close();
    reader.close();
  });

  it('writes one idle commit a second after the last record, then nothing', async () => {
    const dir = temporaryFolder();
    const { writer } = await openWal(smallWal(dir, { prefer }));
    writer.append([textRecord('only')], true);
    await writer.whenDurable(1);
    const before = writer.stats().commits;
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(writer.stats().commits).toBe(before + 1);
    expect(writer.durableSeq).toBe(1);
    await writer.close();
  });
});

describe('both writers', () => {
  it.skipIf(testedWriters().length < 2)(
    'make the same files but for salt, times and what follows from them (skipped: no native writer)',
    async () => {
      const images: Buffer[] = [];
      for (const prefer of testedWriters()) {
        const dir = temporaryFolder();
        const { writer } = await openWal(smallWal(dir, { prefer, commitWindowMs: 60_000 }));
        writer.append(
          [1, 100, 5000].map((n) => ({ ...textRecord('q'.repeat(n)), wallNs: 42n })),
          true,
        );
        await writer.whenDurable(3);
        await writer.close();
        images.push(blank(readFileSync(join(dir, '000000000001.swal'))));
      }
      expect(images[0]?.equals(images[1] as Buffer)).toBe(true);
    },
  );
});

/** Zeroes what may differ: checksums, salt, times, chain. */
function blank(image: Buffer): Buffer {
  for (const copy of [0, 4096]) {
    image.fill(0, copy + 12, copy + 16);
    image.fill(0, copy + 56, copy + 68);
  }
  for (let at = 8192; at < image.length;) {
    const body = image.readUInt32LE(at + 8);
    image
      .fill(0, at, at + 4)
      .fill(0, at + 32, at + 64)
      .fill(0, at + 72, at + 80);
    for (let record = at + 80; record < at + 80 + body;) {
      image.fill(0, record, record + 4);
      record += Math.ceil((32 + image.readUInt32LE(record + 4)) / 8) * 8;
    }
    at += Math.ceil((80 + body) / 4096) * 4096;
  }
  return image;
}

it('JS writer: commits a record whose commit window ends during a slow commit', async () => {
  const slow = {
    ...realFs,
    create: async (path: string) => {
      const file = await realFs.create(path);
      const datasync = async (): Promise<void> => {
        await sleep(30);
        await file.datasync();
      };
      return {
        write: file.write.bind(file),
        truncate: file.truncate.bind(file),
        close: file.close.bind(file),
        datasync,
      };
    },
  };
  const options = smallWal(temporaryFolder(), { prefer: 'js', fs: slow, commitWindowMs: 1 });
  const { writer } = await openWal(options);
  const urgent = writer.append([textRecord('urgent')], true);
  const patient = writer.append([textRecord('patient')], false);
  await writer.whenDurable(urgent);
  await writer.whenDurable(patient);
  expect(writer.durableSeq).toBe(patient);
  await writer.close();
});
