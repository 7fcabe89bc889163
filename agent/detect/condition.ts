/**
 * Condition expressions: `selection and not 1 of filter_*`.
 *
 * Grammar, loosest first (sigma-rules-specification.md, "Condition"):
 *   or := and ("or" and)* ; and := not ("and" not)* ; not := "not" not | atom
 *   atom := "(" or ")" | (number | "all" | "any") "of" (pattern | "them") | name
 * Keywords are recognised in any case; names are case-sensitive.
 */

export type Condition =
  | { kind: 'name'; name: string }
  /** `count` selections matching `pattern` (undefined = them) are true; 'all' = every one. */
  | { kind: 'of'; count: number | 'all'; pattern: string | undefined }
  | { kind: 'not'; operand: Condition }
  | { kind: 'and'; operands: Condition[] }
  | { kind: 'or'; operands: Condition[] };

export class ConditionError extends Error {
  /** 1-based column in the condition. */
  readonly column: number;

  constructor(message: string, column: number) {
    super(`${message} (column ${column})`);
    this.name = 'ConditionError';
    this.column = column;
  }
}

interface Token {
  text: string;
  column: number;
}

const MAX_TOKENS = 10_000;
const MAX_DEPTH = 500;

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  for (const match of source.matchAll(/[()|]|[^\s()|]+/g)) {
    tokens.push({ text: match[0], column: match.index + 1 });
    if (tokens.length > MAX_TOKENS) throw new ConditionError('the condition is too long', match.index + 1);
  }
  return tokens;
}

/** Parses a condition. Throws ConditionError. */
export function parseCondition(source: string): Condition {
  const tokens = tokenize(source);
  let at = 0;
  let depth = 0;
  const end = source.length + 1;
  const is = (word: string, ahead = 0): boolean => tokens[at + ahead]?.text.toLowerCase() === word;

  function list(kind: 'and' | 'or', operand: () => Condition): Condition {
    const operands = [operand()];
    while (is(kind)) {
      at += 1;
      operands.push(operand());
    }
    return operands.length === 1 ? (operands[0] as Condition) : { kind, operands };
  }

  const or = (): Condition => {
    depth += 1;
    if (depth > MAX_DEPTH)
      throw new ConditionError('the condition is nested too deeply', tokens[at]?.column ?? end);
    const parsed = list('or', () => list('and', not));
    depth -= 1;
    return parsed;
  };

  function not(): Condition {
    let negations = 0;
    while (is('not')) {
      at += 1;
      negations += 1;
    }
    let node = atom();
    for (; negations > 0; negations -= 1) node = { kind: 'not', operand: node };
    return node;
  }

  function atom(): Condition {
    const token = tokens[at];
    if (!token) throw new ConditionError('the condition ends where a selection is expected', end);
    const word = token.text.toLowerCase();
    if (word === '(') {
      at += 1;
      const inner = or();
      if (!is(')')) throw new ConditionError('a closing parenthesis is missing', tokens[at]?.column ?? end);
      at += 1;
      return inner;
    }
    if (is('of', 1)) {
      const count =
        word === 'all' ? 'all' : word === 'any' ? 1 : /^[1-9]\d{0,3}$/.test(word) ? Number(word) : undefined;
      if (count === undefined)
        throw new ConditionError(`"${token.text} of" needs 1, all, any or a number`, token.column);
      const target = tokens[at + 2];
      if (!target || '()|'.includes(target.text)) {
        throw new ConditionError(`"${token.text} of" needs a name pattern or "them"`, target?.column ?? end);
      }
      at += 3;
      return { kind: 'of', count, pattern: target.text.toLowerCase() === 'them' ? undefined : target.text };
    }
    if (word === ')' || word === '|' || word === 'and' || word === 'or' || word === 'of') {
      throw new ConditionError(`"${token.text}" stands where a selection is expected`, token.column);
    }
    at += 1;
    return { kind: 'name', name: token.text };
  }

  const parsed = or();
  const rest = tokens[at];
  if (rest) throw new ConditionError(`"${rest.text}" is not expected here`, rest.column);
  return parsed;
}

/** Text that parses to the same tree (lists nested in lists of the same kind keep their parentheses). */
export function printCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'name':
      return condition.name;
    case 'of':
      return `${condition.count} of ${condition.pattern ?? 'them'}`;
    case 'not': {
      const inner = printCondition(condition.operand);
      const list = condition.operand.kind === 'and' || condition.operand.kind === 'or';
      return list ? `not (${inner})` : `not ${inner}`;
    }
    case 'and':
    case 'or':
      return condition.operands
        .map((operand) => {
          const inner = printCondition(operand);
          const bare = operand.kind === 'and' ? condition.kind === 'or' : operand.kind !== 'or';
          return bare ? inner : `(${inner})`;
        })
        .join(` ${condition.kind} `);
  }
}

/** Names a pattern stands for, in the order of the rule; names starting with `_` are left out. */
export function namesMatching(pattern: string | undefined, names: readonly string[]): string[] {
  const visible = names.filter((name) => !name.startsWith('_'));
  if (pattern === undefined) return visible;
  const pieces = pattern.split('*').map((piece) => piece.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  const shape = new RegExp(`^${pieces.join('[^]*?')}$`);
  return visible.filter((name) => shape.test(name));
}
