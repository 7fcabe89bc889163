/** Times on the command line: how long ago, or a date and time. */
import { UsageError } from '../errors.ts';

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Nanoseconds since the epoch of `30s`, `15m`, `2h`, `7d` ago or of a date and time; undefined without an argument. */
export function parseTimeArgument(
  text: string | undefined,
  flag: string,
  nowMs = Date.now(),
): bigint | undefined {
  if (text === undefined) return undefined;
  const ago = /^(\d{1,9})([smhd])$/.exec(text);
  const ms = ago ? nowMs - Number(ago[1]) * (UNITS_MS[ago[2] ?? ''] ?? 0) : Date.parse(text);
  if (!Number.isFinite(ms))
    throw new UsageError(`${flag} is ${JSON.stringify(text)}`, 'give 30s, 15m, 2h, 7d or a date and time');
  return BigInt(Math.max(0, Math.round(ms))) * 1_000_000n;
}
