/**
 * The question of a DNS message (RFC 1035, 4.1.2) as text. Names in questions are not compressed; a pointer, a label
 * that runs past the end or a missing type end the name where they stand. Bytes that do not print, and dots and
 * backslashes inside a label, read as `\DDD` and `\.` (RFC 4343), so the text is unambiguous.
 */

export interface Question {
  /** Without the last dot; the root reads `.`. */
  name: string;
  /** Query type, 0 when the bytes end before it. */
  type: number;
  /** The bytes ended, or stopped making sense, before the type. */
  cut: boolean;
}

export function questionOf(bytes: Buffer, start: number, end: number): Question {
  let name = '';
  let at = start;
  while (at < end) {
    const length = bytes[at] as number;
    at += 1;
    if (length === 0) {
      const cut = at + 2 > end;
      return { name: name === '' ? '.' : name, type: cut ? 0 : bytes.readUInt16BE(at), cut };
    }
    if (length > 63) break;
    if (name !== '') name += '.';
    const stop = Math.min(at + length, end);
    for (; at < stop; at++) {
      const byte = bytes[at] as number;
      if (byte <= 0x20 || byte >= 0x7f) name += `\\${String(byte).padStart(3, '0')}`;
      else if (byte === 0x2e || byte === 0x5c) name += `\\${String.fromCharCode(byte)}`;
      else name += String.fromCharCode(byte);
    }
  }
  return { name, type: 0, cut: true };
}
