/**
 * Text of a page of a PDF out of pieces with places. pdf.js joins what follows itself closely; here pieces that lie apart
 * are parted, and lines whose pieces were not drawn from left to right (tables by column, numbers put together) are told
 * once more in the order in which they are seen.
 */
import type { TextWriter } from './extraction.ts';

/** A piece of text as pdf.js tells it. */
export interface TextItem {
  str?: string;
  hasEOL?: boolean;
  /** a, b, c, d, x, y: the baseline runs along (a, b) and begins at (x, y). */
  transform?: number[];
  width?: number;
  height?: number;
}

interface Piece {
  text: string;
  /** Along the baseline, and across it. */
  from: number;
  to: number;
  across: number;
  size: number;
  /** Direction of the baseline in sixteenths of a turn. */
  turn: number;
  order: number;
}

/** Pieces of a page that are held to be put in order; of a page with more, the rest is told as it comes. */
const MAX_PIECES = 20_000;
/** Of the height of the letters: a wider gap parts words, a larger step begins a line. */
const GAP = 0.2;
const STEP = 0.4;

function placed(item: TextItem, order: number): Piece {
  const [a = 1, b = 0, , , x = 0, y = 0] = item.transform ?? [];
  const length = Math.hypot(a, b) || 1;
  const along = (x * a + y * b) / length;
  return {
    text: item.str ?? '',
    from: along,
    to: along + (item.width ?? 0),
    across: (y * a - x * b) / length,
    size: item.height || length,
    turn: Math.round((Math.atan2(b, a) * 8) / Math.PI),
    order,
  };
}

/** What stands between two pieces as they are seen. */
function between(before: Piece, after: Piece): '' | ' ' | '\n' {
  const size = Math.max(before.size, after.size);
  if (before.turn !== after.turn || Math.abs(before.across - after.across) > size * STEP) return '\n';
  if (after.from < before.from - size * GAP) return '\n';
  return Math.abs(after.from - before.to) > size * GAP ? ' ' : '';
}

export class PageText {
  readonly #writer: TextWriter;
  readonly #pieces: Piece[] = [];
  #last: Piece | undefined;
  #atStart = true;
  #letters = 0;
  #order = 0;

  constructor(writer: TextWriter) {
    this.#writer = writer;
  }

  add(item: TextItem): void {
    const { str = '', hasEOL } = item;
    if (str !== '' && item.transform) {
      const piece = placed(item, this.#order);
      // Gaps that pdf.js tells of have a width, and no place of their own to rely on.
      if (str.trim() !== '') {
        if (this.#last && !this.#atStart) this.#writer.add(between(this.#last, piece));
        this.#last = piece;
        this.#order += 1;
        if (this.#pieces.length < MAX_PIECES) this.#pieces.push(piece);
      } else if (this.#last) this.#last = { ...this.#last, to: piece.to };
    }
    this.#letters += str.length;
    this.#writer.add(hasEOL ? `${str}\n` : str);
    this.#atStart = hasEOL === true || /\s$/.test(str) || (str === '' && this.#atStart);
  }

  /** Letters on the page. */
  end(): number {
    this.#writer.add('\n');
    for (const line of this.#lines()) {
      line.sort((one, other) => one.from - other.from);
      if (line.every((piece, nth) => nth === 0 || piece.order === (line[nth - 1]?.order ?? 0) + 1)) continue;
      let text = '';
      for (const [nth, piece] of line.entries()) {
        const before = line[nth - 1];
        text += before ? `${between(before, piece).replace('\n', ' ')}${piece.text}` : piece.text;
      }
      this.#writer.add(`${text}\n`);
    }
    return this.#letters;
  }

  /** Pieces on one baseline each. */
  #lines(): Piece[][] {
    const sorted = this.#pieces.toSorted(
      (one, other) => one.turn - other.turn || other.across - one.across || one.order - other.order,
    );
    const lines: Piece[][] = [];
    let line: Piece[] = [];
    for (const piece of sorted) {
      const first = line[0];
      if (first && (first.turn !== piece.turn || Math.abs(first.across - piece.across) > piece.size * STEP)) {
        lines.push(line);
        line = [];
      }
      line.push(piece);
    }
    if (line.length > 0) lines.push(line);
    return lines;
  }
}
