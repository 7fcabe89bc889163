/** Opens indexes for scanning: the right key of several, every byte checked, the signature judged. */
import { loadDlp } from '../../native-addon/index.ts';
import type { NativeDlpHit, NativeIndexInfo, NativeOpenedIndex } from '../../native-addon/dlp.ts';
import { SentinelError } from '../errors.ts';
import { documentsOf } from './documents.ts';
import type { NamedSource } from './engine.ts';
import { readIndexHeader, type IndexHeader } from './index-header.ts';
import type { DlpMatch, FieldType, IndexInfo } from './types.ts';

const REFUSALS: Readonly<
  Record<Exclude<NativeOpenedIndex['error'], ''>, readonly [words: string, remedy: string]>
> = {
  unreadable: ['cannot be read', 'check its permissions'],
  not_an_index: ['is not an index', 'name a file made by sentinel dlp index build'],
  version: ['has a format this version does not know', 'build it again, or update Sentinel'],
  truncated: ['is cut off', 'copy it again, or build it again'],
  wrong_key: ['was made with another key', 'give that key with --key'],
  corrupt: ['was changed after it was made', 'copy it again, or build it again'],
};

export type SignatureJudge = (keyId: string, bytes: Uint8Array, signature: string) => boolean;

export interface OpenIndexOptions {
  path: string;
  /** Tried by their id; an index opened with none of them is refused. */
  keys: readonly Buffer[];
  /** Undefined: nobody is known, so every signature is of an unknown signer. */
  verify?: SignatureJudge;
  /** Ids of the signers that `verify` knows, to tell a false signature from a stranger's. */
  knownSigners?: readonly string[];
  /** Refuse what was not signed by a known signer. */
  requireTrusted?: boolean;
  /** Findings name every secondary that is near, which rules may ask for, not only as many as make them one. */
  allSecondaries?: boolean;
}

function refusal(path: string, code: Exclude<NativeOpenedIndex['error'], ''>, detail: string): SentinelError {
  const [words, remedy] = REFUSALS[code];
  return new SentinelError(code, `the index ${path} ${words}${detail ? ` (${detail})` : ''}`, remedy);
}

function judge(header: IndexHeader, options: OpenIndexOptions): IndexInfo['signature'] {
  if (!options.verify || !(options.knownSigners ?? []).includes(header.signerId)) return 'unknown_signer';
  return options.verify(header.signerId, header.signed, header.signature.toString('base64'))
    ? 'trusted'
    : 'invalid';
}

/**
 * Opens one index.
 * @throws SentinelError that says whether it is the key, the file or the signature, and what to do.
 */
export async function openIndex(options: OpenIndexOptions): Promise<NamedSource & { info(): IndexInfo }> {
  const native = loadDlp();
  if (!native.ok)
    throw new SentinelError(
      'no_scanner',
      `the DLP scanner is not available: ${native.reason}`,
      'run npm run build',
    );
  const { addon } = native;
  const { path, keys } = options;
  const header = readIndexHeader(path);
  if (!header) throw refusal(path, 'not_an_index', '');
  const key = keys.find((one) => addon.keyId(one) === header.keyId);
  if (!key) {
    const given = keys.map((one) => addon.keyId(one)).join(', ') || 'none';
    throw refusal(path, 'wrong_key', `it needs key ${header.keyId}, given: ${given}`);
  }
  const documents = header.format !== 'rows';
  const opened = documents
    ? await addon.openDocuments(path, key)
    : await addon.openIndex(path, key, options.allSecondaries === true);
  if (opened.error !== '' || !opened.source || !opened.info)
    throw refusal(path, opened.error === '' ? 'corrupt' : opened.error, opened.detail);
  const signature = judge(header, options);
  if (signature === 'invalid')
    throw new SentinelError('bad_signature', `the signature of the index ${path} is false`, 'build it again');
  if (options.requireTrusted && signature !== 'trusted') {
    throw new SentinelError(
      'unknown_signer',
      `the index ${path} was signed by ${header.signerId}, whom this device does not trust`,
      "give that signer's public key with --trust",
    );
  }
  const file = { path, keyId: header.keyId, signer: header.signerId, signature };
  return 'names' in opened.info
    ? documentsOf(opened.source, opened.info, file)
    : sourceOf(opened.source, opened.info, file);
}

function sourceOf(
  source: NonNullable<NativeOpenedIndex['source']>,
  native: NativeIndexInfo,
  file: Pick<IndexInfo, 'path' | 'keyId' | 'signer' | 'signature'>,
): NamedSource & { info(): IndexInfo } {
  const { name, fields, secondary, withinTokens } = native;
  const secondaryColumns = fields.map(({ column, role }) => (role === 'secondary' ? column : undefined));
  return {
    source,
    toMatch: (hit: NativeDlpHit): DlpMatch => {
      const field = fields[hit.field];
      const near = secondaryColumns.filter(
        (column, at): column is string => column !== undefined && ((hit.secondaries >>> at) & 1) === 1,
      );
      return {
        index: name,
        rule: field?.column ?? String(hit.field),
        kind: 'row',
        type: field?.type ?? 'unknown',
        count: hit.count,
        offset: hit.offset,
        length: hit.length,
        rowRef: String(hit.ref),
        confidence: Math.round(hit.confidence * 1000) / 1000,
        ...(near.length > 0 && { secondaries: near }),
      };
    },
    info: () => ({
      ...file,
      name,
      version: 1,
      bytes: native.bytes,
      rows: native.rows,
      entries: native.entries + native.combinations,
      createdMs: native.createdMs,
      ageMs: Date.now() - native.createdMs,
      prefilterRate: native.prefilterRate,
      fields: fields.map(({ column, role, type, combined }) => ({
        column,
        role,
        type: type as FieldType,
        ...(combined && { combined }),
      })),
      match: { secondary, withinTokens, ...(native.sameRow && { sameRow: true }) },
    }),
  };
}
