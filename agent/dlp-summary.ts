/** One number for each thing that people and policies ask of what was found in a file. Percents are whole numbers. */
import type { DlpInfo } from './event.ts';

/** What was found, as people say it: the index and, where it has several, the rule. */
export function dlpRuleName({ index, rule }: { index: string; rule: string }): string {
  return index === rule || index === '' ? rule : `${index} ${rule}`;
}

/** Hits of all rules together, also those that are not listed. */
export function dlpCount(dlp: DlpInfo): number {
  const listed = dlp.matches.reduce((sum, match) => sum + match.count, 0);
  return Math.max(listed, dlp.matchesTotal);
}

/** The highest confidence; undefined without a match. */
export function dlpConfidence(dlp: DlpInfo): number | undefined {
  if (dlp.matches.length === 0) return undefined;
  return Math.round(100 * Math.max(...dlp.matches.map((match) => match.confidence)));
}

/** The largest share of a protected document; undefined when none matched. */
export function dlpContainment(dlp: DlpInfo): number | undefined {
  const shares = dlp.matches.flatMap(({ containment }) => (containment === undefined ? [] : [containment]));
  return shares.length === 0 ? undefined : Math.round(100 * Math.max(...shares));
}
