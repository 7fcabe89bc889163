/** Hex dump lines: offset, bytes, printable ASCII. */
export interface HexLine {
  offset: string;
  bytes: string;
  text: string;
}

const PER_LINE = 16;

/** At most `limit` lines of a hex string. */
export function hexLines(hex: string, limit: number): HexLine[] {
  const lines: HexLine[] = [];
  for (let at = 0; at < hex.length && lines.length < limit; at += PER_LINE * 2) {
    const pairs = hex.slice(at, at + PER_LINE * 2).match(/../g) ?? [];
    lines.push({
      offset: (at / 2).toString(16).padStart(4, '0'),
      bytes: `${pairs.slice(0, 8).join(' ')}  ${pairs.slice(8).join(' ')}`.trimEnd(),
      text: pairs
        .map((pair) => {
          const code = Number.parseInt(pair, 16);
          return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : '.';
        })
        .join(''),
    });
  }
  return lines;
}

/** JSON in which every character outside printable ASCII is an escape: exact, and inert on any screen. */
export function exactJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, null, indent).replace(
    /[^\n\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
