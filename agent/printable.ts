/** Text from watched programs, made fit to be shown in a terminal or pasted into a shell. */

/** Escapes control, bidirectional, invisible and tag characters, so that a terminal shows what is there and obeys nothing. */
export function printable(text: string): string {
  return text.replace(
    // eslint-disable-next-line no-misleading-character-class
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu,
    (character) => {
      if (character === '\n') return '\\n';
      if (character === '\t') return '\\t';
      const code = character.codePointAt(0) ?? 0;
      return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
    },
  );
}

/** A command line that a shell would read back as the same arguments. */
export function shellQuote(argv: readonly string[]): string {
  return argv
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}
