/** `sentinel dlp index build --documents DIR` and `--hashes LIST`. */
import { basename, relative } from 'node:path';
import { statSync } from 'node:fs';
import { buildDocumentIndex, buildFileIndex, type DocumentFile } from '../dlp/documents-build.ts';
import { extractorWith } from '../dlp/extract/extractor.ts';
import { defaultKeyPath, readOrMakeKey } from '../dlp/keys.ts';
import { fromSystemError } from '../errors.ts';
import { openIdentity } from '../identity/identity.ts';
import type { Output } from './command.ts';
import { findFiles } from './dlp-files.ts';
import { readText } from './read-text.ts';

const SHOWN_PROBLEMS = 20;

export interface BuildDocumentsValues {
  out: string;
  documents?: string[];
  boilerplate?: string[];
  hashes?: string;
  key?: string;
  json?: boolean;
}

/** Files below `paths`, named as seen from there; what cannot be read is told and left out. */
function* filesOf(paths: readonly string[], output: Output): Generator<DocumentFile> {
  for (const base of paths) {
    let folder: boolean;
    try {
      folder = statSync(base).isDirectory();
    } catch (error) {
      throw fromSystemError(error, 'read the documents', base);
    }
    for (const { path, skipped } of findFiles([base])) {
      if (skipped) output.err(`${path}: not protected: ${skipped.reason}\n`);
      else yield { path, name: folder ? relative(base, path) : basename(path) };
    }
  }
}

export async function buildDocuments(
  values: BuildDocumentsValues,
  dataDir: string,
  output: Output,
): Promise<number> {
  const key = readOrMakeKey(values.key ?? defaultKeyPath(dataDir));
  const target = { outPath: values.out, key, signer: openIdentity(dataDir) };
  if (values.hashes !== undefined) {
    const report = buildFileIndex(readText(values.hashes, 'read the hashes'), values.hashes, target);
    output.out(
      values.json
        ? `${JSON.stringify({ out: values.out, ...report })}\n`
        : `${values.out}: ${report.files} files protected, ${report.bytes} bytes\n`,
    );
    return 0;
  }
  const cancel = new AbortController();
  const onSignal = (): void => cancel.abort();
  process.once('SIGINT', onSignal);
  const live = process.stderr.isTTY;
  const startedMs = performance.now();
  try {
    const report = await buildDocumentIndex({
      ...target,
      documents: filesOf(values.documents ?? [], output),
      boilerplate: filesOf(values.boilerplate ?? [], output),
      extract: extractorWith(),
      signal: cancel.signal,
      onProgress: ({ documents, bytes }) => {
        const rate = bytes / 1000 / Math.max(1, performance.now() - startedMs);
        if (live)
          output.err(
            `\r\u001B[K${documents} documents, ${(bytes / 1e6).toFixed(1)} MB, ${rate.toFixed(1)} MB/s`,
          );
      },
    });
    if (live) output.err('\r\u001B[K');
    if (values.json) {
      output.out(`${JSON.stringify({ out: values.out, ...report })}\n`);
      return 0;
    }
    const problems = report.each.filter(({ problem }) => problem !== undefined);
    for (const { name, problem } of problems.slice(0, SHOWN_PROBLEMS)) output.err(`${name}: ${problem}\n`);
    if (problems.length > SHOWN_PROBLEMS) output.err(`${problems.length} documents with problems in all\n`);
    output.out(
      `${values.out}: ${report.documents} documents, ${report.kept} fingerprints kept, ${report.boilerplate} of boilerplate and ` +
        `${report.common} common to several documents left out, ${report.bytes} bytes\n`,
    );
    return 0;
  } finally {
    process.removeListener('SIGINT', onSignal);
  }
}
