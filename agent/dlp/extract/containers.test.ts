import { describe, expect, it, vi } from 'vitest';
import { extract, planted, python } from './test-kit.ts';

// Python, children and a machine that others keep busy.
vi.setConfig({ testTimeout: 120_000 });

const VALUES = planted(60);
const LIST = JSON.stringify(VALUES);

describe('archives made by python3', () => {
  it('zip: stored, deflated, with comment, prefix, zip64 and data descriptors', async () => {
    const names = ['plain.zip', 'prefixed.zip', 'stream.zip', 'wide.zip'];
    const files = python(
      `
import io, zipfile
values = ${LIST}
class Pipe(io.RawIOBase):
    def __init__(self): self.data = b''
    def writable(self): return True
    def write(self, b): self.data += bytes(b); return len(b)
def fill(z):
    for i, v in enumerate(values):
        z.writestr(f'dir/{i}.txt', 'value ' + v, zipfile.ZIP_STORED if i % 2 else zipfile.ZIP_DEFLATED)
with zipfile.ZipFile('plain.zip', 'w') as z: fill(z); z.comment = b'PK\\x05\\x06 a comment' * 20
open('prefixed.zip', 'wb').write(b'#!/bin/sh\\n' + b'x' * 1000 + open('plain.zip', 'rb').read())
pipe = Pipe()
with zipfile.ZipFile(pipe, 'w') as z: fill(z)
open('stream.zip', 'wb').write(pipe.data)
with zipfile.ZipFile('wide.zip', 'w') as z:
    for i, v in enumerate(values):
        with z.open(f'{i}.txt', 'w', force_zip64=True) as f: f.write(('value ' + v).encode())
`,
      ...names,
    );
    for (const [index, file] of files.entries()) {
      const found = await extract(file);
      expect.soft(found, names[index]).toMatchObject({ outcome: 'ok', members: VALUES.length });
      for (const value of VALUES) expect.soft(found.all, names[index]).toContain(value);
    }
  });

  it('tar in every format, plain and compressed, with long names', async () => {
    const [pax, gnu, ustar, tgz] = python(
      `
import io, tarfile
values = ${LIST}
for name, mode, fmt in (('pax.tar', 'w', tarfile.PAX_FORMAT), ('gnu.tar', 'w', tarfile.GNU_FORMAT), ('ustar.tar', 'w', tarfile.USTAR_FORMAT), ('t.tgz', 'w:gz', tarfile.PAX_FORMAT)):
    with tarfile.open(name, mode, format=fmt) as t:
        for i, v in enumerate(values):
            info = tarfile.TarInfo(('d' * 90 + '/') * (1 if fmt == tarfile.USTAR_FORMAT else 3) + f'{i}.txt')
            data = ('value ' + v).encode() * (i * 50 + 1)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
`,
      'pax.tar',
      'gnu.tar',
      'ustar.tar',
      't.tgz',
    );
    for (const file of [pax, gnu, ustar, tgz]) {
      const found = await extract(file as Buffer);
      expect.soft(found.outcome).toBe('ok');
      for (const value of VALUES) expect.soft(found.all).toContain(value);
      expect.soft([...found.texts.keys()].some((name) => name.endsWith('/59.txt'))).toBe(true);
    }
  });

  it('gzip: several members one after the other', async () => {
    const [file] = python(
      `
import gzip
values = ${LIST}
open('m.gz', 'wb').write(b''.join(gzip.compress(('value ' + v + '\\n').encode()) for v in values))
`,
      'm.gz',
    );
    const found = await extract(file as Buffer);
    expect(found.outcome).toBe('ok');
    for (const value of VALUES) expect.soft(found.all).toContain(value);
  });

  it('mail: headers, alternatives, encodings, charsets, attachments, messages in messages, mailboxes', async () => {
    const [file, box] = python(
      `
import io, zipfile, mailbox
from email.message import EmailMessage
values = ${LIST}
data = io.BytesIO()
with zipfile.ZipFile(data, 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('inner.txt', values[0])
def message(n, inner=None):
    m = EmailMessage()
    m['From'] = 'a@example.com'; m['To'] = 'b@example.com'
    m['Subject'] = 'Grüße ' + values[n]
    m.set_content('Ünicode ' + values[n + 1] + '\\n' + 'a long line ' * 30 + values[n + 2], cte='quoted-printable')
    m.add_alternative('<p>Preis <b>' + values[n + 3][:5] + '</b>' + values[n + 3][5:] + '&nbsp;&euro;</p>', subtype='html', cte='base64')
    m.add_attachment(data.getvalue(), maintype='application', subtype='zip', filename='vertraulich Ä.zip')
    m.add_attachment('Привет ' + values[n + 4], charset='koi8-r', filename='text.txt')
    m.add_attachment(('утф ' + values[n + 5]).encode('utf-16'), maintype='application', subtype='octet-stream', filename='u.bin')
    if inner: m.add_attachment(inner)
    return m
outer = message(0, message(10, message(20)))
open('m.eml', 'wb').write(outer.as_bytes())
box = mailbox.mbox('m.mbox')
for n in (0, 10, 20): box.add(message(n))
box.flush()
`,
      'm.eml',
      'm.mbox',
    );
    for (const message of [file, box]) {
      const found = await extract(message as Buffer);
      expect.soft(found.outcome).toBe('ok');
      for (const start of [0, 10, 20])
        for (const value of VALUES.slice(start, start + 5))
          expect.soft(found.all, `${start}`).toContain(value);
      expect.soft(found.all).toContain('Привет');
      expect.soft([...found.texts.keys()].join('\n')).toContain('vertraulich Ä.zip!/inner.txt');
      const wide = [...found.texts.entries()].find(([name]) => name.includes('u.bin'));
      expect.soft(wide).toBeDefined();
    }
  });

  it('containers in containers, named by their path', async () => {
    const [file] = python(
      `
import io, zipfile, tarfile, gzip
value = '${VALUES[0]}'
data = value.encode(); name = 'a.txt'
for level in range(3):
    b = io.BytesIO()
    with zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED) as z: z.writestr(name, data)
    t = io.BytesIO()
    with tarfile.open(fileobj=t, mode='w:gz') as tar:
        info = tarfile.TarInfo(f'{level}.zip'); info.size = len(b.getvalue()); tar.addfile(info, io.BytesIO(b.getvalue()))
    data = t.getvalue(); name = f'{level}.tgz'
open('n.tgz', 'wb').write(data)
`,
      'n.tgz',
    );
    const found = await extract(file as Buffer, { maxDepth: 12 });
    expect(found.outcome).toBe('ok');
    const [path] = [...found.texts.entries()].find(([, text]) => text === VALUES[0]) ?? ['none'];
    expect(path).toBe('content!/2.zip!/1.tgz!/content!/1.zip!/0.tgz!/content!/0.zip!/a.txt');
    expect(await extract(file as Buffer, { maxDepth: 6 })).toMatchObject({ outcome: 'depth' });
  });
});
