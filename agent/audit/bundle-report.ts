/** What verifying an audit bundle takes and tells. */
import type { SignatureVerifier } from '../identity/identity.ts';
import type { Checkpoint } from './checkpoint.ts';

export interface BundleFinding {
  kind:
    | 'not_a_bundle'
    | 'frame_damaged'
    | 'frame_missing'
    | 'frame_misplaced'
    | 'cut'
    | 'trailing_bytes'
    | 'piece_changed'
    | 'closing_invalid'
    | 'header_damaged'
    | 'foreign_segment'
    | 'commit_damaged'
    | 'commit_missing'
    | 'commit_repeated'
    | 'record_damaged'
    | 'numbers_broken'
    | 'chain_broken'
    | 'checkpoint_invalid'
    | 'checkpoint_mismatch'
    | 'gap_invalid'
    | 'policy_changed'
    | 'policy_missing'
    | 'tail_cut'
    | 'start';
  /** `note`: worth knowing, and does not make the bundle fail. */
  level: 'error' | 'note';
  /** Byte of the file. */
  offset: number;
  frame?: number;
  lane?: string;
  commitNo?: number;
  /** First and last record it is about. What was changed lies within. */
  fromSeq?: number;
  toSeq?: number;
  detail: string;
}

export interface BundleVerifyOptions {
  /** Keys that are trusted, from elsewhere. Without them the key in the bundle is taken at its word. */
  verifier?: SignatureVerifier;
  /** Makes a verifier of the keys found in the bundle. */
  verifierOf: (pems: readonly string[]) => SignatureVerifier;
  /** Checkpoints that were kept elsewhere; `source` is named in findings. */
  checkpoints?: readonly { source: string; checkpoint: Checkpoint }[];
  /** Findings kept; further ones are only counted. Default 1000. */
  maxFindings?: number;
}

export interface LaneReport {
  lane: string;
  segments: number;
  commits: number;
  records: number;
  firstSeq: number;
  lastSeq: number;
  firstCommit: number;
  lastCommit: number;
  checkpoints: number;
  /** Records up to this one are covered by a checkpoint in the log or a valid closing; 0 for none. */
  coveredUpToSeq: number;
}

export interface GapTotal {
  lane: string;
  cause: string;
  gaps: number;
  /** Records stated as lost; gaps whose number is not known add nothing. */
  records: number;
  /** Gaps whose number is not known. */
  unknown: number;
  fromNs: string;
  toNs: string;
}

export interface BundleReport {
  file: string;
  /** No finding of level error. */
  ok: boolean;
  deviceId: string;
  createdNs: string;
  keyId: string;
  /** The signatures were checked with keys from elsewhere. */
  keyFromElsewhere: boolean;
  /** What the bundle was made for, as its signed opening says. */
  selection?: { query: string; records: number };
  frames: number;
  bytes: number;
  lanes: LaneReport[];
  decisions: number;
  policies: number;
  /** Policies that decisions name and whose text is not in the bundle. */
  unknownPolicies: string[];
  gaps: GapTotal[];
  /** Of a range: gaps in it that were stated only after it, so that their records are not here; the closing has them, signed. */
  laterGaps: {
    seq: number;
    statedNs: string;
    lane: string;
    cause: string;
    count?: number;
    fromNs: string;
    toNs: string;
  }[];
  /** Checkpoints from elsewhere that the bundle agrees with. */
  checkpointsMet: number;
  findings: BundleFinding[];
  findingCount: number;
}
