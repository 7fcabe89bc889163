/**
 * Canonical bytes that signatures cover: JSON with members sorted by UTF-16 code unit, no white space, integers as
 * decimal strings (RFC 8785 restricted to strings, so that number formatting never matters).
 */
export function canonicalBytes(value: Readonly<Record<string, string | undefined>>): Buffer {
  const members = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${JSON.stringify(value[key])}`);
  return Buffer.from(`{${members.join(',')}}`, 'utf8');
}
