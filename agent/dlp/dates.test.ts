import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtBeside, scanPieces, type BuiltIndex } from '../../test/dlp/built-index.ts';
import { digits, random } from '../../test/dlp/tables.ts';

const DAY_MS = 86_400_000;
const DAYS = 240;

function iso(day: Date): string {
  return day.toISOString().slice(0, 10);
}

/** A day as the Unicode locale data of Node has it, at noon so that no time zone moves it. */
function byLocale(locale: string, dateStyle: 'full' | 'long' | 'medium'): (day: Date) => string {
  const format = new Intl.DateTimeFormat(locale, { dateStyle, timeZone: 'UTC' });
  return (day) => format.format(day);
}

/** Sun Jan 23 12:00:00 UTC 1985 */
function unixDate(day: Date, zone: string): string {
  const [week = '', date, month, year, time] = day.toUTCString().split(' ');
  return `${week.slice(0, 3)} ${month} ${date} ${time} ${zone}${year}`;
}

describe('a date beside a number', () => {
  const from = random(31);
  const days = Array.from(
    { length: DAYS },
    (_, nth) => new Date(Date.UTC(1931, 0, 1, 12) + (nth * 137 + from.below(60)) * DAY_MS),
  );
  const rows = days.map((day) => [digits(from, 13), iso(day)]);
  let built: BuiltIndex;
  beforeAll(async () => {
    built = await builtBeside({ column: 'born', type: 'date' }, 12, rows);
  });
  afterAll(() => built.remove());

  async function found(spell: (day: Date) => string): Promise<string[]> {
    const text = days
      .map((day, nth) => `${rows[nth]![0]!}; born ${spell(day)}.${' and so on'.repeat(8)}\n`)
      .join('');
    const { hits } = await scanPieces(built.scanner, Buffer.from(text));
    const refs = new Set(hits.map(({ ref }) => ref));
    return days.flatMap((day, nth) => (refs.has(nth + 1) ? [] : [spell(day)]));
  }

  const locales = 'en-US en-GB de es fr it pt nl sv da nb pl ru uk ja zh-CN zh-TW ko'.split(' ');
  it.each(locales)('is found as it is written in %s', async (locale) => {
    for (const style of ['full', 'long', 'medium'] as const)
      expect(await found(byLocale(locale, style))).toEqual([]);
  });

  it.each<[string, (day: Date) => string]>([
    ['a time stamp', (day) => day.toISOString()],
    ['a compact time stamp', (day) => day.toISOString().replaceAll(/[-:]|\.000/g, '')],
    ['a mail header', (day) => day.toUTCString()],
    ['a log of a web server', (day) => day.toUTCString().slice(5, 16).replaceAll(' ', '/')],
    ['ctime', (day) => unixDate(day, '')],
    ['date of Unix', (day) => unixDate(day, 'UTC ')],
    [
      'Arabic digits',
      (day) => iso(day).replaceAll(/\d/g, (digit) => String.fromCodePoint(0x660 + Number(digit))),
    ],
    [
      'full-width digits',
      (day) => iso(day).replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
    ],
    [
      'an ordinal',
      (day) =>
        `${day.getUTCDate()}th of ${byLocale('en-US', 'long')(day).split(' ')[0]!}, ${day.getUTCFullYear()}`,
    ],
    [
      'year, name, day',
      (day) => `${day.getUTCFullYear()}-${day.toUTCString().slice(8, 11)}-${day.getUTCDate()}`,
    ],
  ])('is found as %s', async (_, spell) => {
    expect(await found(spell)).toEqual([]);
  });

  it('is not found as the day after', async () => {
    expect(await found((day) => iso(new Date(day.getTime() + DAY_MS)))).toHaveLength(DAYS);
    expect(await found((day) => byLocale('es', 'long')(new Date(day.getTime() + DAY_MS)))).toHaveLength(DAYS);
  });
});
