/** Files that are small and make a careless reader work, or hold, far more than their size. */
import { crc32 } from 'node:zlib';
import { expect, it, vi } from 'vitest';
import { extract, planted, zipEnd } from './test-kit.ts';

vi.setConfig({ testTimeout: 120_000 });

const [VALUE = ''] = planted(1, 7);

/** What `work` takes, in seconds of CPU. */
async function cpuSeconds(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function header(name: Buffer, size: number, crc: number, extra = 0): Buffer {
  const fixed = Buffer.alloc(30);
  fixed.writeUInt32LE(0x04034b50, 0);
  fixed.writeUInt32LE(crc, 14);
  fixed.writeUInt32LE(size, 18);
  fixed.writeUInt32LE(size, 22);
  fixed.writeUInt16LE(name.length, 26);
  fixed.writeUInt16LE(extra, 28);
  return Buffer.concat([fixed, name, Buffer.alloc(extra)]);
}

function listing(name: Buffer, size: number, crc: number, offset: number): Buffer {
  const fixed = Buffer.alloc(46);
  fixed.writeUInt32LE(0x02014b50, 0);
  fixed.writeUInt32LE(crc, 16);
  fixed.writeUInt32LE(size, 20);
  fixed.writeUInt32LE(size, 24);
  fixed.writeUInt16LE(name.length, 28);
  fixed.writeUInt32LE(offset, 42);
  return Buffer.concat([fixed, name]);
}

function zip(entries: readonly [name: string, data: string][]): Buffer {
  const bodies: Buffer[] = [];
  const listed: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of entries) {
    const data = Buffer.from(text);
    const crc = crc32(data);
    listed.push(listing(Buffer.from(name), data.length, crc, offset));
    bodies.push(header(Buffer.from(name), data.length, crc), data);
    offset += 30 + name.length + data.length;
  }
  return Buffer.concat([...bodies, ...listed, zipEnd(entries.length, Buffer.concat(listed).length, offset)]);
}

it('a chain of small sectors that runs in a circle ends with what holds them', async () => {
  // [MS-CFB]: header, FAT, directory, small FAT, small stream; a stream of nearly 4 GiB in one sector of 64 bytes.
  const file = Buffer.alloc(512 * 5, 0xff);
  file.fill(0, 0, 512);
  file.write('d0cf11e0a1b11ae1', 'hex');
  for (const [at, value] of [
    [24, 0x3e],
    [26, 3],
    [28, 0xfffe],
    [30, 9],
    [32, 6],
  ] as const)
    file.writeUInt16LE(value, at);
  for (const [at, value] of [
    [44, 1],
    [48, 1],
    [56, 0xffff_ffff],
    [60, 2],
    [64, 1],
    [68, 0xffff_fffe],
  ] as const)
    file.writeUInt32LE(value, at);
  file.fill(0xff, 80, 512);
  file.writeUInt32LE(0, 76);
  for (const [index, next] of [0xffff_fffd, 0xffff_fffe, 0xffff_fffe, 0xffff_fffe].entries())
    file.writeUInt32LE(next, 512 + index * 4);
  const directory = (at: number, name: string, type: number, start: number, size: number): void => {
    file.fill(0, at, at + 128);
    file.write(name, at, 'utf16le');
    file.writeUInt16LE(name.length * 2 + 2, at + 64);
    file[at + 66] = type;
    file.writeUInt32LE(start, at + 116);
    file.writeUInt32LE(size, at + 120);
  };
  file.fill(0, 1024, 1536);
  directory(1024, 'Root Entry', 5, 3, 512);
  directory(1152, 'WordDocument', 2, 0, 0xffff_fff0);
  file.writeUInt32LE(0, 1536);
  file.fill(' ', 2048);
  file.write(VALUE, 2064);
  const found = await extract(file);
  expect(found.outcome).toBe('unsupported');
  expect(found.all).toContain(VALUE);
  expect(found.bytes).toBeLessThan(100_000);
});

it('a hundred thousand entries over one header with a name of 64 KiB', async () => {
  const shared = header(Buffer.alloc(65_535, 'n'), 0, 0, 65_535);
  const listed = Buffer.concat(
    Array.from({ length: 65_000 }, (_, index) => listing(Buffer.from(String(index)), 0, 0, 0)),
  );
  const file = Buffer.concat([shared, listed, zipEnd(65_000, listed.length, shared.length)]);
  let outcome = '';
  // Seconds: reading and holding the name for each of them took ten times as much, and eight gigabytes.
  expect(
    await cpuSeconds(async () => {
      ({ outcome } = await extract(file));
    }),
  ).toBeLessThan(8);
  expect(outcome).toBe('malformed');
});

it('tags and formats that are never closed, in what the parts of a workbook share', async () => {
  const numbers = `<numFmt numFmtId="164" formatCode="${'['.repeat(255)}"/>`.repeat(20_000);
  const types =
    '<Types><Override PartName="/a.xml" ContentType="x.sheet.main+xml"/><Override PartName="/s.xml" ContentType="x.spreadsheetml.styles+xml"/>';
  const files: [string, string][][] = [
    [['[Content_Types].xml', `<Types>${'<Override '.repeat(400_000)}`]],
    [
      ['[Content_Types].xml', types],
      ['a.xml', '<workbook/>'],
      ['s.xml', `<styleSheet><numFmts>${numbers}`],
    ],
  ];
  for (const [index, entries] of files.entries())
    expect.soft(await cpuSeconds(() => extract(zip(entries))), `${index}`).toBeLessThan(2);
});

it('an object in RTF of half a million pieces is one buffer', async () => {
  const file = Buffer.from(`{\\rtf1{\\object{\\*\\objdata ${'4\\b 1\\i '.repeat(500_000)}}}${VALUE}}`);
  const before = process.memoryUsage().rss;
  const found = await extract(file);
  expect(found.outcome).toBe('ok');
  expect(found.all).toContain(VALUE);
  // Bytes: with a buffer for each piece it was ten times the file.
  expect(process.memoryUsage().rss - before).toBeLessThan(150e6);
});

it('parameters of mail whose quotes are never closed', async () => {
  const part = `--x\nContent-Type: text/plain${';a="'.repeat(2000)}\n\n${VALUE}\n`;
  const mail = `From: a\nTo: b\nContent-Type: multipart/mixed; boundary=x\n\n${part.repeat(500)}--x--\n`;
  let all = '';
  expect(
    await cpuSeconds(async () => {
      ({ all } = await extract(Buffer.from(mail)));
    }),
  ).toBeLessThan(5);
  expect(all.split(VALUE).length).toBe(501);
});
