/** Conditions in SQL with what is known about them, and how they combine. */

export interface Condition {
  upper: string;
  lower: string;
  /** Each is implied by upper, answered by an index, and leaves few rows. */
  drives?: readonly string[];
  /** Implied: severity is above info, for which there is an index in order of time. */
  raised?: boolean;
}

export const TRUE: Condition = { upper: '1', lower: '1' };
export const FALSE: Condition = { upper: '0', lower: '0' };

/** A condition that says exactly which rows match. */
export const exactly = (sql: string, drive?: string): Condition => ({
  upper: sql,
  lower: sql,
  drives: drive === undefined ? undefined : [drive],
});

/** Whether upper alone decides. */
export const isExact = (condition: Condition): boolean => condition.upper === condition.lower;

function joined(parts: readonly string[], word: 'AND' | 'OR'): string {
  const [neutral, absorbing] = word === 'AND' ? ['1', '0'] : ['0', '1'];
  if (parts.includes(absorbing)) return absorbing;
  const rest = parts.filter((part) => part !== neutral);
  if (rest.length === 0) return neutral;
  return rest.length === 1 ? (rest[0] ?? neutral) : `(${rest.join(` ${word} `)})`;
}

/** Conjunction or disjunction, without what decides nothing. */
export function both(items: readonly Condition[], word: 'AND' | 'OR'): Condition {
  const upper = joined(
    items.map((item) => item.upper),
    word,
  );
  const lower = joined(
    items.map((item) => item.lower),
    word,
  );
  if (upper === '0') return FALSE;
  if (word === 'AND') {
    const drives = items.flatMap((item) => item.drives ?? []);
    return {
      upper,
      lower,
      drives: drives.length > 0 ? drives : undefined,
      raised: items.some((item) => item.raised),
    };
  }
  const leads = items.filter((item) => item.upper !== '0').map((item) => item.drives?.[0]);
  const all = leads.every((lead) => lead !== undefined) ? [joined(leads, 'OR')] : undefined;
  return { upper, lower, drives: all, raised: items.every((item) => item.raised) };
}

export function negated(item: Condition): Condition {
  const flip = (sql: string): string => (sql === '1' ? '0' : sql === '0' ? '1' : `NOT ${sql}`);
  return { upper: flip(item.lower), lower: flip(item.upper) };
}
