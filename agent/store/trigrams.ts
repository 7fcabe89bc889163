/** Literals of a pattern as an FTS5 expression over trigrams. */

/** More trigrams than this narrow nothing further and cost a list each. */
const MAX_TRIGRAMS = 16;

/** Expression that every text holding all (folded) literals satisfies; undefined when none has three characters. */
export function matchExpression(literals: readonly string[]): string | undefined {
  const all = new Set<string>();
  for (const literal of literals) {
    const points = Array.from(literal.replaceAll('\0', '\ufffd').toWellFormed());
    for (let start = 0; start + 3 <= points.length; start += 1)
      all.add(points.slice(start, start + 3).join(''));
  }
  if (all.size === 0) return undefined;
  const step = Math.max(1, all.size / MAX_TRIGRAMS);
  const list = [...all];
  const chosen: string[] = [];
  for (let at = 0; at < list.length; at += step) chosen.push(list[Math.floor(at)] ?? '');
  return chosen.map((trigram) => `"${trigram.replaceAll('"', '""')}"`).join(' AND ');
}
