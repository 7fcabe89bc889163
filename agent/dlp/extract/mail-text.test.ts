import { describe, expect, it } from 'vitest';
import { extract, planted, python } from './test-kit.ts';

const V = planted(12, 77);
const HEAD = 'From: a@mail.example\r\nTo: b@mail.example\r\nMIME-Version: 1.0\r\n';
const mail = (headers: string, body: string): Buffer => Buffer.from(`${HEAD}${headers}\r\n\r\n${body}`);
const halves = (value = ''): [string, string] => [value.slice(0, 8), value.slice(8)];

describe('plain text of mail', () => {
  it('is joined where a program broke it, and read without marks of quoting', async () => {
    const [a, b] = halves(V[0]);
    const [c, d] = halves(V[1]);
    const flowed = mail(
      'Content-Type: text/plain; format=flowed; delsp=yes',
      `x ${a} \r\n${b} y\r\n> > q ${c} \r\n> > ${d} y\r\nlast\r\n-- \r\nsignature`,
    );
    const read = await extract(flowed);
    expect(read.texts.get('text-plain')).toContain(`x ${V[0]} y\r\nq ${V[1]} y\r\nlast\r\n-- \r\nsignature`);
    const quoted = mail('Content-Type: text/plain', `>>${a}\r\n>> ${b}\r\n`);
    expect((await extract(quoted)).texts.get('text-plain')).toBe(`${a}\r\n${b}`);
  });

  it('has files inside that Python and the rules of yEnc wrote', async () => {
    const [uu] = python(
      `
import binascii, gzip
data = gzip.compress(('row;${V[2]}\\n' * 40).encode())
lines = b''.join(binascii.b2a_uu(data[i:i + 45]) for i in range(0, len(data), 45))
open('uu', 'wb').write(b'before\\nbegin 644 list.csv.gz\\n' + lines + b'\`\\nend\\nafter ${V[3]}\\n')
`,
      'uu',
    );
    const body = `before\n${uu?.toString('latin1')}`;
    for (const headers of ['Content-Type: text/plain', 'Content-Transfer-Encoding: x-uuencode']) {
      const read = await extract(mail(headers, body));
      expect(read.outcome).toBe('ok');
      expect([...read.texts.keys()]).toContain('list.csv.gz!/content');
      expect(read.all).toContain(V[2]);
      expect(read.all).toContain(V[3]);
    }
    const packed = Buffer.from(
      [...Buffer.from(`row;${V[4]}=\0`, 'latin1')].flatMap((byte) => {
        const code = (byte + 42) & 255;
        return [0, 10, 13, 61].includes(code) ? [61, (code + 64) & 255] : [code];
      }),
    );
    const yenc = Buffer.concat([
      mail('Content-Type: text/plain', '=ybegin line=128 size=19 name=row.txt\r\n'),
      packed,
      Buffer.from('\r\n=yend size=19\r\nafter\r\n'),
    ]);
    expect((await extract(yenc)).texts.get('row.txt')).toBe(`row;${V[4]}=\0`);
  });

  it('is read by its headers: comments in them, names in pieces, UTF-32', async () => {
    const [a, b] = halves(V[5]);
    const odd = mail(
      `Content-Type: text/plain (note); charset=us-ascii;\r\n name*0="list of ${a}";\r\n name*1="${b}.txt"\r\nContent-Transfer-Encoding: base64 (really)`,
      Buffer.from(`row;${V[6]}`).toString('base64'),
    );
    const read = await extract(odd);
    expect(read.outcome).toBe('ok');
    expect(read.all).toContain(`row;${V[6]}`);
    expect(read.texts.get('')).toContain(`list of ${V[5]}.txt`);
    const [wide, marked, subject] = python(
      `
import base64
open('wide', 'wb').write(base64.encodebytes('é ${V[7]} 漢字 \\U0001F600'.encode('utf-32-be')))
open('marked', 'wb').write(base64.encodebytes('é ${V[8]}'.encode('utf-32')))
open('subject', 'wb').write(b'Subject: =?utf-32?B?' + base64.b64encode('é ${V[9]}'.encode('utf-32')) + b'?=')
`,
      'wide',
      'marked',
      'subject',
    );
    for (const [charset, bytes, wanted] of [
      ['utf-32be', wide, `é ${V[7]} 漢字 😀`],
      ['UTF-32', marked, `é ${V[8]}`],
    ] as const) {
      const headers = `${subject}\r\nContent-Type: text/plain; charset="${charset}"\r\nContent-Transfer-Encoding: base64`;
      const text = await extract(mail(headers, bytes?.toString('latin1') ?? ''));
      expect(text.texts.get('text-plain')).toBe(wanted);
      expect(text.texts.get('')).toContain(`é ${V[9]}`);
    }
  });
});
