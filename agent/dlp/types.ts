/**
 * What the scanner says about files, and how it is asked. Nothing here ever holds matched text: a match is a type, a
 * place, a row reference and a confidence.
 */

/** Types of fields of a protected table. */
export const FIELD_TYPES = [
  'number',
  'iban',
  'card',
  'ssn',
  'email',
  'words',
  'date',
  'phone',
  'id',
] as const;
export type FieldType = (typeof FIELD_TYPES)[number];

export interface DlpMatch {
  /** Name of the index, or of the set of rules. */
  index: string;
  rule: string;
  kind: 'row' | 'document' | 'pattern' | 'file';
  /** Field type, document reference, pattern id. */
  type: string;
  /** How often the same row and field (document, pattern) was found. */
  count: number;
  /** Bytes into the file (or the member) of the first. */
  offset: number;
  length: number;
  /** Number of the row of the table, counted from 1 after the header. */
  rowRef?: string;
  /** 0 to 1. */
  confidence: number;
  /** Share of the protected document that is there, 0 to 1. */
  containment?: number;
  /** Columns of the same row found near. */
  secondaries?: string[];
  /** Path inside the container. */
  member?: string;
}

export type UnscannableCode =
  | 'encrypted'
  | 'too_large'
  | 'ratio'
  | 'depth'
  | 'time'
  | 'malformed'
  | 'unreadable'
  | 'changed'
  | 'special_file'
  | 'unmounted'
  | 'unsupported';

export interface FileVerdict {
  path: string;
  verdict: 'clean' | 'match' | 'unscannable';
  /** A sentence, for unscannable files and for those that match but could not be read whole. */
  reason?: string;
  reasonCode?: UnscannableCode;
  /** Bytes read. */
  bytes: number;
  /** Files inside a container that were read. */
  members?: number;
  tookMs: number;
  matches: DlpMatch[];
  /** Matches that are counted but not listed, because there were too many. */
  unlisted?: number;
}

export interface ScanOptions {
  signal?: AbortSignal;
  /** A longer file is unscannable: too_large. */
  maxBytes?: number;
  deadlineMs?: number;
  /** Nobody waits for it: other work of the agent and the machine goes first. */
  background?: boolean;
  /** Also look inside containers. Default true where an extractor was given. */
  extract?: boolean;
  /** Matches listed per file; the others are counted. */
  maxMatches?: number;
}

/** What is known of an index without reading it whole. */
export interface IndexInfo {
  path: string;
  /** What is protected: rows of a table, documents, or whole files by their hash. Absent: rows. */
  format?: 'rows' | 'documents' | 'files';
  name: string;
  version: number;
  bytes: number;
  /** Rows (documents, files) that are protected, and values (windows, hashes) by which they are found. */
  rows: number;
  entries: number;
  createdMs: number;
  ageMs: number;
  /** Which key opens it. */
  keyId: string;
  /** Who signed it, and whether that is somebody this device trusts. */
  signer: string;
  signature: 'trusted' | 'unknown_signer' | 'invalid';
  /** Share of unrelated values that pass the first filter, as measured when it was opened. */
  prefilterRate: number;
  fields: { column: string; role: 'primary' | 'secondary'; type: FieldType; combined?: boolean }[];
  /** withinTokens 0: the whole line. */
  match: { secondary: number; withinTokens: number; sameRow?: boolean };
}

export interface DlpEngine {
  info(): IndexInfo[];
  /** Names of indexes and rules that findings can have. */
  names(): { indexes: string[]; rules: string[] };
  /** The descriptor stays the caller's. Never throws for what is in the file: the verdict says it. */
  scanFd(fd: number, path: string, options?: ScanOptions): Promise<FileVerdict>;
  close(): void;
}
