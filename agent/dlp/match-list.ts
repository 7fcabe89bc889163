/** A bounded list of what was found in the streams of a file. */
import type { DlpMatch } from './types.ts';

/** Matches of a kind that are listed though the list is full. */
const RESERVED = 64;
/** Beyond those, what is surer than any of its kind by so much. */
const SURER = 0.01;

interface Kind {
  listed: number;
  confidence: number;
  containment: number;
}

/** When it is full, each rule of each index still has its first ones: a file that is full of one thing hides no other. */
export class MatchList {
  readonly matches: DlpMatch[] = [];
  /** How often was found what is not listed. */
  unlisted = 0;
  readonly #max: number;
  readonly #kinds = new Map<string, Kind>();

  constructor(max: number) {
    this.#max = max;
  }

  add(match: DlpMatch): void {
    const { index, rule, confidence, containment = 0 } = match;
    const name = `${index}\n${rule}`;
    let kind = this.#kinds.get(name);
    if (kind === undefined) this.#kinds.set(name, (kind = { listed: 0, confidence: 0, containment: 0 }));
    if (
      this.matches.length >= this.#max &&
      kind.listed >= Math.min(RESERVED, this.#max) &&
      confidence < kind.confidence + SURER &&
      containment < kind.containment + SURER
    ) {
      this.unlisted += match.count;
      return;
    }
    kind.listed += 1;
    kind.confidence = Math.max(kind.confidence, confidence);
    kind.containment = Math.max(kind.containment, containment);
    this.matches.push(match);
  }
}
