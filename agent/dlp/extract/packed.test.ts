import { describe, expect, it } from 'vitest';
import { extract, planted, python } from './test-kit.ts';

const V = planted(40, 91);

const FILES = python(
  `
import bz2, io, lzma, random, tarfile, zipfile
random.seed(3)
V = ${JSON.stringify(V)}
noise = lambda n: bytes(random.randrange(256) for _ in range(n))
words = [('%x' % random.randrange(1 << 30)).encode() for _ in range(3000)]
text = lambda n: b' '.join(random.choice(words) for _ in range(n // 8))
big = text(1_400_000) + noise(70_000) + b'a' * 300_000 + text(300_000)
def row(i): return ('\\nrow;' + V[i] + '\\n').encode()
def write(name, data): open(name, 'wb').write(data)
write('plain.xz', lzma.compress(row(0) + big + row(1)))
write('fast.xz', lzma.compress(row(2) + big + row(3), check=lzma.CHECK_CRC32, preset=0))
write('odd.xz', lzma.compress(row(4) + big + row(5), check=lzma.CHECK_SHA256, filters=[{'id': lzma.FILTER_LZMA2, 'lc': 1, 'lp': 3, 'pb': 0, 'dict_size': 65536}]))
write('several.xz', lzma.compress(row(6)) + bytes(8) + lzma.compress(big) + lzma.compress(b'') + lzma.compress(row(7), check=lzma.CHECK_NONE))
write('plain.bz2', bz2.compress(row(8) + big + row(9)))
write('small.bz2', bz2.compress(row(10) + big + row(11), 1))
write('several.bz2', bz2.compress(row(12)) + bz2.compress(b'') + bz2.compress(b'x' * 70_000 + row(13)))
def tar(mode, i):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as t:
        data = row(i); info = tarfile.TarInfo('list.csv'); info.size = len(data); t.addfile(info, io.BytesIO(data))
    return out.getvalue()
write('a.tar.xz', tar('w:xz', 14)); write('a.tbz', tar('w:bz2', 15))
for name, method, i in ('bzip2.zip', zipfile.ZIP_BZIP2, 16), ('lzma.zip', zipfile.ZIP_LZMA, 18):
    with zipfile.ZipFile(name, 'w', method) as z: z.writestr('list.csv', row(i) + big + row(i + 1)); z.writestr('empty', '')
write('filter.xz', lzma.compress(row(20), filters=[{'id': lzma.FILTER_X86}, {'id': lzma.FILTER_LZMA2}]))
`,
  'plain.xz',
  'fast.xz',
  'odd.xz',
  'several.xz',
  'plain.bz2',
  'small.bz2',
  'several.bz2',
  'a.tar.xz',
  'a.tbz',
  'bzip2.zip',
  'lzma.zip',
  'filter.xz',
);

describe('xz, bzip2 and LZMA as Python packs them', () => {
  it('are unpacked whole, with every setting and several in a row', async () => {
    for (const [nth, file] of FILES.slice(0, 7).entries()) {
      const read = await extract(file);
      expect(read.outcome, `file ${nth}`).toBe('ok');
      const text = read.texts.get('content') ?? '';
      expect(text, `file ${nth}`).toContain(`row;${V[nth * 2]}\n`);
      expect(text, `file ${nth}`).toContain(`row;${V[nth * 2 + 1]}\n`);
    }
    expect((await extract(FILES[7]!)).texts.get('content!/list.csv')).toContain(V[14]);
    expect((await extract(FILES[8]!)).texts.get('content!/list.csv')).toContain(V[15]);
  });

  it('are entries of zip archives, their checksums verified', async () => {
    for (const nth of [9, 10]) {
      const read = await extract(FILES[nth]!);
      expect(read.outcome, `file ${nth}`).toBe('ok');
      const text = read.texts.get('list.csv') ?? '';
      expect(text).toContain(V[16 + (nth - 9) * 2]);
      expect(text).toContain(V[17 + (nth - 9) * 2]);
    }
  });

  it('are never clean in silence: damaged, cut, filtered or too large', async () => {
    expect(await extract(FILES[11]!)).toMatchObject({ outcome: 'unsupported' });
    for (const file of [FILES[1]!, FILES[4]!]) {
      for (const share of [0.2, 0.5, 0.9, 0.999]) {
        const at = Math.floor(file.length * share);
        const flipped = Buffer.from(file);
        flipped[at] = (flipped[at] ?? 0) ^ 0x10;
        expect((await extract(flipped)).outcome, `flipped at ${at}`).toBe('malformed');
        expect((await extract(file.subarray(0, at))).outcome, `cut at ${at}`).toBe('malformed');
      }
      expect(await extract(file, { maxOutputBytes: 1 << 20 })).toMatchObject({ outcome: 'too_large' });
    }
    const [bomb] = python(`import lzma; open('b', 'wb').write(lzma.compress(bytes(80 << 20)))`, 'b');
    expect(await extract(bomb!)).toMatchObject({ outcome: 'ratio' });
  });

  it('LZMA without a container is said, not taken for data', async () => {
    const [alone, sized] = python(
      `
import lzma
data = b'4111111111111111\\n' * 99
open('alone', 'wb').write(lzma.compress(data, lzma.FORMAT_ALONE))
packed = lzma.compress(data, lzma.FORMAT_ALONE, preset=9)
open('sized', 'wb').write(packed[:5] + len(data).to_bytes(8, 'little') + packed[13:])
`,
      'alone',
      'sized',
    );
    for (const file of [alone, sized])
      expect(await extract(file ?? Buffer.alloc(0))).toMatchObject({ outcome: 'unsupported' });
    expect(await extract(Buffer.from(']\0\0text, not packed'))).toMatchObject({ outcome: 'ok' });
  });
});
