/**
 * Conditions: CEL text to something that answers for an event, or the reason why not, with its place and a remedy.
 *
 * Types and names are checked before anything runs, the cost is bounded (cost.ts), and `matches` goes to an engine whose
 * time is linear in the text: V8's own backtracks, and arguments are chosen by attackers.
 */
import { Environment } from '@marcbachmann/cel-js';
import { nearest } from '../config.ts';
import type { SentinelEvent } from '../event.ts';
import { addressMatcher } from './addresses.ts';
import { callOf, literal, renameCall, textList, visit, type Node } from './ast.ts';
import { costOf, MAX_BYTES, MAX_STEPS } from './cost.ts';
import {
  contextOf,
  DETECTION_FIELDS,
  DetectionView,
  fieldNames,
  ROOT,
  typeNameOf,
  type Branch,
} from './fields.ts';

export const MAX_EXPRESSION_CHARS = 8192;
const MAX_NODES = 1000;
const MAX_DEPTH = 48;

/** A mistake in a condition. */
export class ExpressionError extends Error {
  /** Offset into the text. */
  readonly offset: number;
  readonly remedy: string;

  constructor(offset: number, message: string, remedy: string) {
    super(message);
    this.name = 'ExpressionError';
    this.offset = offset;
    this.remedy = remedy;
  }
}

/** Compiles a regular expression for searching in linear time; throws when it is not one. */
export type RegexCompiler = (pattern: string) => { test(text: string): boolean };

export interface Expression {
  readonly text: string;
  readonly root: Node;
  /** Steps it may take at most. */
  readonly steps: number;
  /** True or false, or the reason why CEL has no answer (a field that the event does not have …). */
  test(event: SentinelEvent): boolean | string;
}

interface CelError {
  code?: string;
  summary?: string;
  message: string;
  range?: { start: number; end: number };
  node?: Node;
}

export type ExpressionCompiler = (text: string) => Expression;

/** Makes a compiler with its own type environment. */
export function expressionCompiler(regex: RegexCompiler): ExpressionCompiler {
  const patterns = new Map<string, { test(text: string): boolean }>();
  const networks = new Map<string, (ip: string) => boolean>();
  const inNetwork = (ip: string, network: string): boolean => networks.get(network)?.(ip) ?? false;
  const environment = new Environment({
    limits: { maxAstNodes: MAX_NODES, maxDepth: MAX_DEPTH, maxListElements: 1000, maxMapEntries: 100 },
  });
  environment.registerType('Detection', { ctor: DetectionView, fields: DETECTION_FIELDS });
  registerBranches(environment, ROOT);
  environment.registerFunction('string.matchesLinear(string): bool', (text: string, pattern: string) =>
    (patterns.get(pattern) as { test(text: string): boolean }).test(text),
  );
  environment.registerFunction('string.inCidr(string): bool', inNetwork);
  environment.registerFunction('string.inCidr(list<string>): bool', (ip: string, list: string[]) =>
    list.some((network) => inNetwork(ip, network)),
  );

  return (text) => {
    if (text.length > MAX_EXPRESSION_CHARS) {
      throw new ExpressionError(
        0,
        `the condition has ${text.length} characters; ${MAX_EXPRESSION_CHARS} are allowed`,
        'split it into several policies',
      );
    }
    let parsed: ReturnType<Environment['parse']>;
    try {
      parsed = environment.parse(text);
    } catch (error) {
      throw explained(error as CelError, text);
    }
    const root = parsed.ast as unknown as Node;
    const cost = costOf(root);
    if (cost.steps > MAX_STEPS || cost.bytes > MAX_BYTES || !Number.isFinite(cost.steps)) {
      throw new ExpressionError(
        0,
        `the condition could take ${cost.steps} steps and ${cost.bytes} bytes for one event; ${MAX_STEPS} and ${MAX_BYTES} are allowed`,
        'avoid loops within loops and texts that grow',
      );
    }
    prepare(root, regex, patterns, networks);
    const checked = parsed.check();
    if (!checked.valid) throw explained(checked.error as unknown as CelError, text);
    if (checked.type !== 'bool') {
      throw new ExpressionError(
        0,
        `the condition is of type ${checked.type}, not bool`,
        'compare it with something',
      );
    }
    return {
      text,
      root,
      steps: cost.steps,
      test: (event) => {
        try {
          return parsed(contextOf(event)) === true;
        } catch (error) {
          return (error as CelError).summary ?? (error as Error).message;
        }
      },
    };
  };
}

function registerBranches(environment: Environment, branch: Branch): void {
  for (const child of branch.branches) registerBranches(environment, child);
  if (branch.path !== '') {
    environment.registerType(typeNameOf(branch.path), {
      ctor: branch.ctor,
      fields: Object.fromEntries(branch.members),
    });
    return;
  }
  for (const [name, type] of branch.members) environment.registerVariable(name, type);
}

/**
 * No field of an event is of these types, and the library departs from the specification there (ADR 0010): better refused
 * than answered wrongly.
 */
const UNAVAILABLE: ReadonlySet<string> = new Set([
  'bytes',
  'json',
  'double',
  'uint',
  'timestamp',
  'duration',
]);

function isPlainLiteral(value: unknown): boolean {
  return value === null || ['string', 'bigint', 'boolean'].includes(typeof value);
}

/** Compiles the literal patterns and networks, so that evaluation only looks them up. */
function prepare(
  root: Node,
  regex: RegexCompiler,
  patterns: Map<string, { test(text: string): boolean }>,
  networks: Map<string, (ip: string) => boolean>,
): void {
  visit(root, (node) => {
    const call = callOf(node);
    if (call && UNAVAILABLE.has(call.name))
      throw new ExpressionError(
        node.start,
        `${call.name} is not available here`,
        'compare texts and whole numbers',
      );
    if (node.op === 'value' && !isPlainLiteral(node.args))
      throw new ExpressionError(
        node.start,
        'only texts, whole numbers, true, false and null are values here',
        'no field has another type',
      );
    const [argument] = call?.args ?? [];
    if (!call?.receiver || argument === undefined) return;
    if (call.name === 'matches') {
      const pattern = literal(argument);
      if (typeof pattern !== 'string')
        throw new ExpressionError(
          argument.start,
          'matches needs its pattern as a text in quotes',
          'write it out',
        );
      try {
        if (!patterns.has(pattern)) patterns.set(pattern, regex(pattern));
      } catch (error) {
        throw new ExpressionError(
          argument.start,
          `the pattern is not a regular expression: ${(error as Error).message}`,
          'check its brackets and backslashes; r"…" keeps backslashes',
        );
      }
      renameCall(node, 'matchesLinear');
    } else if (call.name === 'inCidr') {
      const single = literal(argument);
      const list = typeof single === 'string' ? [single] : textList(argument);
      if (!list)
        throw new ExpressionError(
          argument.start,
          'inCidr needs networks as texts in quotes',
          'write "10.0.0.0/8"',
        );
      for (const network of list) {
        const matcher = addressMatcher(network);
        if (!matcher)
          throw new ExpressionError(
            argument.start,
            `"${network}" is not a network`,
            'write "10.0.0.0/8" or "fd00::/8"',
          );
        networks.set(network, matcher);
      }
    }
  });
}

function explained(error: CelError, text: string): ExpressionError {
  const offset = error.range?.start ?? 0;
  const summary = (error.summary ?? error.message.split('\n')[0] ?? '').slice(0, 300);
  if (error.code === 'unknown_variable' || error.code === 'no_such_key') {
    const name = nameAt(text, error.node?.start ?? offset, error.range?.end ?? offset);
    const meant = nearestField(name);
    return new ExpressionError(
      error.node?.start ?? offset,
      `there is no field ${name}`,
      meant ? `did you mean ${meant}?` : 'see docs/policies.md for the fields there are',
    );
  }
  return new ExpressionError(offset, summary, remedyOf(error.code, summary));
}

/** The dotted name that contains the place of an error. */
function nameAt(text: string, start: number, end: number): string {
  let to = Math.max(start, end);
  while (to < text.length && /[\w.]/.test(text[to] ?? '')) to += 1;
  let from = start;
  while (from > 0 && /[\w.]/.test(text[from - 1] ?? '')) from -= 1;
  const name = text.slice(from, to);
  // The last part is a method when it is called.
  return text[to] === '(' && name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : name;
}

function nearestField(name: string): string | undefined {
  const names = fieldNames();
  const last = name.slice(name.lastIndexOf('.') + 1);
  const branch = name.slice(0, name.lastIndexOf('.') + 1);
  const beside = names.filter((field) => field.startsWith(branch) && branch !== '');
  return (
    beside.find((field) => last.length > 2 && field.slice(branch.length).startsWith(last)) ??
    nearest(name, names) ??
    beside.find((field) => field.slice(branch.length).startsWith(last.slice(0, 3))) ??
    names.find((field) => field.endsWith(`.${last}`))
  );
}

function remedyOf(code: string | undefined, summary: string): string {
  if (code === 'no_such_overload' || code === 'no_matching_overload')
    return 'compare values of one type: texts in quotes, numbers without; check the name of the function';
  if (/nest|depth|nodes|limit|exceed/i.test(summary)) return 'make the condition smaller';
  if (/EOF|end of/i.test(summary)) return 'something is missing at the end: a value or a closing bracket';
  return 'check quotes, brackets and operators (==, &&, ||, !, in)';
}
