/** What a file is, by what is in it. Names and extensions are not looked at. */
import type { Source } from './source.ts';

export type Format =
  | 'zip'
  | 'pdf'
  | 'gzip'
  | 'zstd'
  | 'bzip2'
  | 'xz'
  | 'tar'
  | 'cfb'
  | 'rtf'
  | 'html'
  | 'xml'
  | 'mail'
  | 'folded'
  | { unsupported: string };

export const HEAD_BYTES = 4096;
/** End record of a zip with the longest comment. */
const TAIL_BYTES = 22 + 65_535;

const UNSUPPORTED: readonly (readonly [magic: string, name: string])[] = [
  ['377abcaf271c', '7z archive'],
  ['526172211a07', 'RAR archive'],
  ['4c5a4950', 'lzip'],
  ['04224d18', 'lz4'],
  ['4d534346', 'cabinet'],
  ['1f9d', 'compress (.Z)'],
  ['1fa0', 'compress (.z)'],
  ['213c617263683e0a', 'ar archive'],
  ['edabeedb', 'RPM package'],
  ['303730373031', 'cpio archive'],
  ['303730373032', 'cpio archive'],
  ['303730373037', 'cpio archive'],
  ['2142444e', 'Outlook data file'],
  ['5041433031', 'legacy archive'],
  ['60ea', 'ARJ archive'],
  ['789f3e22', 'TNEF'],
];

/** LZMA without a container has no mark: usual properties, a dictionary of whole 64 KiB, a size that is unknown or below 1 TiB. */
const LZMA_ALONE = /^5d0000[0-9a-f]{2}0[0-9a-f](?:f{16}|[0-9a-f]{10}000000)/;

/** Cards, calendars and LDIF, whose programs fold lines at any place. */
const FOLDED = /^(?:begin:(?:vcard|vcalendar)\s|(?:version: 1\r?\n|#[^\n]{0,400}\n|\r?\n){0,20}dn::? ?\S)/i;
const HEADER = /^[A-Za-z][A-Za-z0-9-]{0,63}:[ \t]*\S?/;
const MAIL_HEADER =
  /^(?:received|return-path|message-id|mime-version|from|to|subject|date|delivered-to|dkim-signature|content-type|x-mozilla-status):/i;

function looksLikeTar(head: Buffer): boolean {
  if (head.length < 512) return false;
  const stored = Number.parseInt(head.toString('latin1', 148, 156).replace(/\0.*$/s, '').trim(), 8);
  if (!Number.isFinite(stored) || stored === 0) return false;
  let sum = 8 * 32;
  for (let i = 0; i < 512; i += 1) if (i < 148 || i >= 156) sum += head[i] ?? 0;
  return sum === stored;
}

/** Two headers of mail or more, one of which nobody writes by chance, before the first line that is none. */
function looksLikeMail(text: string): boolean {
  const lines = text.split(/\r?\n/, 60);
  let headers = 0;
  let telling = 0;
  for (const [index, line] of lines.entries()) {
    if (index === 0 && line.startsWith('From ')) continue;
    if (/^[ \t]/.test(line) && headers > 0) continue;
    if (!HEADER.test(line)) break;
    headers += 1;
    if (MAIL_HEADER.test(line)) telling += 1;
  }
  return headers >= 2 && telling >= 2;
}

function asText(head: Buffer): string {
  if (head[0] === 0xff && head[1] === 0xfe) return head.toString('utf16le', 2);
  if (head[0] === 0xfe && head[1] === 0xff) {
    const even = head.subarray(2, head.length - (head.length % 2));
    return Buffer.from(even).swap16().toString('utf16le');
  }
  return head.toString('latin1', head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0);
}

/** Formats that can be told from the start, the most certain first. Several may be true at once. */
export function identifyHead(head: Buffer): Format[] {
  const found: Format[] = [];
  const magic = head.toString('hex', 0, 8);
  if (magic.startsWith('504b0304') || magic.startsWith('504b0506')) found.push('zip');
  // A spanned archive starts with a marker of its own.
  else if (magic.startsWith('504b0708') || magic.startsWith('504b3030')) found.push('zip');
  if (magic.startsWith('1f8b08')) found.push('gzip');
  if (magic.startsWith('28b52ffd') || /^5.2a4d18/.test(magic)) found.push('zstd');
  if (magic.startsWith('d0cf11e0a1b11ae1')) found.push('cfb');
  if (/^425a683[1-9](?:314159|177245)/.test(magic)) found.push('bzip2');
  if (magic.startsWith('fd377a585a00')) found.push('xz');
  for (const [prefix, name] of UNSUPPORTED) if (magic.startsWith(prefix)) found.push({ unsupported: name });
  if (LZMA_ALONE.test(head.toString('hex', 0, 13))) found.push({ unsupported: 'LZMA' });
  if (looksLikeTar(head)) found.push('tar');
  // Readers accept a PDF's mark anywhere in the first KiB.
  if (head.subarray(0, 1029).includes('%PDF-')) found.push('pdf');
  const text = asText(head);
  const start = text.slice(0, 1024).trimStart().toLowerCase();
  if (start.startsWith('{\\rt')) found.push('rtf');
  if (start.startsWith('<')) {
    if (/<(?:!doctype\s+html|html|head|body|meta|table|div|script)[\s>]/.test(start)) found.push('html');
    else if (start.startsWith('<?xml') || /^<!doctype\s/.test(start) || /^<[a-z_][\w.:-]*[\s/>]/.test(start))
      found.push('xml');
  } else if (/^(?:<!--|[^<]{0,200})<(?:!doctype\s+html|html)[\s>]/.test(start)) found.push('html');
  if (FOLDED.test(start)) found.push('folded');
  if (looksLikeMail(text)) found.push('mail');
  return found;
}

/** Whether a zip's directory ends here, whatever comes before it: self-extracting programs, pictures with archives. */
export function endsAsZip(tail: Buffer, size: number, source?: Source): boolean {
  for (let at = tail.lastIndexOf('PK\x05\x06', undefined, 'latin1'); at >= 0;) {
    if (at + 22 <= tail.length) {
      const end = size - tail.length + at;
      const directory = tail.readUInt32LE(at + 12);
      const zip64 = at >= 20 && tail.readUInt32LE(at - 20) === 0x07064b50;
      if (zip64) return true;
      // Not a chance likeness: a directory must be there.
      if (directory > 0 && directory <= end && tail.readUInt32LE(at + 16) <= end) {
        if (!source) return true;
        if (source.read(end - directory, 4).toString('latin1') === 'PK\x01\x02') return true;
      }
    }
    if (at === 0) return false;
    at = tail.lastIndexOf('PK\x05\x06', at - 1, 'latin1');
  }
  return false;
}

/** Everything that `source` can be read as; empty for plain text and unknown data. */
export function identify(source: Source): Format[] {
  const found = identifyHead(source.read(0, HEAD_BYTES));
  // A tar's last member may be a zip, and is read as that.
  if (!found.includes('zip') && !found.includes('tar') && source.size >= 22) {
    const tail = source.read(Math.max(0, source.size - TAIL_BYTES), TAIL_BYTES);
    if (endsAsZip(tail, source.size, source)) found.push('zip');
  }
  return found;
}
