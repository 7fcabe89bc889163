/**
 * Opens the engine over the indexes and rules in force. Everything that only it needs is loaded here, when it is needed:
 * an agent without an index pays for none of it.
 */
import type { NamedSource } from './dlp/engine.ts';
import type { IndexRule } from './dlp/index-rules.ts';
import type { PatternRules } from './dlp/rules.ts';
import type { ExtractLimits } from './dlp/extract/limits.ts';
import { SentinelError } from './errors.ts';
import { indexProblem, type EngineOpener, type IndexProblem } from './dlp-indexes.ts';

/**
 * An opener for the agent of `dataDir`: indexes are opened with the device's key and `keys`, and have to be signed by
 * this device or by one of `trust`. What does not open is told, and takes nothing else with it.
 */
export function dlpOpener(
  dataDir: string,
  keys: readonly string[],
  trust: readonly string[],
  limits: Partial<ExtractLimits>,
): EngineOpener {
  return async (indexes, rules) => {
    const [
      { createEngine },
      { openIndex },
      { extractorWith },
      patterns,
      { parsePatternRules },
      cli,
      { readText },
      narrowing,
    ] = await Promise.all([
      import('./dlp/engine.ts'),
      import('./dlp/index-open.ts'),
      import('./dlp/extract/extractor.ts'),
      import('./dlp/patterns.ts'),
      import('./dlp/rules.ts'),
      import('./cli/dlp-index.ts'),
      import('./cli/read-text.ts'),
      import('./dlp/index-rules.ts'),
    ]);
    const sources: NamedSource[] = [];
    const problems: IndexProblem[] = [];
    const attempt = async (work: () => NamedSource | Promise<NamedSource>): Promise<void> => {
      try {
        sources.push(await work());
      } catch (error) {
        problems.push(indexProblem(error));
      }
    };
    const files: PatternRules[] = [];
    for (const file of rules)
      try {
        files.push(parsePatternRules(readText(file, 'read the rules'), file));
      } catch (error) {
        problems.push(indexProblem(error));
      }
    const allSecondaries = files.some((file) => file.indexRules.some(({ kind }) => kind === 'row'));
    for (const path of indexes)
      await attempt(() => {
        const known = [
          ...cli.keysOf(undefined, dataDir),
          ...(keys.length > 0 ? cli.keysOf(keys, dataDir) : []),
        ];
        return openIndex({
          path,
          keys: known,
          ...cli.trustOf(trust, dataDir),
          requireTrusted: true,
          allSecondaries,
        });
      });
    const infos = sources.flatMap((source) => source.info?.() ?? []);
    const indexRules: IndexRule[] = [];
    for (const rule of files.flatMap((file) => file.indexRules)) {
      const wrong = narrowing.indexRuleProblems([rule], infos);
      // A rule that cannot be applied narrows nothing: more is found, not less.
      if (wrong.length === 0) indexRules.push(rule);
      for (const problem of wrong)
        problems.push(indexProblem(new SentinelError('dlp_rules', problem, 'change the rules file')));
    }
    for (const file of files)
      if (file.rules.length > 0) await attempt(() => patterns.createPatternSource(file));
    return sources.length === 0
      ? { problems }
      : { engine: createEngine(sources, extractorWith(limits), indexRules), problems };
  };
}
