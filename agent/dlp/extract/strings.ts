/** Readable text inside binary data, as `strings` finds it: eight-bit, and sixteen-bit at either alignment. */
import { TextWriter, type Extraction } from './extraction.ts';

const SHORTEST = 4;

/** Bytes of text in Windows-1252 and its kin; control characters, DEL and NUL end a run. */
const PRINTABLE = new Uint8Array(256).map((_, code) => (code === 9 || (code >= 32 && code !== 127) ? 1 : 0));

/** Tells printable code units from binary noise: letters of the common scripts, digits, marks, CJK. */
function printableUnit(unit: number): boolean {
  if (unit < 0x80) return unit === 9 || (unit >= 32 && unit < 127);
  return (
    (unit >= 0xa0 && unit < 0x0600) ||
    (unit >= 0x2010 && unit < 0x2040) ||
    (unit >= 0x3040 && unit < 0x3100) ||
    (unit >= 0x4e00 && unit < 0xa000) ||
    (unit >= 0xac00 && unit < 0xd7a4)
  );
}

/** Eight-bit strings. */
export function readNarrowStrings(extraction: Extraction, bytes: Buffer, path: string): void {
  const writer = new TextWriter(extraction, path);
  let start = 0;
  for (let at = 0; at <= bytes.length; at += 1) {
    if (at < bytes.length && PRINTABLE[bytes[at] ?? 0] === 1) continue;
    if (at - start >= SHORTEST) writer.add(`${bytes.toString('latin1', start, at)}\n`);
    start = at + 1;
  }
  extraction.tick(bytes.length);
  writer.end();
}

/** UTF-16LE strings, at even and at odd places. */
export function readWideStrings(extraction: Extraction, bytes: Buffer, path: string): void {
  const writer = new TextWriter(extraction, path);
  for (const parity of [0, 1]) {
    let start = parity;
    let at = parity;
    for (; at + 1 < bytes.length; at += 2) {
      if (printableUnit((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8))) continue;
      if (at - start >= SHORTEST * 2) writer.add(`${bytes.toString('utf16le', start, at)}\n`);
      start = at + 2;
    }
    if (at - start >= SHORTEST * 2) writer.add(`${bytes.toString('utf16le', start, at)}\n`);
  }
  extraction.tick(bytes.length * 2);
  writer.end();
}
