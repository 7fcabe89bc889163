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
import { printable } from '../printable.ts';
import { readText } from './read-text.ts';
import { count, counted, progressLine, size } from './terminal.ts';

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
      if (skipped) output.err(`${printable(path)}: not protected: ${skipped.reason}\n`);
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
        : `${printable(values.out)}: ${counted(report.files, 'whole file')} protected, ${size(report.bytes)}\n`,
    );
    if (!values.json && report.empty > 0)
      output.out(
        `left out: ${counted(report.empty, 'empty file')}, which any empty file would be taken for\n`,
      );
    return 0;
  }
  const cancel = new AbortController();
  const onSignal = (): void => cancel.abort();
  process.once('SIGINT', onSignal);
  const progress = progressLine(output);
  const startedMs = performance.now();
  try {
    const report = await buildDocumentIndex({
      ...target,
      documents: filesOf(values.documents ?? [], output),
      boilerplate: filesOf(values.boilerplate ?? [], output),
      extract: extractorWith(),
      signal: cancel.signal,
      onProgress: ({ documents, bytes }) => {
        const rate = (bytes / Math.max(1, performance.now() - startedMs)) * 1000;
        progress.show(`${counted(documents, 'document')}, ${size(bytes)}, ${size(rate)}/s`);
      },
    });
    progress.end();
    if (values.json) {
      output.out(`${JSON.stringify({ out: values.out, ...report })}\n`);
      return 0;
    }
    const problems = report.each.filter(({ problem }) => problem !== undefined);
    for (const { name, problem } of problems.slice(0, SHOWN_PROBLEMS))
      output.err(`${printable(name)}: ${problem}\n`);
    if (problems.length > SHOWN_PROBLEMS) output.err(`${problems.length} documents with problems in all\n`);
    output.out(
      `${printable(values.out)}: ${counted(report.documents, 'document')} protected, ${counted(report.kept, 'fingerprint')}, ${size(report.bytes)}\n`,
    );
    if (report.boilerplate + report.common > 0)
      output.out(
        `not protected: ${counted(report.boilerplate, 'fingerprint')} of boilerplate, ${count(report.common)} common to several documents\n`,
      );
    return 0;
  } finally {
    progress.end();
    process.removeListener('SIGINT', onSignal);
  }
}
