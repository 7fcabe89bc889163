/**
 * Letters that look like ASCII ones, and characters nobody sees. The list is the part of Unicode's confusables
 * (UTS #39) whose look-alike is an ASCII letter, digit or separator and that turns up in names made to deceive.
 */

const PAIRS =
  // Cyrillic
  'аa еe оo рp сc уy хx іi јj ѕs һh ԁd ԛq ԝw ѵv ӏl АA ВB ЕE КK МM НH ОO РP СC ТT УY ХX ІI ЈJ ЅS Ԍg ԍg ьb Ьb ' +
  // Greek
  'αa οo νv ρp ιi κk υu χx ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX ϲc ϳj ' +
  // Armenian, Cherokee, Latin extensions
  'оo օo ոn սu հh ցg Ꭺa Ꭼe Ꮯc Ꮪs Ꭲt Ꮃw Ꮮl Ꮋh Ꮇm ɡg ɑa ɩi ı1 ꜱs ʀr ɴn ʟl ᴀa ᴄc ᴅd ᴇe ᴊj ᴋk ᴍm ᴏo ᴘp ᴛt ᴜu ᴠv ᴡw ᴢz';

const CONFUSABLE = new Map<number, string>();
for (const pair of PAIRS.split(' ')) {
  const [from, to] = Array.from(pair);
  if (from !== undefined && to !== undefined) CONFUSABLE.set(from.codePointAt(0) ?? 0, to === '1' ? 'i' : to);
}

/** The ASCII letter that a character of another script looks like. */
export function lookAlike(code: number): string | undefined {
  return CONFUSABLE.get(code);
}

/** Slashes and dots that are none. */
export const SEPARATOR_LOOK_ALIKES: ReadonlyMap<number, string> = new Map([
  [0x2044, '/'],
  [0x2215, '/'],
  [0x29f8, '/'],
  [0xff0f, '/'],
  [0x2571, '/'],
  [0x2024, '.'],
  [0xff0e, '.'],
  [0x3002, '.'],
  [0xff61, '.'],
  [0xfe52, '.'],
  [0xa789, ':'],
  [0xff1a, ':'],
]);

/** Right-to-left letters: Hebrew, Arabic, Syriac, Thaana, N'Ko and their presentation forms. */
export const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u;

/** Scripts that join letters by ZWJ and ZWNJ: Arabic to Malayalam, Sinhala, Khmer, Mongolian. */
const JOINING = /[\u0600-\u0dff\u1780-\u17ff\u1800-\u18af]|\p{Extended_Pictographic}|\p{Emoji_Modifier}/u;

/** Whether a zero-width joiner or non-joiner has something to join here. */
export function joins(before: string, after: string): boolean {
  const can = (one: string): boolean => one === '\u200d' || one === '\ufe0f' || JOINING.test(one);
  return can(before) && (after === '' || can(after));
}

/** Characters without a picture of their own, as ranges of code points. */
const INVISIBLE = new RegExp(
  `[${[
    '\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180e\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\u3164',
    '\\ufe00-\\ufe0f\\ufeff\\uffa0\\u{e0000}-\\u{e0fff}',
  ].join('')}]`,
  'gu',
);

/** Text as a reader who looks past its spelling would read it: lower case, ASCII look-alikes, words by single spaces. */
export function readAs(text: string): string {
  let out = '';
  for (const character of text.replace(INVISIBLE, '').normalize('NFKC')) {
    const code = character.codePointAt(0) ?? 0;
    out += code < 0x80 ? character : (CONFUSABLE.get(code) ?? character);
  }
  return out
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .replace(/%20|%0a/g, ' ')
    .replace(/[\s_\-./+,;:!?"'()[\]{}|\\*#`~=&%<>]+/g, ' ')
    .trim();
}

/** Digits read as the letters they stand for in disguised words. */
export function unleet(words: string): string {
  return words.replace(/\b(?=\w*[a-z])(?=\w*[0-9@$])[a-z0-9@$]+\b/g, (word) =>
    word.replace(/[013457@$]/g, (digit) => 'oieastas'['013457@$'.indexOf(digit)] ?? digit),
  );
}

/** ROT13 of lower-case text. */
export function rot13(text: string): string {
  return text.replace(/[a-z]/g, (letter) =>
    String.fromCharCode(((letter.charCodeAt(0) - 97 + 13) % 26) + 97),
  );
}
