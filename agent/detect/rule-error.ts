/** Why a rule document could not be loaded, in words its author can act on. */
import { SentinelError } from '../errors.ts';

export interface RulePlace {
  file: string;
  /** 1-based; absent when the whole file is meant. */
  line?: number;
  /** Path of keys, for example `detection.selection.CommandLine|re`. */
  field?: string;
}

export class RuleError extends SentinelError {
  readonly place: RulePlace;
  /** What is wrong, without the place. */
  readonly reason: string;

  constructor(place: RulePlace, reason: string, remedy: string) {
    const where = place.line === undefined ? place.file : `${place.file}:${place.line}`;
    const field = place.field === undefined ? '' : ` ${place.field}:`;
    super('rule', `${where}:${field} ${reason}`, remedy);
    this.name = 'RuleError';
    this.place = place;
    this.reason = reason;
  }
}

/** A problem found below the level that knows the file: the loader adds the place. */
export class DetectionError extends Error {
  /** Keys below the rule's root that lead to the problem. */
  readonly path: readonly (string | number)[];
  readonly remedy: string;

  constructor(path: readonly (string | number)[], reason: string, remedy: string) {
    super(reason);
    this.name = 'DetectionError';
    this.path = path;
    this.remedy = remedy;
  }
}
