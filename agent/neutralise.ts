/** The copy of a text that may be shown to people, terminals, spreadsheets and language models. The raw text stays. */
import { printable } from './printable.ts';
import type { Classified } from './shield/verdict.ts';

/** Stands between the words of a text that speaks to its reader, so that it reads as data (spotlighting). */
const MARK = '\u2423';

/**
 * Control, bidirectional, invisible and tag characters escaped; words joined by a mark when the text speaks to its
 * reader; a formula no longer at the beginning; a label in front that says what the text is.
 */
export function neutralise(text: string, { verdict, reasons }: Classified): string {
  let safe = printable(text);
  if (verdict === 'benign') return safe;
  const kinds = [...new Set(reasons.map(({ kind }) => kind))];
  if (kinds.some((kind) => kind.endsWith('prompt_injection'))) safe = safe.replace(/\s+/g, MARK);
  if (kinds.includes('markup') || kinds.includes('markdown_exfiltration'))
    safe = safe.replace(/[<>]/g, (one) => (one === '<' ? '\u2039' : '\u203a')).replaceAll('](', '] (');
  if (kinds.includes('lookup_injection')) safe = safe.replaceAll('${', '$ {');
  return `[untrusted, ${verdict}: ${kinds.join(', ').replaceAll('_', ' ')}] ${safe}`;
}
