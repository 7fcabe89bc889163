import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CursorFile } from './cursor.ts';
import { openWal } from './open.ts';
import { WalReader } from './reader.ts';
import { retain } from './retention.ts';
import { readAll, removeTemporaryFolders, smallWal, temporaryFolder, textRecord } from './testing.ts';

afterAll(removeTemporaryFolders);

const SLOT = 32;
const path = (): string => join(temporaryFolder(), 'sub', 'timeline');

/** A cursor file that was written with these positions in turn. */
function written(...seqs: number[]): string {
  const file = path();
  const cursor = new CursorFile(file);
  for (const seq of seqs) cursor.write(seq);
  return file;
}

describe('a cursor file', () => {
  it('is 0 when it is missing, empty or all zeros', () => {
    const file = path();
    expect(new CursorFile(file).read()).toBe(0);
    mkdirSync(join(file, '..'));
    for (const content of [Buffer.alloc(0), Buffer.alloc(20), Buffer.alloc(64)]) {
      writeFileSync(file, content);
      expect(new CursorFile(file).read()).toBe(0);
    }
  });

  it('gives the last position back, also a lower one, whatever number of writes', () => {
    for (const seqs of [[7], [7, 9], [7, 9, 12], [500, 3], [1, 2 ** 53 - 1]]) {
      expect(new CursorFile(written(...seqs)).read()).toBe(seqs.at(-1));
      expect(readFileSync(written(...seqs)).length).toBeLessThanOrEqual(2 * SLOT);
    }
  });

  it('goes on from what is in the file when it is written before it was read', () => {
    const file = written(10, 20, 30, 40);
    new CursorFile(file).write(50);
    expect(new CursorFile(file).read()).toBe(50);
  });

  it('falls back to the position before when the last write is torn at any byte', () => {
    for (const count of [2, 3]) {
      const seqs = [100, 200, 300].slice(0, count);
      const before = readFileSync(written(...seqs.slice(0, -1)));
      const after = readFileSync(written(...seqs));
      const full = Buffer.alloc(2 * SLOT);
      before.copy(full);
      const at = count % 2 === 0 ? 0 : SLOT;
      for (let cut = 0; cut <= SLOT; cut++) {
        const torn = Buffer.from(full);
        after.copy(torn, at, at, at + cut);
        const file = path();
        mkdirSync(join(file, '..'));
        writeFileSync(file, torn);
        const got = new CursorFile(file).read();
        // Bytes that did not change may complete a slot early; nothing else than the two positions is ever read.
        if (cut < 28) expect(got).toBe(seqs.at(-2));
        else expect(seqs.slice(-2)).toContain(got);
        if (cut === SLOT) expect(got).toBe(seqs.at(-1));
      }
    }
  });

  it('never believes a damaged slot: any bit of the file', () => {
    const file = written(1000, 2000);
    const good = readFileSync(file);
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bytes = Buffer.from(good);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      writeFileSync(file, bytes);
      expect([1000, 2000]).toContain(new CursorFile(file).read());
    }
  });

  it('keeps what it knew when the file shrinks under it, and writes it again', () => {
    const file = written(5, 6);
    const cursor = new CursorFile(file);
    expect(cursor.read()).toBe(6);
    truncateSync(file, 10);
    expect(cursor.read()).toBe(6);
    cursor.write(7);
    expect(new CursorFile(file).read()).toBe(7);
  });

  it('says so when it cannot be read', () => {
    const file = path();
    mkdirSync(file, { recursive: true });
    expect(() => new CursorFile(file).read()).toThrow(/EISDIR/);
  });

  it('is read whole by another process at any moment while it is being written', async () => {
    const file = written(1);
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { CursorFile } from ${JSON.stringify(join(import.meta.dirname, 'cursor.ts'))};
         const cursor = new CursorFile(${JSON.stringify(file)});
         for (let seq = 2; seq <= 20001; seq++) cursor.write(seq);`,
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const ended = once(child, 'exit');
    let last = 0;
    let reads = 0;
    while (child.exitCode === null) {
      const seq = new CursorFile(file).read();
      expect(seq).toBeGreaterThanOrEqual(last);
      last = seq;
      reads++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ended).toEqual([0, null]);
    expect(reads).toBeGreaterThan(5);
    expect(new CursorFile(file).read()).toBe(20_001);
  });
});

describe('a cursor and its log', () => {
  async function log(dir: string, epoch: number, count: number): Promise<void> {
    const { writer } = await openWal(smallWal(dir, { epoch }));
    for (let i = 0; i < count; i++)
      await writer.whenDurable(writer.append([textRecord('x'.repeat(9000))], true));
    await writer.close();
  }

  it('of an older run reads on over the border between the runs without a gap', async () => {
    const dir = temporaryFolder();
    await log(dir, 1, 8);
    const cursor = new CursorFile(written(5));
    await log(dir, 2, 8);
    const { records, reader } = readAll(dir, cursor.read() + 1);
    expect(records.map((r) => r.seq)).toEqual(Array.from({ length: 11 }, (_, i) => i + 6));
    expect(reader.takeGaps()).toEqual([]);
  });

  it('that is ahead of its log makes recovery state what is missing and use no number twice', async () => {
    const dir = temporaryFolder();
    await log(dir, 1, 8);
    const newest = readdirSync(dir).sort().at(-1) as string;
    rmSync(join(dir, newest));
    const { writer, recovered } = await openWal(smallWal(dir, { epoch: 2, witnessSeq: 8 }));
    const [gap] = recovered.gaps;
    expect(gap).toMatchObject({ cause: 'wal_corruption', toSeq: 8 });
    expect(writer.append([textRecord('next')], true)).toBe(9);
    await writer.close();
  });

  it('that points into a segment that retention removed gets the gap, then the rest', async () => {
    const dir = temporaryFolder();
    await log(dir, 1, 24);
    const cursor = new CursorFile(written(2));
    const removed = await retain(dir, {
      maxBytes: 1,
      maxAgeNs: 10n ** 18n,
      nowNs: BigInt(Date.now()) * 1_000_000n,
      cursors: [cursor.read()],
    });
    expect(removed.removedSegments).toBeGreaterThan(0);
    const reader = new WalReader(dir, { fromSeq: cursor.read() + 1 });
    const [first] = reader.readBatch(1 << 20);
    expect(first?.seq).toBeGreaterThan(3);
    expect(reader.takeGaps()).toMatchObject([
      { fromSeq: 3, toSeq: (first?.seq ?? 0) - 1, cause: 'retention' },
    ]);
    reader.close();
  });
});
