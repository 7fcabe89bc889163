import { describe, expect, it } from 'vitest';
import { extract, planted } from './test-kit.ts';

const V = planted(12, 91);
const [a = '', b = '', c = '', d = ''] = V;
const cut = (text: string, at: number, by = '\r\n '): string => text.slice(0, at) + by + text.slice(at);
/** Every byte as an escape, lines ended by `=`, as telephones export contacts. */
const printable = (text: string): string =>
  [...Buffer.from(text)]
    .map(
      (byte, index) =>
        `=${byte.toString(16).toUpperCase().padStart(2, '0')}${index % 20 === 19 ? '=\r\n' : ''}`,
    )
    .join('');

describe('cards, calendars and LDIF', () => {
  it('lines that were folded at any place are whole', async () => {
    const card = `BEGIN:VCARD\r\nVERSION:3.0\r\nEMAIL:${cut('someone.long@mail.example', 9)}\r\nNOTE:${cut(`iban ${a}`, 11)}\\, and\\n${b}\r\nEND:VCARD\r\n`;
    const found = await extract(Buffer.from(card));
    expect(found.outcome).toBe('ok');
    expect(found.all).toContain(`EMAIL:someone.long@mail.example\nNOTE:iban ${a}, and\n${b}\nEND:VCARD`);
    const calendar = `BEGIN:VCALENDAR\nORGANIZER;CN="x: ${c}":MAILTO:${cut('someone@mail.example', 4, '\n ')}\nDESCRIPTION:${cut('Müller GmbH', 1, '\n\t')}\nEND:VCALENDAR\n`;
    expect((await extract(Buffer.from(calendar))).all).toContain(
      `CN="x: ${c}":MAILTO:someone@mail.example\nDESCRIPTION:Müller GmbH\n`,
    );
    // Folded inside a character.
    const bytes = Buffer.from('BEGIN:VCARD\r\nNOTE:Mü\r\n');
    const at = bytes.indexOf(0xbc);
    const broken = Buffer.concat([bytes.subarray(0, at), Buffer.from('\r\n '), bytes.subarray(at)]);
    expect((await extract(broken)).all).toContain('NOTE:Mü\n');
  });

  it('quoted-printable and base64 are decoded, files among them read', async () => {
    const card = [
      'BEGIN:VCARD',
      'VERSION:2.1',
      `NOTE;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:${printable(`Ünï ${a} someone@mail.example`)}`,
      `ADR;QUOTED-PRINTABLE;CHARSET=ISO-8859-1:;;M=FCnchen=20${b}`,
      `ORG;ENCODING=QUOTED-PRINTABLE:M=FCller ${c}`,
      `X-FILE;ENCODING=b:${Buffer.from(`%PDF-\0${d}`).toString('base64')}`,
      `X-TEXT;ENCODING=BASE64:${cut(Buffer.from(`text ${V[4]}`).toString('base64'), 8)}`,
      '',
      'END:VCARD',
    ].join('\r\n');
    const found = await extract(Buffer.from(card));
    expect(found.all).toContain(`:Ünï ${a} someone@mail.example\n`);
    expect(found.all).toContain(`;;München ${b}\n`);
    expect(found.all).toContain(`Müller ${c}\n`);
    expect(found.texts.get('X-FILE')).toContain(d);
    expect(found.all).toContain(`BASE64:text ${V[4]}\n`);
  });

  it('LDIF: base64 behind two colons, lines that go on', async () => {
    const ldif = `version: 1\n# people\ndn: cn=a,dc=example\nmail: someone@mail.\n example\ndescription:: ${cut(Buffer.from(`ü ${a}`).toString('base64'), 5, '\n ')}\njpegPhoto:: ${Buffer.from([0xff, 0xd8, 0, 1]).toString('base64')}\n\ndn:: ${Buffer.from(`cn=${b}`).toString('base64')}\n`;
    const found = await extract(Buffer.from(ldif));
    expect(found.outcome).toBe('ok');
    expect(found.all).toContain(`mail: someone@mail.example\ndescription::ü ${a}\n`);
    expect(found.all).toContain(`dn::cn=${b}\n`);
  });

  it('hostile: a line without end, folded and soft-broken without end, end in a verdict', async () => {
    const card = 'BEGIN:VCARD\r\nNOTE;ENCODING=QUOTED-PRINTABLE:';
    for (const line of ['=\r\n', '\r\n x=41=\r\n', '=4', ':\r\n '])
      expect((await extract(Buffer.from(card + line.repeat(40_000)))).outcome).toBe('ok');
    const long = await extract(Buffer.from(`${card}${`${'x'.repeat(30_000)}\r\n `.repeat(600)}${a}`), {
      maxRatio: 1000,
    });
    expect(long).toMatchObject({ outcome: 'too_large' });
  });
});
