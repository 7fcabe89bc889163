/** Texts that are not in force: saved as drafts, compared with what is, given one more exception, or just begun. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { PolicyDifferenceJson, PolicyExceptionDraft, PolicyTemplateJson } from './api/contract.ts';
import { SentinelError } from './errors.ts';
import type { SentinelEvent } from './event.ts';
import { lineDifference, meaningDifference } from './policy/difference.ts';
import { withDocument, withException, withVersion, type ExceptionText } from './policy/edit.ts';
import { exceptionCandidates } from './policy/except.ts';
import type { ExpressionCompiler } from './policy/expression.ts';
import { canonicalText } from './policy/hash.ts';
import type { VersionState } from './policy/lifecycle-state.ts';
import { parsePolicies, type LoadedPolicy } from './policy/parse.ts';
import { problemText } from './policy/problem.ts';
import { PolicyRefusedError } from './policy/refused.ts';
import { TEMPLATES } from './policy/templates.ts';
import { loadPolicyFiles } from './policy-files.ts';
import { policiesFolder, readPolicyFile, readPolicyFolder, replaceFile } from './policy-store.ts';
import { policiesDir } from './resources.ts';

/** Somebody else saved in between. */
export class PolicyConflictError extends SentinelError {
  constructor(message: string, remedy: string) {
    super('conflict', message, remedy);
    this.name = 'PolicyConflictError';
  }
}

/** The one policy of a text. @throws PolicyRefusedError naming its first mistake. */
export function onePolicy(text: string, compile: ExpressionCompiler): LoadedPolicy {
  const { policies, problems } = parsePolicies('policy', text, compile);
  const [problem] = problems;
  if (problem) throw new PolicyRefusedError(problemText(problem), '');
  const [policy] = policies;
  if (policy && policies.length === 1) return policy;
  throw new PolicyRefusedError(
    `the text holds ${policies.length} policies`,
    'save one policy at a time; files may hold several',
  );
}

/** The text with the number after the highest that the policy ever had; a higher one stays. */
export function numbered(
  loaded: LoadedPolicy,
  versions: readonly VersionState[],
  compile: ExpressionCompiler,
): LoadedPolicy {
  const highest = Math.max(0, ...versions.map(({ version }) => version));
  if (loaded.policy.version > highest) return loaded;
  return onePolicy(withVersion(loaded.policy.text, highest + 1), compile);
}

/** A file of the data folder before and after a policy is saved in it. */
export interface SavedFile {
  file: string;
  before: string | undefined;
  after: string;
}

/** Where a policy is to be written, and the file's whole new text: in place where it is, else in a file of its own. */
export function placeFor(dataDir: string, current: LoadedPolicy | undefined, next: LoadedPolicy): SavedFile {
  const folder = policiesFolder(dataDir);
  const { id, text } = next.policy;
  const file = current?.policy.file;
  if (file !== undefined && dirname(file) === folder) {
    const before = readPolicyFile(file).text;
    const after = before === undefined ? undefined : withDocument(before, id, text);
    if (after !== undefined) return { file, before, after };
  }
  const own = join(folder, `${id}.yml`);
  if (existsSync(own))
    throw new PolicyRefusedError(
      `${own} is in the way: it is not this policy, or it has a mistake`,
      'mend that file, give it another name or remove it',
    );
  return { file: own, before: undefined, after: text };
}

/** Writes the file, whole or not at all. */
export function writeDraft({ file, after }: SavedFile): void {
  replaceFile(file, after);
}

/** How a text differs from what is in force. */
export function differenceOf(
  text: string,
  inForce: { version: VersionState; loaded: LoadedPolicy } | undefined,
  compile: ExpressionCompiler,
): PolicyDifferenceJson {
  const lines = lineDifference(inForce?.loaded.policy.text ?? '', canonicalText(text));
  if (!inForce) return { lines: lines.filter(({ kind }) => kind === 'added') };
  const { version, hash, state } = inForce.version;
  const [next] = parsePolicies('policy', text, compile).policies;
  const result: PolicyDifferenceJson = { against: { version, hash, state }, lines };
  if (next) result.meaning = meaningDifference(inForce.loaded, next);
  return result;
}

/** Texts to begin with: those that come with Sentinel, and templates. */
export function templates(compile: ExpressionCompiler): PolicyTemplateJson[] {
  const folder = policiesDir();
  const starters = loadPolicyFiles(folder ? readPolicyFolder(folder) : [], compile).policies;
  return [
    ...TEMPLATES.map((template) => ({ ...template, kind: 'template' as const })),
    ...starters.map(({ policy: { id, title, text } }) => ({ id, kind: 'starter' as const, title, text })),
  ];
}

/** A policy's text with an exception for an event. @throws PolicyRefusedError for conditions that are none. */
export function exceptionDraft(
  loaded: LoadedPolicy,
  event: SentinelEvent,
  asked: Omit<ExceptionText, 'when'> & { conditions?: readonly string[] | undefined },
  versions: readonly VersionState[],
  compile: ExpressionCompiler,
): PolicyExceptionDraft {
  const candidates = exceptionCandidates(event, compile);
  const narrowest = candidates.filter((each) => each.asked).map(({ when }) => when);
  const conditions = [...(asked.conditions ?? narrowest)];
  if (conditions.length === 0)
    throw new PolicyRefusedError('the event has nothing to except it by', 'write the exception by hand');
  const when =
    conditions.length === 1 ? conditions[0]! : conditions.map((each) => grouped(each)).join(' && ');
  let holds: boolean;
  try {
    holds = compile(when).test(event) === true;
  } catch (error) {
    throw new PolicyRefusedError(`conditions: ${(error as Error).message}`, 'choose among the candidates');
  }
  const { owner, reason, expires } = asked;
  const text = withException(loaded.policy.text, { when, owner, reason, expires });
  const next = numbered(onePolicy(text, compile), versions, compile);
  return {
    id: loaded.policy.id,
    eventId: String(event.eventId),
    candidates,
    conditions,
    when,
    base: loaded.policy.hash,
    text: next.policy.text,
    hash: next.policy.hash,
    version: next.policy.version,
    excepts: holds && loaded.when.test(event) === true,
  };
}

/** Brackets around what `&&` would take apart. */
function grouped(condition: string): string {
  return /\|\||\?/.test(condition) ? `(${condition})` : condition;
}
