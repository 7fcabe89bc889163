/** The part of the Local API about protected data. Types only; `contract.ts` has the rest and the rules for all. */
import type { EventPage } from './contract-events.ts';

/** What was found in a file, or why it could not be looked at: never the text. See DlpInfo of agent/event.ts. */
export interface DlpJson {
  verdict: string;
  trigger: string;
  destination: string;
  mount?: string;
  reasonCode?: string;
  reason?: string;
  bytes: string;
  members?: number;
  tookMs: number;
  ofEventId: string;
  matches: DlpMatchJson[];
  matchesTotal: number;
  sources?: { path: string; rules: string[]; entityId: string; name: string; tsNs: string }[];
  quarantineId?: string;
}

export interface DlpMatchJson {
  index: string;
  rule: string;
  kind: string;
  type: string;
  count: string;
  offset: string;
  length: string;
  rowRef?: string;
  confidence: number;
  containment?: number;
  secondaries?: string[];
  member?: string;
}

export interface DlpIndexJson {
  file: string;
  name: string;
  /** What is protected: rows of a table, documents, or whole files by their hash. */
  format: 'rows' | 'documents' | 'files';
  bytes: number;
  /** Rows (documents, files) that are protected, and values (fingerprints, hashes) by which they are found. */
  rows: number;
  entries: number;
  createdMs: number;
  keyId: string;
  signature: 'trusted' | 'unknown_signer' | 'invalid';
  /** Share of unrelated values that pass the first filter. */
  prefilterRate: number;
  fields: { column: string; role: string; type: string }[];
}

export interface DlpCoverageJson {
  /** Whether files are looked at as they are written: there is an index or a rule, and the sensor tells of files. */
  watching: boolean;
  /** Why not, when not. */
  reason?: string;
  /** What leads to a look: close_write, rename … */
  triggers: string[];
  /** Media and shares that are mounted now. */
  mounts: {
    path: string;
    kind: 'removable' | 'network_share';
    fileSystem: string;
    source: string;
    why: string;
  }[];
  /** Disks whose files are not looked at as they are written. `why`: disk, or loop (an image; see dlp.loopIsRemovable). */
  notWatched: { path: string; fileSystem: string; why: string }[];
  /** Folders from the settings. */
  watched: string[];
  queue: { waiting: number; running: number; max: number };
  /** Since the agent started. `skipped`: not looked at because too many waited; each is also on record. */
  totals: {
    seen: number;
    looked: number;
    clean: number;
    matched: number;
    unscannable: number;
    gone: number;
    skipped: number;
    cached: number;
  };
  /** Since the agent started: bytes that were read, and how long that took. */
  cost: { bytes: number; tookMs: number };
  cache: { entries: number; hits: number; evictions: number };
  /** Files known to hold protected data, whose opening is noticed. */
  protectedFiles: number;
}

/** How looking for protected data is, for Health. */
export interface DlpHealthJson {
  /** `off`: there is nothing to look for, and the scanner is not loaded. `failed`: there should be. */
  state: 'off' | 'watching' | 'failed';
  /** In force. */
  indexes: number;
  ruleFiles: number;
  /** When the oldest index in force was built. */
  oldestMs?: number;
  /** What is not in force, and why. */
  problems: { what: string; remedy: string }[];
  queue: DlpCoverageJson['queue'];
  totals: DlpCoverageJson['totals'];
  /** Since the agent started: bytes that were read, and how long that took. */
  bytes: number;
  tookMs: number;
  /** Absent: not yet. */
  lastLookNs?: string;
  /** When something was last left out because too many files waited. */
  lastSkippedNs?: string;
}

export interface DlpScanOptions {
  /** Also inside archives, office documents, PDF and mail. Default true. */
  containers: boolean;
  /** Not into what is mounted below the folder. Default true. */
  oneFileSystem: boolean;
}

/** A look at a folder that somebody asked for, waiting, running or done. */
export interface DlpScanJson {
  id: string;
  path: string;
  startedMs: number;
  endedMs?: number;
  options: DlpScanOptions;
  /** `cut`: the agent ended before it did. */
  state: 'waiting' | 'counting' | 'running' | 'done' | 'cancelled' | 'failed' | 'cut';
  /** Why it failed. */
  error?: string;
  files: number;
  bytes: number;
  /** What there is, once it was counted. */
  totalFiles?: number;
  totalBytes?: number;
  matched: number;
  unscannable: number;
  /** What was not looked at: what was left at a cancel, links and special files, folders of other file systems. */
  left: number;
  /** Of these, folders that the agent may not open. */
  refused: number;
  /** The file that is looked at now. */
  current?: string;
  /** True when more matched than are put on record one by one. */
  capped: boolean;
}

export type DlpGroupSort = 'title' | 'files' | 'hits' | 'confidence' | 'containment' | 'last';

/** Findings that have something in common, by one of `rule`, `path` and `process`. */
export interface DlpGroupJson {
  /** Names it among the groups of the same kind. */
  key: string;
  rule?: { index: string; rule: string; kind: string; type: string };
  path?: string;
  /** Absent where no process is known, as for a scan that somebody asked for. */
  process?: { name: string; executable?: string };
  /** Events, different files, and values in them. */
  findings: number;
  files: number;
  /** There are more: too many to be told apart. */
  filesAtLeast?: boolean;
  hits: number;
  /** The highest, 0 to 1. */
  confidence: number;
  /** The largest share of a document, 0 to 1; absent when no document was found. */
  containment?: number;
  destinations: string[];
  firstNs: string;
  lastNs: string;
}

export interface DlpGroupsJson {
  groups: DlpGroupJson[];
  /** Groups there are; findings and values in all of them. */
  total: number;
  findings: number;
  hits: number;
  /** Older findings were not counted. Absent: all were. */
  notBeforeNs?: string;
  /** Findings that are in no group, as there are too many groups. */
  noGroup?: number;
}

export interface DlpQuarantineJson {
  id: string;
  path: string;
  size: number;
  sha256: string;
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: string;
  takenNs: string;
  policy: string;
  eventId: string;
  rules: string[];
  destination: string;
  by: 'move' | 'copy';
  /** Attributes that could not be kept; empty when all were. */
  lost: string;
  /** False: the metadata was changed. It is then not restored. */
  signed: boolean;
}

export interface DlpReadMethods {
  /** What is looked for, and what is watched. */
  'dlp.indexes': {
    params: Record<string, never>;
    result: {
      indexes: DlpIndexJson[];
      /** Files with rules for patterns that are in force. */
      ruleFiles: string[];
      /** What is not in force, and why. */
      problems: { what: string; remedy: string }[];
      coverage: DlpCoverageJson;
    };
  };
  /** Files in which protected data was found, newest first: events of type `dlp`. `query` narrows. */
  'dlp.hits': { params: { query?: string; limit?: number; before?: string }; result: EventPage };
  /** The same put together, over all of them: sorted (downwards unless `up`), the first `limit` groups. */
  'dlp.groups': {
    params: {
      by: 'rule' | 'file' | 'process';
      query?: string;
      sort?: DlpGroupSort;
      up?: boolean;
      limit?: number;
    };
    result: DlpGroupsJson;
  };
  /** Files that could not be looked at, with the reason, and statements of what was skipped. */
  'dlp.unscannable': { params: { query?: string; limit?: number; before?: string }; result: EventPage };
  /** One scan, or the latest. */
  'dlp.scan.progress': { params: { id?: string }; result: { scan?: DlpScanJson } };
  /** The latest scans, newest first; those of an earlier run of the agent too. */
  'dlp.scan.list': { params: Record<string, never>; result: { scans: DlpScanJson[] } };
  'dlp.quarantine.list': { params: Record<string, never>; result: { entries: DlpQuarantineJson[] } };
}

export interface DlpWriteMethods {
  /** Looks at a file or folder of the agent's machine; one scan after the other. */
  'dlp.scan.start': {
    params: { path: string } & Partial<DlpScanOptions>;
    result: { scan: DlpScanJson };
  };
  /** Folders whose paths begin like this, for completion. */
  'dlp.scan.folders': { params: { prefix: string }; result: { folders: string[] } };
  'dlp.scan.cancel': { params: { id: string }; result: { cancelled: boolean } };
  /** Puts a file back, where it was or at `to`. Never overwrites. Recorded in the security log. */
  'dlp.quarantine.restore': {
    params: { id: string; to?: string };
    result: { entry: DlpQuarantineJson; restoredTo: string; notKept: string };
  };
  /** Removes a file for good. Recorded in the security log. */
  'dlp.quarantine.remove': { params: { id: string }; result: { entry: DlpQuarantineJson } };
}
