/**
 * Keeps what V8 compiles of the extraction child's scripts beside them: `reader-cache.ts OUT`. Samples are read first, so
 * that it is all that such files need. Called by the bundler.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { cacheFor, loadedScripts, loadScript } from '../agent/dlp/extract/cached-script.ts';
import type { readPdf } from '../agent/dlp/extract/pdf.ts';
import { withDefaults } from '../agent/dlp/extract/limits.ts';
import { bufferSource } from '../agent/dlp/extract/source.ts';
import type { extractSource } from '../agent/dlp/extract/visit.ts';
import { samples } from './reader-samples.ts';

const directory = resolve(process.argv[2] ?? 'out/agent');
loadScript(directory, 'dlp-extract-reader.cjs');
const visit = loadScript(directory, 'dlp-extract-visit.cjs') as { extractSource: typeof extractSource };
const pdf = loadScript(directory, 'dlp-extract-pdf.cjs') as { readPdf: typeof readPdf };

for (const [name, bytes] of Object.entries(samples())) {
  let text = 0;
  const sink = (_member: string, chunk: Buffer): void => void (text += chunk.length);
  const told = await visit.extractSource(bufferSource(bytes), withDefaults(), sink, { pdf: pdf.readPdf });
  if (told.outcome !== 'ok' || text < 200)
    throw new Error(
      `the sample ${name} is not read any more: ${told.outcome} ${told.reason ?? ''}, ${text} bytes`,
    );
}
for (const [path, loaded] of loadedScripts) {
  writeFileSync(`${path}.new`, cacheFor(loaded));
  renameSync(`${path}.new`, `${path}.cache`);
}
