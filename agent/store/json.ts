/** JSON that also carries bigint and the numbers JSON has no form for; plain values look like plain JSON. */

const MARK = '\u0001';

function pack(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${MARK}n${value}`;
  if (typeof value === 'number' && !Number.isFinite(value)) return `${MARK}d${value}`;
  if (typeof value === 'string' && value.startsWith(MARK)) return `${MARK}s${value}`;
  return value;
}

function unpack(_key: string, value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(MARK)) return value;
  const body = value.slice(2);
  if (value.charAt(1) === 'n') return BigInt(body);
  return value.charAt(1) === 'd' ? Number(body) : body;
}

export function packJson(value: unknown): string {
  return JSON.stringify(value, pack);
}

export function unpackJson(text: string): unknown {
  return text.includes(String.raw`\u0001`) ? JSON.parse(text, unpack) : JSON.parse(text);
}
