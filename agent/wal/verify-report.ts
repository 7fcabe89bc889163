/** What verifying a log takes and tells. */
export const FINDING_KINDS = [
  'header_copy',
  'header_lost',
  'foreign_segment',
  'unreadable_segment',
  'missing_segment',
  'commit_damaged',
  'record_damaged',
  'chain_broken',
  'numbers_broken',
  'checkpoint_invalid',
  'checkpoint_mismatch',
  'gap_invalid',
  'torn_tail',
  'trailing_bytes',
] as const;

export interface WalFinding {
  kind: (typeof FINDING_KINDS)[number];
  /** `note`: expected after a crash or a failed write; does not make the report fail. */
  level: 'error' | 'note';
  segment: number;
  /** Byte inside the (uncompressed) segment. */
  offset: number;
  commitNo?: number;
  seq?: number;
  detail: string;
}

export interface WalCheckpointCheck {
  lane: string;
  upToSeq: number;
  commitNo: number;
  /** Hex. */
  chain: string;
  valid: boolean;
}

export interface VerifyOptions {
  /** Reads a checkpoint record and checks its signature; undefined if the payload is not a checkpoint. */
  checkCheckpoint?: (payload: Buffer) => WalCheckpointCheck | undefined;
  /** Whether a gap record is signed by a known key. */
  checkGap?: (payload: Buffer) => boolean;
  /** Findings kept; further ones are only counted. Default 1000. */
  maxFindings?: number;
}

export interface VerifyReport {
  dir: string;
  /** No finding of level error. */
  ok: boolean;
  lane: string;
  segments: number;
  compressedSegments: number;
  bytes: number;
  commits: number;
  records: number;
  /** 0 for an empty log. */
  firstSeq: number;
  lastSeq: number;
  epochs: number;
  checkpoints: number;
  gaps: number;
  /** Records up to this one are covered by a valid checkpoint signature; 0 for none. */
  coveredUpToSeq: number;
  /** The log ends with a closing commit. */
  cleanShutdown: boolean;
  findings: WalFinding[];
  /** All findings, also those not kept. */
  findingCount: number;
}
