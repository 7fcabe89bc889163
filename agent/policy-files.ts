/** The policies that there are texts of: those that come with Sentinel and those in the data folder, which go first. */
import type { PolicyProblem } from './policy/problem.ts';
import { parsePolicies, type LoadedPolicy } from './policy/parse.ts';
import type { ExpressionCompiler } from './policy/expression.ts';
import { policiesFolder, readPolicyFolder, type PolicyFile } from './policy-store.ts';
import { policiesDir } from './resources.ts';

export interface PolicyTexts {
  policies: LoadedPolicy[];
  problems: PolicyProblem[];
  warnings: PolicyProblem[];
}

/** Parses files; an id that occurs twice counts for neither, and a bad document takes no other with it. */
export function loadPolicyFiles(files: readonly PolicyFile[], compile: ExpressionCompiler): PolicyTexts {
  const result: PolicyTexts = { policies: [], problems: [], warnings: [] };
  const byId = new Map<string, LoadedPolicy[]>();
  for (const { file, text, problem } of files) {
    if (text === undefined) {
      const remedy = 'check its size and permissions';
      result.problems.push({ file, line: 1, column: 1, message: problem ?? 'cannot be read', remedy });
      continue;
    }
    const parsed = parsePolicies(file, text, compile);
    result.problems.push(...parsed.problems);
    result.warnings.push(...parsed.warnings);
    for (const loaded of parsed.policies) {
      const { id } = loaded.policy;
      byId.set(id, [...(byId.get(id) ?? []), loaded]);
    }
  }
  for (const [id, found] of byId) {
    if (found.length === 1) result.policies.push(...found);
    else
      for (const { policy } of found) {
        const others = found.filter((other) => other.policy !== policy).map((other) => other.policy.file);
        const message = `the id ${id} occurs more than once (${[...new Set(others)].join(', ')})`;
        result.problems.push({
          file: policy.file,
          line: 1,
          column: 1,
          message,
          remedy: 'give each policy its own id',
          id,
        });
      }
  }
  return result;
}

/** All policies of a data folder. One with the id of a policy that came along takes its place. */
export function loadAllPolicies(dataDir: string, compile: ExpressionCompiler): PolicyTexts {
  const own = loadPolicyFiles(readPolicyFolder(policiesFolder(dataDir)), compile);
  const folder = policiesDir();
  const bundled = loadPolicyFiles(folder ? readPolicyFolder(folder) : [], compile);
  const ids = new Set(own.policies.map(({ policy }) => policy.id));
  return {
    policies: [...bundled.policies.filter(({ policy }) => !ids.has(policy.id)), ...own.policies],
    problems: [...bundled.problems, ...own.problems],
    warnings: own.warnings,
  };
}
