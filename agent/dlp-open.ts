/**
 * Opens the engine over the indexes and rules in force. Everything that only it needs is loaded here, when it is needed:
 * an agent without an index pays for none of it.
 */
import type { NamedSource } from './dlp/engine.ts';
import type { ExtractLimits } from './dlp/extract/limits.ts';
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
    ] = await Promise.all([
      import('./dlp/engine.ts'),
      import('./dlp/index-open.ts'),
      import('./dlp/extract/extractor.ts'),
      import('./dlp/patterns.ts'),
      import('./dlp/rules.ts'),
      import('./cli/dlp-index.ts'),
      import('./cli/read-text.ts'),
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
    for (const path of indexes)
      await attempt(() => {
        const known = [
          ...cli.keysOf(undefined, dataDir),
          ...(keys.length > 0 ? cli.keysOf(keys, dataDir) : []),
        ];
        return openIndex({ path, keys: known, ...cli.trustOf(trust, dataDir), requireTrusted: true });
      });
    for (const file of rules)
      await attempt(() =>
        patterns.createPatternSource(parsePatternRules(readText(file, 'read the rules'), file)),
      );
    return sources.length === 0
      ? { problems }
      : { engine: createEngine(sources, extractorWith(limits)), problems };
  };
}
