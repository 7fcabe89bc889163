/** Opened indexes of documents and of whole files, as sources of the scanner. */
import { basename } from 'node:path';
import type { DlpSource, NativeOpenedDocuments } from '../../native-addon/dlp.ts';
import type { NamedSource } from './engine.ts';
import type { IndexInfo } from './types.ts';

/** What an opened index reports. A document is named as it was when the index was built. */
export function documentsOf(
  source: DlpSource,
  native: NonNullable<NativeOpenedDocuments['info']>,
  file: Pick<IndexInfo, 'path' | 'keyId' | 'signer' | 'signature'>,
): NamedSource & { info(): IndexInfo } {
  const name = basename(file.path).replace(/\.sdlp$/, '');
  const kind = native.wholeFiles ? 'file' : 'document';
  const info = (): IndexInfo => ({
    ...file,
    format: native.wholeFiles ? 'files' : 'documents',
    name,
    version: 1,
    bytes: native.bytes,
    rows: native.names.length,
    entries: native.entries,
    createdMs: native.createdMs,
    ageMs: Date.now() - native.createdMs,
    prefilterRate: native.prefilterRate,
    fields: [],
    match: { secondary: 0, withinTokens: 0 },
  });
  return {
    source,
    info,
    toMatch: (hit) => ({
      index: name,
      rule: kind,
      kind,
      type: native.names[hit.ref] ?? String(hit.ref),
      count: hit.count,
      offset: hit.offset,
      length: hit.length,
      confidence: Math.round(hit.confidence * 100) / 100,
      containment: Math.round(hit.containment * 10_000) / 10_000,
    }),
  };
}
