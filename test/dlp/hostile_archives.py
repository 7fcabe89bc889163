"""Archives and compressed streams made to harm whoever reads them. `save(kind, name, bytes, *codes)`: the codes a verdict
may have; 'ok' for a file that is read whole."""
import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib

MAX32 = 0xFFFFFFFF


def packed(data, level=9):
    c = zlib.compressobj(level, zlib.DEFLATED, -15)
    return c.compress(data) + c.flush()


def zeros_packed(size):
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [c.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b''.join(parts) + c.flush()


def zeros_crc(size):
    crc = 0
    for _ in range(size >> 20):
        crc = zlib.crc32(bytes(1 << 20), crc)
    return crc


def local(name, method, crc, csize, size, flags=0, extra=b''):
    return struct.pack('<IHHHHHIIIHH', 0x04034B50, 20, flags, method, 0, 0, crc, csize, size, len(name), len(extra)) + name + extra


def central(name, method, crc, csize, size, offset, flags=0, extra=b'', attributes=0):
    return struct.pack('<IHHHHHHIIIHHHHHII', 0x02014B50, 0x31E, 20, flags, method, 0, 0, crc, csize, size, len(name), len(extra), 0, 0, 0, attributes, offset) + name + extra


def end(count, size, offset, comment=b''):
    return struct.pack('<IHHHHIIH', 0x06054B50, 0, 0, min(count, 0xFFFF), min(count, 0xFFFF), size, offset, len(comment)) + comment


def end64(count, size, offset, at):
    return struct.pack('<IQHHIIQQQQ', 0x06064B50, 44, 45, 45, 0, 0, count, count, size, offset) + struct.pack('<IIQI', 0x07064B50, 0, at, 1)


def archive(*entries):
    """Entries: (name, method, data as stored, size, crc) with what is said of them."""
    body, listed = b'', b''
    for name, method, data, size, crc in entries:
        listed += central(name, method, crc, len(data), size, len(body))
        body += local(name, method, crc, len(data), size) + data
    return body + listed + end(len(entries), len(listed), len(body))


def fifield(count, size):
    """Files that share one kernel: each is a stored block that quotes the next header, then the next file's data."""
    data, crc, length = zeros_packed(size), zeros_crc(size), size
    files = []
    for i in reversed(range(count)):
        name = b'%04d' % i
        files.append((name, crc, len(data), length))
        header = local(name, 8, crc, len(data), length)
        if i == 0:
            data = header + data
            break
        # CRC of header followed by what the next file unpacks to.
        quoted = struct.pack('<BHH', 0, len(header), len(header) ^ 0xFFFF) + header
        body_crc, left = zlib.crc32(header), length
        inner = header
        data = quoted + data
        contents.insert(0, inner)
        for part in contents[1:]:
            body_crc = zlib.crc32(part, body_crc)
        for _ in range(size >> 20):
            body_crc = zlib.crc32(bytes(1 << 20), body_crc)
        crc, length = body_crc, left + len(header)
    return files, data


contents = []


def overlapping(count, size):
    contents.clear()
    files, body = fifield(count, size)
    listed, at = b'', 0
    for index, (name, crc, csize, length) in enumerate(reversed(files)):
        listed += central(name, 8, crc, csize, length, at)
        at += 30 + len(name) + (5 if index + 1 < len(files) else 0)
    return body + listed + end(count, len(listed), len(body))


def zips(save):
    save('zip bombs', 'flat.zip', archive((b'a', 8, zeros_packed(256 << 20), 256 << 20, zeros_crc(256 << 20))), 'ratio', 'too_large')
    save('zip bombs', 'overlapping.zip', overlapping(100, 8 << 20), 'malformed', 'ratio', 'too_large')
    kernel = zeros_packed(8 << 20)
    one = central(b'a', 8, zeros_crc(8 << 20), len(kernel), 8 << 20, 0)
    body = local(b'a', 8, zeros_crc(8 << 20), len(kernel), 8 << 20) + kernel
    save('zip bombs', 'same-entry.zip', body + one * 20000 + end(20000, len(one) * 20000, len(body)), 'malformed')
    nest = archive((b'0', 8, packed(bytes(1 << 20)), 1 << 20, zlib.crc32(bytes(1 << 20))))
    for _ in range(5):
        p = packed(nest)
        nest = archive(*[(b'%d.zip' % i, 8, p, len(nest), zlib.crc32(nest)) for i in range(16)])
    save('zip bombs', 'nested.zip', nest, 'ratio', 'too_large')
    # An entry that holds the rest of its own archive: it ends as a zip again.
    for extra in (0, 300):
        name, fill = b'self.zip', bytes(extra)
        head = 30 + len(name)
        listed_size, tail = 46 + len(name), 22
        inside = len(fill) + listed_size + tail
        listed = central(name, 0, 0, inside, inside, 0)
        save('zip bombs', f'self{extra}.zip', local(name, 0, 0, inside, inside) + fill + listed + end(1, listed_size, head + len(fill)), 'malformed', 'depth', 'ratio', 'too_large')
    deep = b'x'
    for i in range(120):
        deep = archive((b'z', 0, deep, len(deep), zlib.crc32(deep)))
    save('zip bombs', 'deep.zip', deep, 'depth')
    many = b''.join(central(b'%07d' % i, 0, 0, 0, 0, 0) for i in range(300000))
    body = local(b'0000000', 0, 0, 0, 0)
    at = len(body) + len(many)
    save('zip lies', 'million-entries.zip', body + many + end64(300000, len(many), len(body), at) + end(0xFFFF, MAX32, MAX32), 'too_large')
    data, crc = b'4111111111111111 ' * 50, zlib.crc32(b'4111111111111111 ' * 50)
    p = packed(data)
    for name, entry in {
        'smaller.zip': (b'a', 8, p, 3, crc), 'larger.zip': (b'a', 8, p, 1 << 31, crc), 'crc.zip': (b'a', 8, p, len(data), 1),
        'cut-data.zip': (b'a', 8, p[:-3], len(data), crc), 'method.zip': (b'a', 14, p, len(data), crc), 'noise.zip': (b'a', 8, os.urandom(5000), 5000, 1),
    }.items():
        save('zip lies', name, archive(entry), 'malformed', 'unsupported')
    wide = struct.pack('<HHQQQ', 1, 24, 1 << 63, 1 << 62, 0)
    body = local(b'a', 8, crc, len(p), len(data)) + p
    listed = central(b'a', 8, crc, MAX32, MAX32, MAX32, extra=wide)
    save('zip lies', 'zip64.zip', body + listed + end(1, len(listed), len(body)), 'malformed', 'too_large')
    save('zip lies', 'zip64-end.zip', body + listed + end64(1 << 60, 1 << 61, 1 << 62, len(body) + len(listed)) + end(0xFFFF, MAX32, MAX32), 'malformed', 'too_large')
    save('zip lies', 'offset.zip', body + central(b'a', 8, crc, len(p), len(data), 0x7FFFFFF0) + end(1, 47, len(body)), 'malformed')
    streamed = local(b'a', 8, 0, 0, 0, flags=8) + p + struct.pack('<IIII', 0x08074B50, 1, 2, 3)
    listed = central(b'a', 8, crc, len(p), len(data), 0, flags=8)
    save('zip lies', 'descriptor.zip', streamed + listed + end(1, len(listed), len(streamed)), 'ok', 'malformed')
    save('zip lies', 'ends.zip', body + end(3, 20, 5) * 2900 + end(1, 40, 0), 'malformed', 'ok')
    save('zip lies', 'comment.zip', body + central(b'a', 8, crc, len(p), len(data), 0) + end(1, 47, len(body), b'PK\5\6' * 16000), 'ok', 'malformed')
    names = [b'../../etc/passwd', b'/abs', b'C:\\..\\x', b'a\0b.txt', b'\xff\xfe\xc0', b'n' * 65535, b'link', '\u202egnp.exe'.encode(), b'\x1b]0;x\x07']
    body, listed = b'', b''
    for name in names:
        listed += central(name, 0, crc, len(data), len(data), len(body), attributes=0xA1FF0000 if name == b'link' else 0)
        body += local(name, 0, crc, len(data), len(data)) + data
    save('zip lies', 'names.zip', body + listed + end(len(names), len(listed), len(body)), 'ok')
    long = local(b'n' * 65535, 0, 0, 0, 0, extra=bytes(65532))
    listed = b''.join(central(b'%d' % i, 0, 0, 0, 0, 0) for i in range(90000))
    save('zip lies', 'long-name-often.zip', long + listed + end64(90000, len(listed), len(long), len(long) + len(listed)) + end(0xFFFF, MAX32, MAX32), 'malformed')
    save('zip lies', 'encrypted.zip', local(b'a', 8, crc, len(p), len(data), flags=1) + p + central(b'a', 8, crc, len(p), len(data), 0, flags=1) + end(1, 47, 31 + len(p)), 'encrypted')
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, 'w', zipfile.ZIP_DEFLATED) as z:
        for i in range(20):
            z.writestr(f'{i}.txt', os.urandom(300))
    plain = plain.getvalue()
    for tenth in range(1, 10):
        save('truncated', f'{tenth}.zip', plain[: len(plain) * tenth // 10], 'malformed')


def streams(save):
    save('compressed streams', 'zeros.gz', gzip.compress(bytes(100 << 20)), 'ratio', 'too_large')
    save('compressed streams', 'members.gz', gzip.compress(b'x') * 100000, 'ok', 'ratio')
    chain = bytes(64 << 20)
    for _ in range(12):
        chain = gzip.compress(chain)
    save('compressed streams', 'chain.gz', chain, 'ratio', 'depth')
    save('compressed streams', 'name.gz', b'\x1f\x8b\x08\x08' + bytes(6) + b'n' * (20 << 20), 'malformed')
    save('compressed streams', 'extra.gz', b'\x1f\x8b\x08\x04' + bytes(6) + b'\xff\xff' + b'x' * 70000, 'malformed')
    good = gzip.compress(os.urandom(5000))
    save('compressed streams', 'trailing.gz', good + os.urandom(5000), 'ok', 'malformed')
    save('compressed streams', 'noise.gz', b'\x1f\x8b\x08' + os.urandom(100000), 'malformed', 'ok', 'unsupported')
    for tenth in range(1, 10):
        save('truncated', f'{tenth}.gz', good[: len(good) * tenth // 10], 'malformed')
    # Codecs that not every reader has; where there is none the file is not understood.
    rare = ('unsupported', 'malformed', 'too_large', 'ratio')
    save('compressed streams', 'zeros.bz2', bz2.compress(bytes(64 << 20)), *rare)
    save('compressed streams', 'zeros.xz', lzma.compress(bytes(64 << 20), preset=1), *rare)
    save('compressed streams', 'members.bz2', bz2.compress(b'x') * 5000, 'ok', *rare)
    window = bytearray(lzma.compress(b'x' * 1000))
    size = (window[12] + 1) * 4
    window[16] = 40  # a dictionary of 4 GiB
    window[12 + size - 4 : 12 + size] = struct.pack('<I', zlib.crc32(bytes(window[12 : 12 + size - 4])))
    save('compressed streams', 'window.xz', bytes(window), 'ok', *rare)
    for method, data in ((12, bz2.compress(bytes(32 << 20))), (95, lzma.compress(bytes(32 << 20), preset=1)), (14, b'\x09\x14\x05\x00\x5d\xff\xff\xff\xff' + os.urandom(1000))):
        save('zip bombs', f'method{method}.zip', archive((b'a', method, data, 32 << 20, zeros_crc(32 << 20))), *rare)
    for name, whole in (('xz', lzma.compress(os.urandom(5000))), ('bz2', bz2.compress(os.urandom(5000)))):
        for tenth in range(1, 10, 2):
            save('truncated', f'{tenth}.{name}', whole[: len(whole) * tenth // 10], 'unsupported', 'malformed')
    # Frames of zstd: a window of 2 GiB, endless skippable frames, a block that repeats one byte.
    save('compressed streams', 'window.zst', b'\x28\xb5\x2f\xfd\x00\xa8' + bytes(100), 'too_large', 'malformed')
    save('compressed streams', 'skip.zst', struct.pack('<II', 0x184D2A50, 0) * 500000, 'ok', 'malformed')
    rle = b''.join(struct.pack('<I', (1 << 1 | 131072 << 3))[:3] + b'\0' for _ in range(20000))
    save('compressed streams', 'rle.zst', b'\x28\xb5\x2f\xfd\x00\x58' + rle + struct.pack('<I', 1 | 0 << 1)[:3], 'ratio', 'too_large', 'malformed')
    for name, magic in {'a.7z': '377abcaf271c0004', 'a.rar': '526172211a070100', 'a.xz': 'fd377a585a000004', 'a.bz2': '425a683931415926'}.items():
        save('compressed streams', name, bytes.fromhex(magic) + os.urandom(4000), 'unsupported', 'malformed', 'too_large')


def block(name, size, kind=b'0', magic=b'ustar\x0000', link=b''):
    head = name[:100].ljust(100, b'\0') + b'0000644\0' + b'0000000\0' * 2
    head += (b'%011o\0' % size if 0 <= size < 8**11 else b'\x80' + size.to_bytes(11, 'big', signed=size < 0)) + b'00000000000\0' + b' ' * 8 + kind + link.ljust(100, b'\0') + magic
    head = head.ljust(512, b'\0')
    return head[:148] + b'%06o\0 ' % sum(head) + head[156:]


def pax(**values):
    text = b''
    for key, value in values.items():
        line = f' {key}={value}\n'.encode()
        text += str(len(line) + 2).encode() + line
    return block(b'pax', len(text), b'x') + text.ljust((len(text) + 511) // 512 * 512, b'\0')


def tars(save):
    data = b'4111111111111111\n'.ljust(512, b'\0')
    save('tar', 'pax.tar', pax(path='x' * 50) * 50000 + block(b'a', 17) + data, 'ok')
    for name, size in {'exponent': '1e3', 'negative': '-5', 'nan': 'x', 'huge': '9' * 30}.items():
        save('tar', f'pax-{name}.tar', pax(size=size) + block(b'a', 17) + data + bytes(1024), 'ok', 'malformed')
    save('tar', 'long-name.tar', block(b'l', 1 << 33, b'L') + data * 10, 'malformed')
    save('tar', 'long-names.tar', (block(b'l', 1 << 20, b'L') + b'n' * (1 << 20)) * 20 + block(b'a', 17) + data, 'ok', 'malformed')
    save('tar', 'huge.tar', block(b'a', 1 << 62) + data * 10, 'malformed')
    save('tar', 'negative.tar', block(b'a', -512) + data * 10, 'malformed')
    save('tar', 'beyond.tar', block(b'a', 1 << 20) + data, 'malformed')
    save('tar', 'sparse.tar', block(b'a', 512, b'S', b'ustar  \0') + data + bytes(1024), 'ok', 'malformed', 'unsupported')
    save('tar', 'empty-members.tar', block(b'a', 0) * 101000, 'too_large')
    save('tar', 'zeros.tar', block(b'a', 17) + data + bytes(30 << 20), 'ok')
    save('tar', 'kinds.tar', b''.join(block(b'../../x', 0, bytes([k]), link=b'/etc/passwd') for k in range(256)), 'ok', 'malformed')
    nest = data
    for _ in range(40):
        nest = block(b'n.tar', len(nest)) + nest.ljust((len(nest) + 511) // 512 * 512, b'\0') + bytes(1024)
    save('tar', 'deep.tar', nest, 'depth')
    save('tar', 'packed.tgz', gzip.compress(block(b'a', 1 << 30) + bytes(64 << 20)), 'ratio', 'too_large', 'malformed')
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode='w:gz') as t:
        for i in range(10):
            info = tarfile.TarInfo(f'{i}.txt')
            info.size = 3000
            t.addfile(info, io.BytesIO(os.urandom(3000)))
    plain = plain.getvalue()
    for tenth in range(1, 10):
        save('truncated', f'{tenth}.tgz', plain[: len(plain) * tenth // 10], 'malformed')


def write(save):
    zips(save)
    streams(save)
    tars(save)
