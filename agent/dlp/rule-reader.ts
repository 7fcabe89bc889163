/** Reads values of one YAML file and says where they are when they are wrong. */
import { isScalar, isSeq, type LineCounter, type Node } from 'yaml';
import { SentinelError } from '../errors.ts';

export class RuleReader {
  readonly #file: string;
  readonly #lines: LineCounter;

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  fail(message: string, remedy: string, node?: unknown, offset = 0): never {
    const start = ((node as Node | null | undefined)?.range?.[0] ?? 0) + offset;
    const { line, col } = this.#lines.linePos(start);
    throw new SentinelError(
      'dlp_rules',
      `${this.#file}:${Math.max(1, line)}:${Math.max(1, col)}: ${message}`,
      remedy,
    );
  }

  text(node: unknown, what: string): string {
    if (isScalar(node) && typeof node.value === 'string' && node.value.trim() !== '') return node.value;
    return this.fail(`${what} is not a text`, 'write it in quotes if it looks like a number', node);
  }

  flag(node: unknown, what: string): boolean {
    if (isScalar(node) && typeof node.value === 'boolean') return node.value;
    return this.fail(`${what} is neither true nor false`, 'write true or false', node);
  }

  number(node: unknown, what: string, least: number, most: number, whole: boolean): number {
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value)))
      return value;
    return this.fail(
      `${what} is not a ${whole ? 'whole number' : 'number'} from ${least} to ${most}`,
      `write a number from ${least} to ${most}`,
      node,
    );
  }

  texts(node: unknown, what: string, most: number): string[] {
    if (!isSeq(node) || node.items.length === 0)
      return this.fail(`${what} is not a list`, `write ${what}: [one, another]`, node);
    if (node.items.length > most) this.fail(`${what} has more than ${most} entries`, 'split the rule', node);
    return node.items.map((item) => this.text(item, `an entry of ${what}`));
  }
}
