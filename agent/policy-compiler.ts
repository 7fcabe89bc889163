/** The compiler of conditions with the rule engine's regular expressions, whose time is linear in the text. */
import { compileRegex } from './detect/regex/regex.ts';
import { expressionCompiler, type ExpressionCompiler } from './policy/expression.ts';

export function policyCompiler(): ExpressionCompiler {
  return expressionCompiler((pattern) =>
    compileRegex(pattern, { ignoreCase: false, multiline: false, dotAll: false }),
  );
}
