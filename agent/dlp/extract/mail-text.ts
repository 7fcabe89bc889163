/**
 * Plain text of mail as it is read: marks of quoting are left out, lines that a program broke are joined (RFC 3676), and
 * files that were written into the text (uuencode, yEnc) are taken out of it.
 */
import { ByteReader } from './byte-reader.ts';
import type { Extraction } from './extraction.ts';

const MAX_LINE = 64 * 1024;
/** Of the files in one text. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

export interface TextFile {
  name: string;
  bytes: Buffer;
}

/** Bytes of one line of uuencoded data; undefined for a line that is none. */
function uuLine(line: string): Buffer | undefined {
  const length = (line.charCodeAt(0) - 32) & 63;
  if (line === '' || /[^ -`]/.test(line) || line.length - 1 > Math.ceil(length / 3) * 4 + 2) return undefined;
  const out = Buffer.alloc(Math.ceil(length / 3) * 3);
  const unit = (at: number): number => (at < line.length ? (line.charCodeAt(at) - 32) & 63 : 0);
  for (let at = 1, to = 0; to < length; at += 4, to += 3)
    out.writeUIntBE((unit(at) << 18) | (unit(at + 1) << 12) | (unit(at + 2) << 6) | unit(at + 3), to, 3);
  return out.subarray(0, length);
}

function yLine(line: Buffer): Buffer {
  const out: number[] = [];
  for (let at = 0; at < line.length; at += 1) {
    let code = line[at] ?? 0;
    if (code === 61) {
      at += 1;
      code = (line[at] ?? 0) - 64;
    }
    out.push((code - 42) & 255);
  }
  return Buffer.from(out);
}

interface Taking {
  kind: 'uu' | 'yenc';
  name: string;
  pieces: Buffer[];
}

/** What a line begins, if it begins a file. */
function beginning(line: string): Taking | undefined {
  const uu = /^begin [0-7]{3,4} (\S.{0,255})$/.exec(line);
  if (uu) return { kind: 'uu', name: uu[1] ?? '', pieces: [] };
  const yenc = /^=ybegin .*?name=(.{1,256})$/.exec(line);
  return yenc ? { kind: 'yenc', name: yenc[1] ?? '', pieces: [] } : undefined;
}

/** The text; what is taken out of it is added to `files`. */
export async function* mailText(
  extraction: Extraction,
  bytes: AsyncIterable<Buffer>,
  options: { flowed: boolean; deleteSpace: boolean; path: string },
  files: TextFile[],
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(bytes);
  let taking: Taking | undefined;
  let taken = 0;
  let begins = true;
  const keep = (piece: Buffer): void => {
    const before = taken;
    taken += piece.length;
    extraction.spend(piece.length);
    if (taken <= MAX_FILE_BYTES) taking?.pieces.push(piece);
    else if (before <= MAX_FILE_BYTES)
      extraction.problem('too_large', 'files written into its text are too large to be held', options.path);
  };
  const finish = (): void => {
    if (taking) files.push({ name: taking.name, bytes: Buffer.concat(taking.pieces) });
    taking = undefined;
  };
  for (let line = await reader.line(MAX_LINE); line; line = await reader.line(MAX_LINE)) {
    const atStart = begins;
    begins = line.at(-1) === 10;
    const end = begins ? (line.at(-2) === 13 ? 2 : 1) : 0;
    const bare = line.subarray(0, line.length - end);
    if (taking) {
      const text = bare.toString('latin1');
      if (taking.kind === 'uu') {
        const decoded = text === 'end' ? undefined : uuLine(text);
        if (decoded) {
          keep(decoded);
          continue;
        }
        finish();
        if (text === 'end') continue;
      } else if (/^=y(?:end|part)\b/.test(text)) {
        if (text.startsWith('=yend')) finish();
        continue;
      } else {
        keep(yLine(bare));
        continue;
      }
    }
    const first = bare[0];
    if (atStart && (first === 98 || first === 61)) {
      taking = beginning(bare.toString('latin1', 0, 600).trimEnd());
      if (taking) continue;
    }
    let from = 0;
    if (atStart) {
      while (bare[from] === 62) {
        from += 1;
        if (bare[from] === 32) from += 1;
      }
    }
    // A line that ends with a space goes on in the next.
    const soft = options.flowed && end > 0 && bare.at(-1) === 32 && bare.toString('latin1', from) !== '-- ';
    if (soft) yield bare.subarray(from, bare.length - (options.deleteSpace ? 1 : 0));
    else yield line.subarray(from);
  }
  finish();
}
