/** How a spreadsheet shows a number: as a date, with the digits of a pattern, or plainly. */

export type NumberFormat = { kind: 'general' } | { kind: 'date' } | { kind: 'digits'; pattern: string };

const GENERAL: NumberFormat = { kind: 'general' };
const DATE: NumberFormat = { kind: 'date' };

/** Meaning of a format's code; dates are told by their letters outside quotes and brackets. */
export function formatOfCode(code: string): NumberFormat {
  const first = code.split(';', 1)[0] ?? '';
  const bare = first
    .replace(/"[^"]*"/g, '')
    .replace(/\\./g, '')
    .replace(/_./g, '')
    .replace(/\[[^[\]]*\]/g, '');
  if (/[dmyhs]/i.test(bare) && !/^general$/i.test(bare.trim())) return DATE;
  const pattern = first
    .replace(/"([^"]*)"/g, '$1')
    .replace(/\\(.)/g, '$1')
    .replace(/_./g, '')
    .replace(/\*./g, '')
    .replace(/\[[^[\]]*\]/g, '');
  // A fixed number of digits with separators: account numbers, postcodes, numbers of persons.
  if (/^[0#][0#\-/ ().:]*$/.test(pattern) && /0{3}|0.*[-/ ]+.*0/.test(pattern) && !/\.0*$/.test(pattern))
    return { kind: 'digits', pattern };
  return GENERAL;
}

/** Meaning of a format that has no code in the file. */
export function builtInFormat(id: number): NumberFormat {
  const date =
    (id >= 14 && id <= 22) || (id >= 27 && id <= 36) || (id >= 45 && id <= 47) || (id >= 50 && id <= 58);
  return date ? DATE : GENERAL;
}

const DAY_MS = 86_400_000;

function asDate(serial: number, from1904: boolean): string | undefined {
  if (!(serial >= 0) || serial > 2_958_466) return undefined;
  // The 29th of February 1900, which never was, counts.
  const day = from1904 ? serial + 1462 : serial < 60 ? serial + 1 : serial;
  const text = new Date(Date.UTC(1899, 11, 30) + Math.round(day * DAY_MS)).toISOString();
  const time = text.slice(11, 19);
  if (serial < 1) return time;
  return time === '00:00:00' ? text.slice(0, 10) : `${text.slice(0, 10)} ${time}`;
}

function asDigits(digits: string, pattern: string): string {
  let out = '';
  let next = digits.length - 1;
  for (let at = pattern.length - 1; at >= 0; at -= 1) {
    const place = pattern[at];
    if (place === '0' || place === '#') {
      if (next >= 0) {
        out = (digits[next] ?? '') + out;
        next -= 1;
      } else if (place === '0') out = `0${out}`;
    } else out = (place ?? '') + out;
  }
  return digits.slice(0, next + 1) + out;
}

/** A stored number as it is shown, nearly: dates are always year, month, day. */
export function shownNumber(stored: string, format: NumberFormat, from1904: boolean): string {
  const value = Number(stored);
  if (!Number.isFinite(value)) return stored;
  if (format.kind === 'date') return asDate(value, from1904) ?? stored;
  if (format.kind === 'digits' && Number.isInteger(value) && value >= 0 && /^\d{1,20}$/.test(stored))
    return asDigits(stored, format.pattern);
  if (/e/i.test(stored)) return Math.abs(value) < 1e21 ? plain(value) : stored;
  // Fifteen digits are what a spreadsheet shows of a fraction.
  if (stored.length > 16 && stored.includes('.')) return plain(Number(value.toPrecision(15)));
  return stored;
}

function plain(value: number): string {
  if (Number.isInteger(value)) return BigInt(value).toString();
  return value.toString().includes('e') ? value.toFixed(15).replace(/0+$/, '') : value.toString();
}
