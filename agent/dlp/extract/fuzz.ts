/** Mutated files for the parsers: seeded, so that a failure can be made again from its number. */

/** xorshift32: the same numbers everywhere. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed | 0 || 0x9e3779b9;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const INTERESTING = [
  0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fffe,
];
const TOKENS = [
  'PK\x03\x04',
  'PK\x01\x02',
  'PK\x05\x06',
  'PK\x06\x06',
  'PK\x06\x07',
  '<',
  '</',
  '<!--',
  '<![CDATA[',
  '<!DOCTYPE',
  ']]>',
  '&#',
  '&#x110000;',
  '&amp;',
  '<c t="s"><v>',
  '</v></c>',
  '<row>',
  '{\\',
  '\\u-1?',
  "\\'",
  '\\bin9999999 ',
  '\\objdata ',
  '}',
  '\r\n\r\n',
  '--x',
  '--x--',
  '=?utf-8?b?',
  '=?utf-8?q?',
  'Content-Type: multipart/mixed; boundary=x\r\n',
  'From ',
  'ustar',
  '\x1f\x8b\x08',
  '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1',
  '%PDF-',
  '\0\0\0\0',
];

/** One mutant of `file`: some changes out of flips, numbers, tokens, cuts, copies, and parts of another file. */
export function mutate(file: Buffer, other: Buffer, random: (below: number) => number): Buffer {
  let bytes: Buffer = Buffer.from(file);
  for (let changes = 1 + random(6); changes > 0; changes -= 1) {
    const at = random(bytes.length + 1);
    switch (random(8)) {
      case 0:
      case 1:
        if (bytes.length > 0) bytes[at % bytes.length] = random(256);
        break;
      case 2:
        if (bytes.length >= 4)
          bytes.writeUInt32LE(INTERESTING[random(INTERESTING.length)] ?? 0, random(bytes.length - 3));
        break;
      case 3:
        if (bytes.length >= 2)
          bytes.writeUInt16LE(
            (INTERESTING[random(INTERESTING.length)] ?? 0) & 0xffff,
            random(bytes.length - 1),
          );
        break;
      case 4: {
        const token = Buffer.from(TOKENS[random(TOKENS.length)] ?? '', 'latin1');
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          token,
          bytes.subarray(random(2) ? at : Math.min(at + token.length, bytes.length)),
        ]);
        break;
      }
      case 5:
        bytes = bytes.subarray(0, at);
        break;
      case 6: {
        const part = bytes.subarray(at, at + random(200));
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          ...Array.from({ length: 1 + random(4) }, () => part),
          bytes.subarray(at),
        ]);
        break;
      }
      default: {
        const from = random(other.length + 1);
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          other.subarray(from, from + random(400)),
          bytes.subarray(at),
        ]);
      }
    }
    bytes = Buffer.from(bytes);
  }
  return bytes;
}
