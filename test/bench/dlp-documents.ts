/** Looking for documents and for patterns: speed by kind of text, beside the figures of tables. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createPatternSource } from '../../agent/dlp/patterns.ts';
import { parsePatternRules } from '../../agent/dlp/rules.ts';
import { loadDlp } from '../../native-addon/index.ts';
import type { DlpSource } from '../../native-addon/dlp.ts';
import type { Corpus } from './dlp-corpora.ts';
import { bestSpeed } from './dlp-rates.ts';
import type { Figure } from './figure.ts';

/** Letters and digits for each fingerprint, nearly: one of 64 is chosen, twice as often as that by chance. */
const CHARACTERS_PER_WINDOW = 33;
const RULES = `[${['card', 'iban', 'us_ssn', 'email', 'private_key', 'github_token']
  .map((pattern) => `{id: ${pattern}, pattern: ${pattern}, minConfidence: 0.9}`)
  .join(', ')}]`;

/** A source of about `windows` fingerprints of random text. */
async function randomDocuments(dir: string, windows: number): Promise<DlpSource> {
  const native = loadDlp();
  if (!native.ok) throw new Error(native.reason);
  const key = randomBytes(32);
  const builder = new native.addon.DlpDocumentBuilder(key, randomBytes(32));
  builder.begin('random');
  for (let left = windows * CHARACTERS_PER_WINDOW; left > 0; left -= 1 << 20)
    builder.feed(Buffer.from(randomBytes(1 << 19).toString('hex')));
  builder.endStream();
  const path = join(dir, 'documents.sdlp');
  const fd = openSync(path, 'w+');
  const { error } = builder.write(fd, Date.now());
  if (error) throw new Error(error);
  const header = Buffer.alloc(256);
  readSync(fd, header, 0, header.length, 0);
  native.addon.sealIndexHeader(header, key);
  writeSync(fd, header, 0, header.length, 0);
  closeSync(fd);
  const opened = await native.addon.openDocuments(path, key);
  rmSync(path);
  if (!opened.source) throw new Error(opened.error);
  return opened.source;
}

/** Speed of documents and patterns on each corpus. */
export async function documentFigures(
  dir: string,
  corpora: readonly Corpus[],
  windows: number,
  rounds: number,
): Promise<Figure[]> {
  const native = loadDlp();
  if (!native.ok) throw new Error(native.reason);
  const { DlpScanner } = native.addon;
  const kinds: [name: string, source: DlpSource][] = [
    [`documents, ${windows / 1000}k fingerprints`, await randomDocuments(dir, windows)],
    ['six patterns', createPatternSource(parsePatternRules(RULES, 'bench.yml')).source],
  ];
  const figures: Figure[] = [];
  for (const [name, source] of kinds) {
    const scanner = new DlpScanner([source]);
    for (const corpus of corpora) {
      const value = Math.round(await bestSpeed(scanner, corpus, rounds));
      figures.push({
        bench: 'dlp',
        metric: `${corpus.name}, ${name}`,
        value,
        unit: 'MB/s of a core',
        ok: true,
      });
    }
  }
  return figures;
}
