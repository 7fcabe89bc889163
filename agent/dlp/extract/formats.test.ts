/** What a file is, read beside the main thread, is what its bytes say. */
import fs, { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { formatsOf } from './formats.ts';
import { identify } from './identify.ts';
import { bufferSource } from './source.ts';

/** An empty folder entry, its directory and the end: the smallest zip with something in it. */
function zip(before = 0): Buffer {
  const local = Buffer.alloc(31);
  local.write('PK\x03\x04', 0, 'latin1');
  local.writeUInt16LE(1, 26);
  local.write('a', 30);
  const entry = Buffer.alloc(47);
  entry.write('PK\x01\x02', 0, 'latin1');
  entry.writeUInt16LE(1, 28);
  entry.write('a', 46);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(entry.length, 12);
  end.writeUInt32LE(before + local.length, 16);
  return Buffer.concat([Buffer.alloc(before, 'x'), local, entry, end]);
}

/** Ends of zips without a directory, one behind the other: each is a place to look at. */
function endless(count: number): Buffer {
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt32LE(100_000, 12);
  return Buffer.concat([
    Buffer.alloc(200_000, 'y'),
    ...Array.from({ length: count }, (_, at) => {
      const each = Buffer.from(end);
      each.writeUInt32LE(100_000 + at * 50, 12);
      return each;
    }),
  ]);
}

const FILES: [name: string, bytes: Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['a word', Buffer.from('word')],
  ['a page', Buffer.from('<html><p>x</p></html>')],
  ['as much as is read first', Buffer.alloc(4096, 'z')],
  ['a byte more', Buffer.alloc(4097, 'z')],
  ['a long text', Buffer.alloc(300_000, 'text ')],
  ['a small zip', zip()],
  ['a zip behind a program', zip(10_000)],
  ['a zip behind a large program', zip(500_000)],
  ['a few ends of zips', endless(5)],
  ['many ends of zips', endless(300)],
];

describe('what a file is', () => {
  const { readSync } = fs;
  let folder = '';
  let sync = 0;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sentinel-formats-'));
  });
  afterEach(() => {
    fs.readSync = readSync;
    syncBuiltinESMExports();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(FILES)('is told without making others wait: %s', async (name, bytes) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    const expected = identify(bufferSource(readFileSync(path)));
    const fd = openSync(path, 'r');
    try {
      sync = 0;
      fs.readSync = ((...args: Parameters<typeof readSync>) => {
        sync += 1;
        return readSync(...args);
      }) as typeof readSync;
      syncBuiltinESMExports();
      expect(await formatsOf(fd)).toEqual(expected);
      // Only what was made to be asked for place by place is.
      if (name === 'many ends of zips') expect(sync).toBeGreaterThan(0);
      else expect(sync).toBe(0);
    } finally {
      closeSync(fd);
    }
    expect(expected.includes('zip')).toBe(name.includes('a small zip') || name.includes('program'));
  });
});
