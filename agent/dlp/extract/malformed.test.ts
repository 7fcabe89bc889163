import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { extract, planted, python, zipEnd } from './test-kit.ts';

// Python, children and a machine that others keep busy.
vi.setConfig({ testTimeout: 120_000 });

const [VALUE = '', OTHER = ''] = planted(2);

interface Forged {
  name?: string;
  data: string | Buffer;
  method?: number;
  flags?: number;
  size?: number;
  packed?: Buffer;
  packedSize?: number;
  crc?: number;
  /** Not in the directory. */
  hidden?: boolean;
}

function local({
  name = 'a.txt',
  data,
  method = 0,
  flags = 0,
  size,
  packed,
  packedSize,
  crc,
}: Forged): Buffer {
  const bytes = packed ?? (method === 8 ? deflateRawSync(data) : Buffer.from(data));
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(flags, 6);
  header.writeUInt16LE(method, 8);
  header.writeUInt32LE(crc ?? crc32(data), 14);
  header.writeUInt32LE(packedSize ?? bytes.length, 18);
  header.writeUInt32LE(size ?? data.length, 22);
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, Buffer.from(name), bytes]);
}

function central(
  { name = 'a.txt', data, method = 0, flags = 0, size, packed, packedSize, crc }: Forged,
  offset: number,
): Buffer {
  const bytes = packed ?? (method === 8 ? deflateRawSync(data) : Buffer.from(data));
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(flags, 8);
  header.writeUInt16LE(method, 10);
  header.writeUInt32LE(crc ?? crc32(data), 16);
  header.writeUInt32LE(packedSize ?? bytes.length, 20);
  header.writeUInt32LE(size ?? data.length, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt32LE(offset, 42);
  return Buffer.concat([header, Buffer.from(name)]);
}

/** A zip after the specification (APPNOTE), with whatever lies the entries hold. */
function forge(...entries: Forged[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const bytes = local(entry);
    if (!entry.hidden) directory.push(central(entry, offset));
    locals.push(bytes);
    offset += bytes.length;
  }
  const listed = Buffer.concat(directory);
  return Buffer.concat([...locals, listed, zipEnd(directory.length, listed.length, offset)]);
}

describe('zips that lie', () => {
  it.each<[string, Forged, string]>([
    ['a size too small', { data: VALUE, method: 8, size: 3 }, 'malformed'],
    ['a size too large', { data: VALUE, method: 8, size: 3_000_000 }, 'malformed'],
    ['a stored size that is no size', { data: VALUE, size: 4 }, 'malformed'],
    ['a wrong checksum', { data: VALUE, method: 8, crc: 1 }, 'malformed'],
    [
      'data cut short',
      { data: VALUE, method: 8, packed: deflateRawSync(VALUE + VALUE).subarray(0, -2) },
      'malformed',
    ],
  ])('%s: what there is is read, and it is said', async (_what, entry, code) => {
    const found = await extract(forge(entry));
    expect(found.outcome).toBe(code);
    expect(found.all).toContain(VALUE.slice(0, 12));
  });

  it.each<[string, Forged, string]>([
    ['encrypted, the old way', { data: VALUE, flags: 1 }, 'encrypted'],
    ['encrypted with AES', { data: VALUE, method: 99, flags: 1 }, 'encrypted'],
    ['strongly encrypted', { data: VALUE, flags: 0x41 }, 'encrypted'],
    ['a method nobody reads here', { data: VALUE, method: 98 }, 'unsupported'],
    ['LZMA that is none', { data: VALUE, method: 14 }, 'malformed'],
    ['packed bytes beyond the file', { data: VALUE, packedSize: 0x7fff_ffff }, 'malformed'],
  ])('%s is never clean', async (_what, entry, code) => {
    expect(await extract(forge(entry, { name: 'b.txt', data: OTHER }))).toMatchObject({ outcome: code });
  });

  it('reads what the directory does not list', async () => {
    const found = await extract(
      forge(
        { data: 'shown' },
        { name: 'hidden.txt', data: VALUE, method: 8, hidden: true },
        { name: 'c', data: 'c' },
      ),
    );
    expect(found.texts.get('hidden.txt')).toBe(VALUE);
    const streamed = forge(
      { data: 'shown' },
      { name: 'h2', data: OTHER, method: 8, flags: 8, crc: 0, packedSize: 0, size: 0, hidden: true },
    );
    expect((await extract(streamed)).texts.get('h2')).toBe(OTHER);
    const noDirectory = Buffer.concat([local({ data: VALUE, method: 8 }), local({ name: 'b', data: OTHER })]);
    const found2 = await extract(noDirectory);
    expect(found2.outcome).toBe('malformed');
    expect(found2.all).toContain(VALUE);
    expect(found2.all).toContain(OTHER);
  });

  it('reads entries that lie over each other once, and says so', async () => {
    const entry: Forged = { data: Buffer.alloc(1_000_000), method: 8 };
    const bytes = local(entry);
    const one = central(entry, 0);
    const listed = Buffer.concat(Array.from({ length: 5000 }, () => one));
    const found = await extract(Buffer.concat([bytes, listed, zipEnd(5000, listed.length, bytes.length)]));
    expect(found.outcome).toBe('malformed');
    expect(found.bytes).toBeLessThan(2_000_000);
  });

  it('finds archives behind anything, and does not take every mark of one for an archive', async () => {
    const zip = forge({ data: VALUE, method: 8 });
    for (const front of ['#!/bin/sh\n', '%PDF-1.7\n', '<html></html>', '\x89PNG\r\n\x1a\n', 'GIF89a'])
      expect
        .soft((await extract(Buffer.concat([Buffer.from(front, 'latin1'), zip]))).all, front)
        .toContain(VALUE);
    const code = Buffer.concat([
      Buffer.alloc(5000, 1),
      Buffer.from('PK\x05\x06PK\x03\x04PK\x01\x02', 'latin1'),
      Buffer.alloc(500, 2),
    ]);
    expect(await extract(code)).toMatchObject({ outcome: 'ok', members: 0 });
  });

  it('looks through a gap full of false headers in a straight line', async () => {
    const gap = Buffer.alloc(8_000_000, 'PK\x03\x04', 'latin1');
    const zip = forge({ data: VALUE, method: 8 });
    const directoryAt = zip.readUInt32LE(zip.length - 6);
    const moved = Buffer.concat([gap, zip.subarray(0, directoryAt), zip.subarray(directoryAt)]);
    const before = process.cpuUsage();
    expect((await extract(moved)).all).toContain(VALUE);
    const { user, system } = process.cpuUsage(before);
    // Seconds: a window read for each false header would take minutes.
    expect((user + system) / 1e6).toBeLessThan(20);
  });

  it('names members so that they lead nowhere and show what they are', async () => {
    const names = [
      '../../etc/passwd',
      '/abs',
      'C:\\x\\..\\y',
      'a\u202Egnp.exe',
      'new\nline\x1b[31m',
      'n'.repeat(5000),
    ];
    const found = await extract(forge(...names.map((name) => ({ name, data: name }))));
    for (const name of found.texts.keys()) {
      expect.soft(name).not.toMatch(/(^|[/\\])\.\.([/\\]|$)|^\/|[\p{Cc}\p{Cf}]/u);
      expect.soft(name.length).toBeLessThan(300);
    }
    expect(found.texts.size).toBe(names.length);
  });
});

describe('bombs', () => {
  it('stops at the ratio, the output, the members and the time', async () => {
    const zeros = gzipSync(Buffer.alloc(50_000_000));
    expect(await extract(zeros)).toMatchObject({ outcome: 'ratio' });
    expect(await extract(zeros, { maxRatio: 1e6, maxOutputBytes: 10_000_000 })).toMatchObject({
      outcome: 'too_large',
    });
    expect(await extract(zeros, { maxRatio: 1e6, wallMs: 0 })).toMatchObject({ outcome: 'time' });
    const many = forge(...Array.from({ length: 300 }, (_, index) => ({ name: `${index}`, data: 'x' })));
    expect(await extract(many, { maxMembers: 200 })).toMatchObject({ outcome: 'too_large' });
  });

  it('stops at the depth, however it is nested', async () => {
    let bytes: Buffer = Buffer.from(VALUE);
    for (let level = 0; level < 100; level += 1) bytes = level % 2 ? gzipSync(bytes) : forge({ data: bytes });
    expect(await extract(bytes)).toMatchObject({ outcome: 'depth' });
    // Sixteen archives of sixteen archives, and so on: 16^5 files of a megabyte each.
    let nest: Buffer = forge({ data: Buffer.alloc(1_000_000), method: 8 });
    for (let level = 0; level < 5; level += 1)
      nest = forge(
        ...Array.from({ length: 16 }, (_, index) => ({ name: `${index}.zip`, data: nest, method: 8 })),
      );
    expect(['ratio', 'too_large']).toContain((await extract(nest)).outcome);
  });

  it('expands no entity and fetches none', async () => {
    const laughs = `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "${VALUE}">${Array.from(
      { length: 9 },
      (_, index) => `<!ENTITY ${'bcdefghij'[index]} "${`&${'abcdefghi'[index]};`.repeat(10)}">`,
    ).join('')}<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&j; &x; &amp;&#52;&#x31;</l>`;
    const found = await extract(Buffer.from(laughs));
    expect(found.outcome).toBe('ok');
    expect(found.bytes).toBeLessThan(10_000);
    expect(found.all).toContain(VALUE);
    expect(found.all).toContain('&j; &x; &41');
    expect(found.all).not.toContain('root:');
  });

  it('reads tags that never end, groups without end and parts within parts in a straight line', async () => {
    const hostile = [
      `<?xml version="1.0"?><a>${'<b '.repeat(1_000_000)}`,
      `<?xml version="1.0"?>${'<a x="'.repeat(500_000)}`,
      `<?xml version="1.0"?>${'<!--'.repeat(500_000)}`,
      `<?xml version="1.0"?>${'<!DOCTYPE a ['.repeat(200_000)}`,
      `<?xml version="1.0"?><a>${'&'.repeat(2_000_000)}</a>`,
      `<html>${'<td>'.repeat(500_000)}`,
      `{\\rtf1${'{\\b '.repeat(500_000)}`,
      `{\\rtf1${'\\'.repeat(1_000_000)}`,
      `From: a\nTo: b\n${'X: y\n'.repeat(300_000)}`,
      `From: a\nTo: b\nContent-Type: multipart/mixed; boundary=x\n\n${'--x\nContent-Type: multipart/mixed; boundary=x\n\n'.repeat(20_000)}`,
      `From: a\nTo: b\n\n${'From x\nFrom: a\nTo: b\n\n'.repeat(50_000)}`,
    ];
    for (const [index, text] of hostile.entries()) {
      const startedAt = process.cpuUsage();
      await extract(Buffer.from(text));
      const { user, system } = process.cpuUsage(startedAt);
      // Seconds: what is quadratic in any of these takes minutes.
      expect.soft((user + system) / 1e6, `${index}`).toBeLessThan(10);
    }
  });
});

describe('never clean in silence', () => {
  it.each([
    ['7z archive', '377abcaf271c0004'],
    ['RAR archive', '526172211a070100'],
    ['cabinet', '4d53434600000000'],
  ])('%s', async (name, magic) => {
    const found = await extract(Buffer.concat([Buffer.from(magic, 'hex'), Buffer.alloc(100, 7)]));
    expect(found).toMatchObject({ outcome: 'unsupported' });
    expect(found.reason).toContain(name);
  });

  it('every cut of every format ends in an outcome, and a cut archive is not ok', async () => {
    const names = ['a.zip', 'a.tgz', 'a.tar', 'a.eml', 'a.gz', 'a.html', 'a.rtf', 'a.xml'];
    const files = python(
      `
import zipfile, tarfile, gzip, io
from email.message import EmailMessage
data = ('value ${VALUE} ' + ''.join(chr(33 + i * 7 % 90) for i in range(400))).encode()
with zipfile.ZipFile('a.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('[Content_Types].xml', '<Types/>'); z.writestr('x/y.xml', b'<w:document><w:p><w:t>' + b'a' * 300 + b'</w:t></w:p></w:document>'); z.writestr('b.txt', data)
for name, mode in (('a.tgz', 'w:gz'), ('a.tar', 'w')):
    with tarfile.open(name, mode) as t:
        i = tarfile.TarInfo('b.txt'); i.size = len(data); t.addfile(i, io.BytesIO(data))
m = EmailMessage(); m['From'] = 'a@b.c'; m['To'] = 'd@e.f'; m.set_content('text'); m.add_attachment(open('a.zip', 'rb').read(), maintype='a', subtype='b', filename='a.zip')
open('a.eml', 'wb').write(m.as_bytes())
gzip.open('a.gz', 'wb').write(data)
open('a.html', 'w').write('<html><table><tr><td a="b">&eacute;</td></tr></table>' + '<!-- c -->' * 20)
open('a.rtf', 'w').write('{\\\\rtf1\\\\ansi a\\\\u8364?\\\\\\'e9{\\\\object{\\\\*\\\\objdata 0105}}' + '\\\\par b' * 50 + '}')
open('a.xml', 'w').write('<?xml version="1.0"?><!DOCTYPE a []><a b="c">&amp;&#65;<![CDATA[x]]></a>' * 5)
`,
      ...names,
    );
    let cuts = 0;
    for (const [index, file] of files.entries()) {
      for (let length = 1; length < file.length; length += Math.max(1, Math.floor(file.length / 150))) {
        const found = await extract(file.subarray(0, length));
        cuts += 1;
        const archive = ['a.zip', 'a.tgz', 'a.gz'].includes(names[index] ?? '');
        if (archive && length > 20) expect.soft(found.outcome, `${names[index]} at ${length}`).not.toBe('ok');
      }
    }
    expect(cuts).toBeGreaterThan(800);
  });
});
