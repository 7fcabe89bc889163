/** Builds indexes in a folder of its own, for tests and benches. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildIndex, type BuildReport } from '../../agent/dlp/index-build.ts';
import { openIndex } from '../../agent/dlp/index-open.ts';
import type { NamedSource } from '../../agent/dlp/engine.ts';
import type { IndexSchema } from '../../agent/dlp/schema.ts';
import type { DlpMatch, IndexInfo } from '../../agent/dlp/types.ts';
import type { NativeDlpResult, NativeDlpScanner } from '../../native-addon/dlp.ts';
import { loadDlp } from '../../native-addon/index.ts';
import { csvCell } from './tables.ts';

export const KEY = Buffer.alloc(32, 7);
const { privateKey } = generateKeyPairSync('ed25519');
export const SIGNER = {
  keyId: '0011223344556677',
  sign: (bytes: Uint8Array) => sign(null, bytes, privateKey).toString('base64'),
};

export function schemaOf(given: Partial<IndexSchema> & Pick<IndexSchema, 'fields'>): IndexSchema {
  return {
    name: 'test',
    secondary: 0,
    withinTokens: 24,
    sameRow: false,
    delimiter: ',',
    dates: 'auto',
    ...given,
  };
}

export interface BuiltIndex {
  dir: string;
  path: string;
  report: BuildReport;
  source: NamedSource & { info(): IndexInfo };
  scanner: NativeDlpScanner;
  remove(): void;
}

/** Builds and opens an index over `rows`, or over the finished table at `csvPath`. */
export async function builtIndex(
  schema: IndexSchema,
  rows: readonly (readonly string[])[] | { csvPath: string },
): Promise<BuiltIndex> {
  const dir = mkdtempSync(join(tmpdir(), 'sentinel-dlp-'));
  let csvPath = join(dir, 'table.csv');
  if ('csvPath' in rows) csvPath = rows.csvPath;
  else {
    const lines = [schema.fields.map(({ column }) => column), ...rows];
    writeFileSync(csvPath, lines.map((cells) => `${cells.map(csvCell).join(schema.delimiter)}\r\n`).join(''));
  }
  const path = join(dir, 'index.sdlp');
  const report = await buildIndex({
    schema,
    csvPath,
    outPath: path,
    key: KEY,
    signer: SIGNER,
    strict: false,
  });
  const source = await openIndex({ path, keys: [KEY] });
  const native = loadDlp();
  if (!native.ok) throw new Error(native.reason);
  const scanner = new native.addon.DlpScanner([source.source]);
  return { dir, path, report, source, scanner, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** An index of rows of a 13-digit number and what must stand near it. */
export function builtBeside(
  beside: { column: string; type: IndexSchema['fields'][number]['type'] },
  withinTokens: number,
  rows: readonly (readonly string[])[],
): Promise<BuiltIndex> {
  const fields: IndexSchema['fields'] = [
    { column: 'number', role: 'primary', type: 'number' },
    { ...beside, role: 'secondary' },
  ];
  return builtIndex(schemaOf({ fields, secondary: 1, withinTokens }), rows);
}

/** Scans bytes cut at `cuts`. */
export async function scanPieces(
  scanner: NativeDlpScanner,
  bytes: Buffer,
  cuts: readonly number[] = [],
  portable = false,
): Promise<NativeDlpResult> {
  const stream = scanner.stream({ maxBytes: 0, deadlineMs: 0, maxHits: 10_000_000, portable });
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    if (cut > at) await stream.feed(bytes.subarray(at, cut));
    at = Math.max(at, cut);
  }
  return await stream.finish();
}

/** `row:column:offset:length` of each, as the naive matcher writes it. */
export function told(built: BuiltIndex, result: NativeDlpResult): Set<string> {
  const matches = result.hits
    .map((hit) => built.source.toMatch(hit))
    .filter((match): match is DlpMatch => match !== undefined);
  return new Set(matches.map(({ rowRef, rule, offset, length }) => `${rowRef}:${rule}:${offset}:${length}`));
}
