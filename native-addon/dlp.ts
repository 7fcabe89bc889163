/** The native DLP scanner (sentinel_dlp.node): typed surface of src/dlp/binding.cc. */

/** Something that finds: an opened index, a set of patterns, documents, a list of files. Opaque. */
export type DlpSource = object & { readonly __dlpSource: never };

/** One kind of finding in one stream. Offsets and lengths are bytes of the stream before decoding. */
export interface NativeDlpHit {
  /** Position in the list of sources the scanner was made with. */
  source: number;
  /** 0 field of a row, 1 document, 2 pattern, 3 whole file. */
  kind: 0 | 1 | 2 | 3;
  /** Column, pattern number. */
  field: number;
  offset: number;
  length: number;
  /** Row, document, entry of the list. */
  ref: number;
  confidence: number;
  /** How often. */
  count: number;
  /** Bit per column of the same row that was found near. */
  secondaries: number;
  containment: number;
}

export interface NativeDlpResult {
  outcome: 'ok' | 'aborted' | 'time' | 'too_large' | 'changed' | 'unreadable';
  /** The system's words for unreadable. */
  detail: string;
  bytes: number;
  hits: NativeDlpHit[];
  /** Found, but not listed, because there were more than maxHits. */
  unlisted: number;
}

/** Bytes that come piece by piece, in any pieces. One call at a time; what is fed after finish() is the next stream. */
export interface NativeDlpStream {
  /** Scans on the pool; the buffer must stay as it is until the promise resolves. */
  feed(bytes: Uint8Array): Promise<void>;
  finish(): Promise<NativeDlpResult>;
}

export interface NativeDlpScan {
  /** 0 for no limit. */
  maxBytes: number;
  /** 0 for no limit. */
  deadlineMs: number;
  maxHits: number;
  /** The scan stops when another thread sets the first element. */
  abort?: Int32Array;
  /** At a lower priority than other work, where the process may raise it again afterwards. */
  background?: boolean;
  /** Never use the CPU's vector instructions (tests). */
  portable?: boolean;
}

/** A set of sources to scan for. Any number of scans may run side by side. */
export interface NativeDlpScanner {
  /** Reads a regular file from its start, anything else from where it stands, on the pool. */
  scanFd(fd: number, options: NativeDlpScan): Promise<NativeDlpResult>;
  stream(options: NativeDlpScan): NativeDlpStream;
}

/** A pattern rule as src/dlp/patterns_binding.cc reads it. */
export interface NativePatternRule {
  what: 'number' | 'secret' | 'automaton';
  /** Name of the number or secret. */
  kind: string;
  plain: number;
  grouped: number;
  inContext: number;
  groupings: number[][];
  context: string[];
  withinTokens: number;
  minCount: number;
  minConfidence: number;
  wholeWord: boolean;
}

/** Triples of nodes and sets of bytes, see src/dlp/automaton.h. */
export interface NativeAutomaton {
  nodes: Uint32Array;
  sets: Uint8Array;
  starts: Uint32Array;
}

/** What an index says of itself once it is open. */
export interface NativeIndexInfo {
  name: string;
  bytes: number;
  createdMs: number;
  rows: number;
  entries: number;
  combinations: number;
  prefilterRate: number;
  secondary: number;
  withinTokens: number;
  sameRow: boolean;
  fields: { column: string; type: string; role: 'primary' | 'secondary'; combined: boolean }[];
}

export interface NativeOpenedIndex {
  error: '' | 'unreadable' | 'not_an_index' | 'version' | 'truncated' | 'wrong_key' | 'corrupt';
  detail: string;
  info?: NativeIndexInfo;
  source?: DlpSource;
}

export interface NativeIndexBuild {
  csvFd: number;
  /** Empty; receives header and body, but no signature. */
  outFd: number;
  /** For files without a name that hold hashes while the build goes on. */
  tempDir: string;
  strict: boolean;
  delimiter: string;
  createdMs: number;
  key: Uint8Array;
  salt: Uint8Array;
  schema: {
    name: string;
    fields: { column: string; role: 'primary' | 'secondary'; type: string }[];
    secondary: number;
    withinTokens: number;
    sameRow: boolean;
    /** 0 must be clear, 1 day first, 2 month first. */
    dates: 0 | 1 | 2;
  };
}

export interface NativeBuildReport {
  /** '' when there is an index. */
  error: string;
  remedy: string;
  rows: number;
  indexedRows: number;
  badRows: number;
  rowsWithoutPrimary: number;
  rowsWithoutSecondary: number;
  duplicateRows: number;
  entries: number;
  combinations: number;
  droppedOverLimit: number;
  bad: { row: number; line: number; column: string; problem: string; remedy: string }[];
}

export interface NativeBuilding {
  done: Promise<NativeBuildReport>;
  progress(): { bytesRead: number; totalBytes: number; rows: number; partitions: number };
  cancel(): void;
}

/** Collects protected documents, or hashes of files; see src/dlp/document_build.h. Works in the caller's thread. */
export interface NativeDocumentBuilder {
  /** Without a name: boilerplate. */
  begin(name?: string): void;
  feed(bytes: Uint8Array): void;
  /** The end of a file, or of a member of a container: both are parts of the document that began. */
  endStream(): void;
  addHash(blake3: Uint8Array, name: string): void;
  write(fd: number, createdMs: number): NativeDocumentReport;
}

export interface NativeDocumentReport {
  /** '' when there is an index. */
  error: string;
  documents: number;
  /** Counted once per document; kept ones once per index. */
  windows: number;
  kept: number;
  boilerplate: number;
  common: number;
  each: { characters: number; windows: number; kept: number }[];
}

export interface NativeOpenedDocuments extends Pick<NativeOpenedIndex, 'error' | 'detail' | 'source'> {
  info?: {
    wholeFiles: boolean;
    bytes: number;
    createdMs: number;
    entries: number;
    prefilterRate: number;
    names: string[];
  };
}

export interface DlpAddon {
  abi: number;
  /** @throws TypeError for rules or automata that are not sound. */
  patternSource(
    rules: readonly NativePatternRule[],
    forward: NativeAutomaton,
    backward: NativeAutomaton,
  ): DlpSource;
  /** Reads and checks every byte, on the pool. */
  /** `all`: a hit names every secondary that is near, not only as many as make it one. */
  openIndex(path: string, key: Uint8Array, all: boolean): Promise<NativeOpenedIndex>;
  buildIndex(options: NativeIndexBuild): NativeBuilding;
  /** Completes a signed header of 256 bytes, so that no bit of it can be changed without the key. */
  sealIndexHeader(header: Uint8Array, key: Uint8Array): void;
  /** First 8 bytes of a hash of the key, hex. */
  keyId(key: Uint8Array): string;
  /** `key` and `salt` have 32 bytes. */
  DlpDocumentBuilder: new (key: Uint8Array, salt: Uint8Array) => NativeDocumentBuilder;
  /** Reads and checks every byte, on the pool. */
  openDocuments(path: string, key: Uint8Array): Promise<NativeOpenedDocuments>;
  DlpScanner: new (sources: readonly DlpSource[]) => NativeDlpScanner;
}
