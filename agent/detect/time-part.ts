/**
 * The part of a date that a time modifier names. Dates are read as written: no conversion between time zones
 * (sigma-appendix-modifiers.md, "Time Modifiers"). Numbers count from the epoch, in UTC; their unit follows from
 * their size (s, ms, us, ns).
 */

export const TIME_UNITS = ['minute', 'hour', 'day', 'week', 'month', 'year'] as const;
export type TimeUnit = (typeof TIME_UNITS)[number];

const DATE =
  /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::\d{2}(?:[.,]\d+)?)?)?(?:\s?(?:Z|UTC|[+-]\d{2}:?\d{2}))?$/i;

/** ISO 8601 week number, 1 to 53. */
function weekOf(year: number, month: number, day: number): number {
  const date = new Date(Date.UTC(year, month - 1, day));
  // The week belongs to the year of its Thursday.
  date.setUTCDate(date.getUTCDate() + 4 - (date.getUTCDay() || 7));
  const firstDay = Date.UTC(date.getUTCFullYear(), 0, 1);
  return Math.ceil(((date.getTime() - firstDay) / 86_400_000 + 1) / 7);
}

function partOf(
  unit: TimeUnit,
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
): number {
  switch (unit) {
    case 'minute':
      return minute;
    case 'hour':
      return hour;
    case 'day':
      return day;
    case 'week':
      return weekOf(year, month, day);
    case 'month':
      return month;
    case 'year':
      return year;
  }
}

/** The part, or undefined if `text` is not a date. */
export function timePart(text: string, unit: TimeUnit): number | undefined {
  const found = DATE.exec(text.trim());
  if (found) {
    const [year, month, day, hour, minute] = found.slice(1, 6).map((piece) => Number(piece ?? 0)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59) return undefined;
    return partOf(unit, year, month, day, hour, minute);
  }
  if (!/^\d{9,19}(?:\.\d+)?$/.test(text)) return undefined;
  const value = Number(text);
  const ms = value < 1e11 ? value * 1e3 : value < 1e14 ? value : value < 1e17 ? value / 1e3 : value / 1e6;
  const date = new Date(ms);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
  return partOf(unit, year, month, day, date.getUTCHours(), date.getUTCMinutes());
}
