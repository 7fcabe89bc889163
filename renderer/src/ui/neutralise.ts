/**
 * The one way from a recorded string to the screen. Strings in events come from attackers: whatever could reorder,
 * hide or imitate text is shown as a visible escape such as ⟨U+202E⟩, and the bytes stay as they are in the record.
 *
 * Escaped: controls, format characters (bidi, zero-width, tags), private use, unassigned, lone surrogates, line and
 * paragraph separators, default-ignorable characters, spaces other than U+0020 and the ideographic U+3000, and any
 * run of combining marks past the eighth. Kept: the joiner and variation selector inside an emoji sequence, because
 * removing them changes what the reader sees. A literal "⟨U+" in the text is escaped too, so an escape on screen
 * never comes from the text itself.
 */

export interface Segment {
  text: string;
  /** True for a visible escape that stands for `codePoint`. */
  escaped: boolean;
  codePoint?: number;
}

const UNSAFE = /[\p{C}\p{Zl}\p{Zp}\p{Zs}\p{Default_Ignorable_Code_Point}\u2800\p{M}]|⟨(?=U\+)/u;
const COMBINING = /\p{M}/u;
const PICTOGRAPH = /\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}/u;
const KEYCAP_BASE = /[0-9#*]/;
const MAX_COMBINING = 8;
const JOINER = 0x200d;
const EMOJI_STYLE = 0xfe0f;
const KEYCAP = 0x20e3;

/** The visible escape of one code point: ⟨U+202E⟩. */
export function escapeOf(codePoint: number): string {
  return `⟨U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

function isUnsafe(points: readonly string[], index: number, combiningBefore: number): boolean {
  const point = points[index] ?? '';
  const code = point.codePointAt(0) ?? 0;
  if (code === 0x20 || code === 0x3000) return false;
  const previous = points[index - 1] ?? '';
  if (code === JOINER) {
    const before = previous.codePointAt(0) === EMOJI_STYLE ? (points[index - 2] ?? '') : previous;
    return !(PICTOGRAPH.test(before) && PICTOGRAPH.test(points[index + 1] ?? ''));
  }
  if (code === EMOJI_STYLE) {
    const keycap = KEYCAP_BASE.test(previous) && points[index + 1]?.codePointAt(0) === KEYCAP;
    return !(keycap || PICTOGRAPH.test(previous));
  }
  if (COMBINING.test(point) && !/\p{Default_Ignorable_Code_Point}/u.test(point)) {
    return combiningBefore >= MAX_COMBINING;
  }
  return true;
}

/** Splits `text` into plain runs and escapes. Linear; the common case of harmless text is one test. */
export function segments(text: string): Segment[] {
  if (!UNSAFE.test(text.replaceAll(' ', ''))) return text === '' ? [] : [{ text, escaped: false }];
  const points = Array.from(text);
  const found: Segment[] = [];
  let run = '';
  let combining = 0;
  for (let index = 0; index < points.length; index += 1) {
    const point = points[index] ?? '';
    const suspicious =
      UNSAFE.test(point) || (point === '⟨' && points[index + 1] === 'U' && points[index + 2] === '+');
    const unsafe = suspicious && isUnsafe(points, index, combining);
    combining = COMBINING.test(point) ? combining + 1 : 0;
    if (!unsafe) {
      run += point;
      continue;
    }
    if (run !== '') found.push({ text: run, escaped: false });
    run = '';
    const codePoint = point.codePointAt(0) ?? 0;
    found.push({ text: escapeOf(codePoint), escaped: true, codePoint });
  }
  if (run !== '') found.push({ text: run, escaped: false });
  return found;
}

/** `text` as one safe string, for titles, labels and everything that cannot hold markup. */
export function neutralise(text: string): string {
  const parts = segments(text);
  return parts.length === 1 && !parts[0]?.escaped ? text : parts.map((part) => part.text).join('');
}

/** Cuts to at most `limit` UTF-16 units without splitting a character; tells how many units were left out. */
export function clip(text: string, limit: number): { text: string; omitted: number } {
  if (text.length <= limit) return { text, omitted: 0 };
  const last = text.charCodeAt(limit - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit;
  return { text: text.slice(0, end), omitted: text.length - end };
}

const ATTACHED = /\p{M}|\p{Emoji_Modifier}|\u{200d}|\u{fe0f}|[\u{dc00}-\u{dfff}]/u;

/**
 * Where a middle ellipsis goes: the head may be cut on screen, the tail is always shown. Works on segments, so that an
 * escape is never torn and the tail is never longer than it looks; a path keeps its last component whole.
 */
export function splitForEllipsis(
  parts: readonly Segment[],
  tailLength = 18,
): { head: Segment[]; tail: Segment[] } {
  const total = parts.reduce((sum, part) => sum + part.text.length, 0);
  if (total <= tailLength * 2) return { head: [...parts], tail: [] };
  const head = [...parts];
  const tail: Segment[] = [];
  let left = tailLength;
  for (let part = head.pop(); part; part = left > 0 ? head.pop() : undefined) {
    if (part.text.length <= left || part.escaped) {
      if (part.text.length > left) {
        head.push(part);
        break;
      }
      tail.unshift(part);
      left -= part.text.length;
      continue;
    }
    const { text } = part;
    let cut = text.length - left;
    const slash = text.lastIndexOf('/');
    if (tail.length === 0 && slash > 0 && text.length - slash <= tailLength * 1.6) cut = slash;
    while (cut > 0 && (ATTACHED.test(text.charAt(cut)) || text.charCodeAt(cut - 1) === JOINER)) cut -= 1;
    if (cut > 0) head.push({ text: text.slice(0, cut), escaped: false });
    tail.unshift({ text: text.slice(cut), escaped: false });
    break;
  }
  return { head, tail };
}
