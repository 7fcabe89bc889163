/**
 * Every setting, in one table: the YAML file, the environment, the command line and `sentinel config show` all
 * read it. Sizes are bytes, durations carry their unit in the name.
 */

interface Base<Kind extends string, T> {
  readonly kind: Kind;
  readonly default: T;
  readonly help: string;
}
type Int = Base<'int', number> & { readonly min: number; readonly max: number };
type Text = Base<'text', string> & { readonly pattern?: RegExp; readonly allowed?: string };
type Choice = Base<'choice', string> & { readonly values: readonly string[] };
type Flag = Base<'flag', boolean>;
type List = Base<'list', readonly string[]>;
export type Option = Int | Text | Choice | Flag | List;

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

export const OPTIONS = {
  scope: {
    kind: 'text',
    default: 'host',
    pattern: /^(host|cgroup:\/.+|pid:[1-9][0-9]*)$/,
    allowed: 'host, cgroup:PATH or pid:N',
    help: 'what the sensor watches',
  },
  'sensor.prefer': {
    kind: 'text',
    default: 'auto',
    pattern: /^(auto|ebpf|proc|replay:.+)$/,
    allowed: 'auto, ebpf, proc or replay:FILE',
    help: 'which sensor to use',
  },
  'sensor.readOpens': { kind: 'flag', default: false, help: 'also record files opened only for reading' },
  'sensor.processCache': {
    kind: 'int',
    default: 32_768,
    min: 1024,
    max: 1_048_576,
    help: 'processes kept in memory for ancestry',
  },
  'sensor.hashMaxBytes': {
    kind: 'int',
    default: 256 * MIB,
    min: 0,
    max: 16 * GIB,
    help: 'largest executable that is hashed',
  },
  'console.mode': {
    kind: 'choice',
    default: 'on',
    values: ['on', 'off'],
    help: 'serve the console on loopback',
  },
  'console.port': {
    kind: 'int',
    default: 0,
    min: 0,
    max: 65_535,
    help: 'port of the console, 0 for a free one',
  },
  'wal.segmentBytes': { kind: 'int', default: 16 * MIB, min: MIB, max: GIB, help: 'size of a log segment' },
  'wal.maxBytes': {
    kind: 'int',
    default: 2 * GIB,
    min: 64 * MIB,
    max: 1024 * GIB,
    help: 'size of both logs together',
  },
  'wal.maxAgeDays': { kind: 'int', default: 30, min: 1, max: 3650, help: 'age at which log segments leave' },
  'observability.maxBufferBytes': {
    kind: 'int',
    default: 8 * MIB,
    min: 64 * 1024,
    max: GIB,
    help: 'buffer of the observability lane',
  },
  'observability.maxBatchRecords': {
    kind: 'int',
    default: 4096,
    min: 1,
    max: 65_536,
    help: 'largest batch of that lane',
  },
  'observability.maxBatchMs': {
    kind: 'int',
    default: 200,
    min: 1,
    max: 1000,
    help: 'longest wait of that lane',
  },
  'timeline.maxBytes': {
    kind: 'int',
    default: 4 * GIB,
    min: 64 * MIB,
    max: 1024 * GIB,
    help: 'size of the timeline',
  },
  'timeline.maxAgeDays': {
    kind: 'int',
    default: 30,
    min: 1,
    max: 3650,
    help: 'age at which timeline rows leave',
  },
  'metrics.intervalMs': {
    kind: 'int',
    default: 10_000,
    min: 1000,
    max: 3_600_000,
    help: 'between system metric samples',
  },
  'rules.bundled': { kind: 'flag', default: true, help: 'use the rules that come with Sentinel' },
  'rules.paths': { kind: 'list', default: [], help: 'more Sigma rules: files or folders' },
  'rules.indicators': { kind: 'list', default: [], help: 'indicator lists: CSV or STIX 2.1 files' },
  'policy.windowMinutes': { kind: 'int', default: 10, min: 5, max: 15, help: 'length of a canary window' },
  'policy.stableMinutes': {
    kind: 'int',
    default: 60,
    min: 15,
    max: 43_200,
    help: 'canary time before a low or medium policy becomes active',
  },
  'policy.falsePositivePercent': {
    kind: 'int',
    default: 5,
    min: 0,
    max: 100,
    help: 'false positives a canary window may have',
  },
  'dlp.indexes': { kind: 'list', default: [], help: 'more indexes of protected data: files or folders' },
  'dlp.rules': { kind: 'list', default: [], help: 'files with rules for patterns' },
  'dlp.keys': { kind: 'list', default: [], help: 'key files of indexes that were built elsewhere' },
  'dlp.trust': { kind: 'list', default: [], help: 'public keys (PEM) of others whose indexes are believed' },
  'dlp.watch': {
    kind: 'list',
    default: [],
    help: 'folders whose files are looked at for protected data, besides media and shares',
  },
  'dlp.maxBytes': {
    kind: 'int',
    default: 256 * MIB,
    min: 64 * 1024,
    max: 64 * GIB,
    help: 'largest file that is looked at for protected data',
  },
  'dlp.deadlineMs': {
    kind: 'int',
    default: 30_000,
    min: 10,
    max: 3_600_000,
    help: 'longest look at one file',
  },
  'dlp.unpackedBytes': {
    kind: 'int',
    default: GIB,
    min: MIB,
    max: 64 * GIB,
    help: 'most bytes that a container may unpack to while it is read',
  },
  'dlp.unpackedRatio': {
    kind: 'int',
    default: 250,
    min: 2,
    max: 1_000_000,
    help: 'most bytes out of each byte of a container, beyond the first 32 MiB',
  },
  'dlp.containerDepth': {
    kind: 'int',
    default: 8,
    min: 1,
    max: 64,
    help: 'containers inside containers that are read',
  },
  'dlp.containerFiles': {
    kind: 'int',
    default: 100_000,
    min: 1,
    max: 10_000_000,
    help: 'files inside a container that are read',
  },
  'dlp.queueFiles': {
    kind: 'int',
    default: 4096,
    min: 16,
    max: 1_048_576,
    help: 'files that may wait to be looked at; what comes then is stated as skipped',
  },
  'dlp.snippets': {
    kind: 'choice',
    default: 'off',
    values: ['off', 'masked'],
    help: 'whether dlp scan may show findings masked (--snippets); nothing else ever does',
  },
  'dlp.loopIsRemovable': {
    kind: 'flag',
    default: false,
    help: 'treat images mounted through a loop device as removable media',
  },
  'log.level': {
    kind: 'choice',
    default: 'info',
    values: ['debug', 'info', 'warn', 'error'],
    help: 'least level that is logged',
  },
  'log.maxBytes': {
    kind: 'int',
    default: 10 * MIB,
    min: 64 * 1024,
    max: GIB,
    help: 'size at which the log rotates',
  },
  'log.maxFiles': { kind: 'int', default: 5, min: 1, max: 100, help: 'rotated logs kept' },
  'prometheus.port': {
    kind: 'int',
    default: 0,
    min: 0,
    max: 65_535,
    help: 'loopback port of /metrics, /healthz and /ready; 0 turns them off',
  },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof OPTIONS;

type ValueOf<O extends Option> = O['kind'] extends 'int'
  ? number
  : O['kind'] extends 'flag'
    ? boolean
    : O['kind'] extends 'list'
      ? readonly string[]
      : string;

export type ConfigValues = { readonly [K in OptionName]: ValueOf<(typeof OPTIONS)[K]> };

/** SENTINEL_WAL_MAX_BYTES for wal.maxBytes. */
export function environmentName(name: string): string {
  return `SENTINEL_${name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
}
