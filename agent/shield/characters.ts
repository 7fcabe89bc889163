/** Characters that a terminal obeys, that turn text around, that nobody sees, or that look like others. */
import { joins, lookAlike, RTL, SEPARATOR_LOOK_ALIKES } from './letters.ts';
import type { ShieldReason, TextKind } from './verdict.ts';

const MAX_SHOWN = 80;
const ZERO_WIDTH = new RegExp(
  `[${['\\u00ad\\u034f\\u115f\\u1160\\u180e\\u200b-\\u200d', '\\u2060-\\u2064\\u206a-\\u206f\\u3164\\ufeff\\uffa0'].join('')}]`,
  'gu',
);

function shown(text: string): string {
  const ascii = text.replace(/[^\x20-\x7e]/g, '?');
  return ascii.length <= MAX_SHOWN ? ascii : `${ascii.slice(0, MAX_SHOWN)}…`;
}

/** Escape sequences and other control characters. */
export function terminalReasons(text: string, kind: TextKind, reasons: ShieldReason[]): void {
  // eslint-disable-next-line no-control-regex
  const link = /(?:\u001b\]|\u009d)8;/.test(text);
  if (link)
    reasons.push({
      kind: 'terminal_link',
      verdict: 'malicious',
      detail: 'an OSC 8 link: shows one address and opens another',
    });
  // eslint-disable-next-line no-control-regex
  const sequences = text.match(/(?:\u001b[@-_a-z0-9=>#(]|[\u0080-\u009f])[0-9;:?<>=!]*[ -/]*[@-~]?/g) ?? [];
  // eslint-disable-next-line no-control-regex
  const colours = sequences.filter((one) => /^(?:\u001b\[|\u009b)[0-9;:]*m/.test(one)).length;
  if (sequences.length > colours && !link) {
    const first = sequences.find((one) => !one.endsWith('m')) ?? sequences[0] ?? '';
    reasons.push({
      kind: 'terminal_escape',
      verdict: 'malicious',
      detail: `escape sequences that a terminal obeys: ESC${shown(first.slice(1))}`,
    });
  } else if (colours > 0) {
    // Conceal (8) and black on black hide what is written.
    // eslint-disable-next-line no-control-regex
    const hides = /(?:\u001b\[|\u009b)(?:[0-9;]*;)?(?:8|30;40|37;47)(?:;[0-9;]*)?m/.test(text);
    reasons.push({
      kind: 'terminal_escape',
      verdict: hides ? 'malicious' : 'suspicious',
      detail: hides ? 'colours that hide text' : 'colours',
    });
  }
  // eslint-disable-next-line no-control-regex
  if (/\r(?!\n|$)/.test(text)) {
    const verdict = kind === 'command' || kind === 'argument' ? 'suspicious' : 'malicious';
    reasons.push({
      kind: 'control_character',
      verdict,
      detail: 'a carriage return, behind which a terminal writes over what it showed',
    });
  }
  // eslint-disable-next-line no-control-regex
  const erased = (text.match(/\u0008/g) ?? []).length;
  if (erased > 0)
    reasons.push({
      kind: 'control_character',
      verdict: erased > 3 ? 'malicious' : 'suspicious',
      detail: `${erased} backspaces`,
    });
  if ((kind === 'path' || kind === 'dns') && text.includes('\n')) {
    // A name that goes on like a log line of its own.
    const forged = /\n\s*(?:\d{4}-\d\d-\d\d|\w{3} +\d+ \d\d:\d\d|\[?(?:INFO|WARN|ERROR|DEBUG)\b|\{")/i.test(
      text,
    );
    reasons.push({
      kind: 'control_character',
      verdict: forged ? 'malicious' : 'suspicious',
      detail: 'a line break in a name',
    });
  }
  // eslint-disable-next-line no-control-regex
  if (
    reasons.length === 0 &&
    /[\u0001-\u0007\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f]|\u001b$/.test(text)
  )
    reasons.push({ kind: 'control_character', verdict: 'suspicious', detail: 'control characters' });
}

/** Direction, tags, selectors, characters without width. */
export function hiddenReasons(text: string, reasons: ShieldReason[]): void {
  if (/[\u202d\u202e]/u.test(text))
    reasons.push({
      kind: 'bidi_override',
      verdict: 'malicious',
      detail: 'a direction override: what is shown is not the order of what is there',
    });
  else if (/[\u202a\u202b\u2066-\u2068]/u.test(text))
    reasons.push({
      kind: 'bidi_override',
      verdict: RTL.test(text) ? 'suspicious' : 'malicious',
      detail: 'embedded directions',
    });
  else if (/[\u200e\u200f\u061c]/u.test(text) && !RTL.test(text))
    reasons.push({
      kind: 'invisible_characters',
      verdict: 'suspicious',
      detail: 'direction marks without right-to-left text',
    });
  const tags = text
    .replace(/\u{1f3f4}[\u{e0020}-\u{e007e}]{2,6}\u{e007f}/gu, '')
    .match(/[\u{e0000}-\u{e007f}]/gu);
  if (tags) {
    const said = tags.map((tag) => String.fromCharCode((tag.codePointAt(0) ?? 0) & 0x7f)).join('');
    reasons.push({
      kind: 'tag_characters',
      verdict: 'malicious',
      detail: `invisible tag characters that say ${JSON.stringify(shown(said))}`,
    });
  }
  if (/[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{3,}/u.test(text))
    reasons.push({
      kind: 'hidden_data',
      verdict: 'malicious',
      detail: 'a run of variation selectors, which can hold any bytes',
    });
  let hidden = 0;
  let within = 0;
  for (const match of text.matchAll(ZERO_WIDTH)) {
    const before = previousCharacter(text, match.index);
    const after = nextCharacter(text, match.index + 1);
    const joiner = match[0] === '\u200c' || match[0] === '\u200d';
    if (joiner && joins(before, after)) continue;
    if (match.index === 0 && match[0] === '\ufeff') continue;
    hidden += 1;
    if (/[A-Za-z0-9./]/.test(before) && /[A-Za-z0-9./]/.test(after)) within += 1;
  }
  if (hidden >= 8)
    reasons.push({ kind: 'hidden_data', verdict: 'malicious', detail: `${hidden} characters without width` });
  else if (within > 0)
    reasons.push({
      kind: 'invisible_characters',
      verdict: 'malicious',
      detail: 'characters without width inside words',
    });
  else if (hidden > 0)
    reasons.push({ kind: 'invisible_characters', verdict: 'suspicious', detail: 'characters without width' });
}

function previousCharacter(text: string, index: number): string {
  const low = text.charCodeAt(index - 1);
  return low >= 0xdc00 && low < 0xe000
    ? text.slice(index - 2, index)
    : text.slice(Math.max(0, index - 1), index);
}

function nextCharacter(text: string, index: number): string {
  return index < text.length ? String.fromCodePoint(text.codePointAt(index) ?? 0) : '';
}

/** Letters of one script that stand for those of another. */
export function lookAlikeReasons(text: string, kind: TextKind, reasons: ShieldReason[]): void {
  for (const word of text.match(/[\p{L}\p{N}]+/gu) ?? []) {
    let latin = 0;
    let alike = 0;
    let other = 0;
    let read = '';
    for (const character of word) {
      const code = character.codePointAt(0) ?? 0;
      const same = code < 0x80 ? undefined : lookAlike(code);
      read += same ?? character;
      if (code < 0x80) latin += /[A-Za-z]/.test(character) ? 1 : 0;
      else if (same !== undefined) alike += 1;
      else other += 1;
    }
    if (alike === 0 || other > 0) continue;
    // A whole label of look-alikes under an ASCII top level is how names of others are imitated.
    if (latin > 0 || (kind === 'dns' && alike > 1 && /\.[a-z]{2,}$/i.test(text))) {
      reasons.push({
        kind: 'homoglyph',
        verdict: 'malicious',
        detail: `a word of two scripts that reads as ${JSON.stringify(shown(read))}`,
      });
      break;
    }
  }
  for (const character of text) {
    const separator = SEPARATOR_LOOK_ALIKES.get(character.codePointAt(0) ?? 0);
    if (separator === undefined) continue;
    const cjk = /[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]/u.test(text);
    if (cjk && kind !== 'dns') continue;
    reasons.push({
      kind: 'lookalike_separator',
      verdict: kind === 'dns' || kind === 'path' ? 'malicious' : 'suspicious',
      detail: `a character that looks like ${separator}`,
    });
    break;
  }
  if (
    /[\uff21-\uff3a\uff41-\uff5a]{2,}|[\u{1d400}-\u{1d7ff}]{2,}|[\u24b6-\u24e9]{3,}|[\u{1f130}-\u{1f189}]{3,}/u.test(
      text,
    )
  )
    reasons.push({
      kind: 'styled_letters',
      verdict: kind === 'dns' ? 'malicious' : 'suspicious',
      detail: 'letters in another form (full width, mathematical, circled)',
    });
}
