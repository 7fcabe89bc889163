/** The states of the view of protected data, with made-up findings. */
import type {
  DlpCoverageJson,
  DlpGroupJson,
  DlpQuarantineJson,
  DlpScanJson,
  EventJson,
} from '../../agent/api/contract.ts';
import { DlpPage, type DlpPageData } from '../src/dlp/dlp-view.tsx';
import '../src/dlp/dlp.css';

const NOW_MS = Date.now();
const ago = (seconds: number): string => String(BigInt(NOW_MS - seconds * 1000) * 1_000_000n);

const COVERAGE: DlpCoverageJson = {
  watching: true,
  triggers: ['close_write', 'rename'],
  mounts: [
    { path: '/media/ana/BACKUP', kind: 'removable', fileSystem: 'exfat', source: '/dev/sdb1', why: 'usb' },
    {
      path: '/mnt/projects',
      kind: 'network_share',
      fileSystem: 'cifs',
      source: '//files/projects',
      why: 'cifs',
    },
  ],
  notWatched: [
    { path: '/', fileSystem: 'ext4', why: 'disk' },
    { path: '/mnt/image', fileSystem: 'ext4', why: 'loop' },
  ],
  watched: ['/srv/outbox'],
  queue: { waiting: 3, running: 2, max: 4096 },
  totals: {
    seen: 1840,
    looked: 1811,
    clean: 1798,
    matched: 9,
    unscannable: 4,
    gone: 29,
    skipped: 12,
    cached: 240,
  },
  cost: { bytes: 4_120_000_000, tookMs: 21_400 },
  cache: { entries: 1571, hits: 240, evictions: 0 },
  protectedFiles: 14,
};

function found(
  id: number,
  path: string,
  destination: string,
  matches: { rule: string; type: string; count: number; containment?: number }[],
  seconds: number,
  program?: string,
): EventJson {
  return {
    eventId: String(id),
    eventVersion: 1,
    type: 'dlp',
    action: 'match',
    lane: 'security',
    tsNs: ago(seconds),
    severity: destination === 'local' ? 'low' : 'high',
    file: { path, op: 'write' },
    ...(program === undefined
      ? {}
      : { process: { pid: 4711, startNs: '1', name: program, executable: `/usr/bin/${program}` } }),
    dlp: {
      verdict: 'match',
      trigger: program === undefined ? 'scan' : 'close_write',
      destination,
      bytes: '48211',
      tookMs: 1.4,
      ofEventId: String(id - 2),
      matchesTotal: matches.length,
      matches: matches.map(({ rule, type, count, containment }) => ({
        index: rule,
        rule,
        kind: containment === undefined ? 'row' : 'document',
        type,
        count: String(count),
        offset: '118',
        length: '24',
        rowRef: '1042',
        confidence: 0.99,
        ...(containment === undefined ? {} : { containment }),
      })),
    },
  };
}

function grouped(index: string, type: string, seconds: number, change: Partial<DlpGroupJson>): DlpGroupJson {
  const kind = change.containment === undefined ? 'row' : 'document';
  return {
    key: `${index} ${type}`,
    rule: { index, rule: kind === 'row' ? index : 'document', kind, type },
    findings: 1,
    files: 1,
    hits: 1,
    confidence: 0.99,
    destinations: ['removable'],
    firstNs: ago(seconds + 86_400),
    lastNs: ago(seconds),
    ...change,
  };
}

function refused(id: number, path: string, reasonCode: string, reason: string): EventJson {
  const event = found(id, path, 'removable', [], 90 + id, 'zip');
  const dlp = { ...event.dlp!, verdict: 'unscannable', reasonCode, reason };
  return { ...event, action: 'unscannable', severity: 'medium', dlp };
}

const QUARANTINED: DlpQuarantineJson = {
  id: '0123456789abcdef',
  path: '/media/ana/BACKUP/customers-2026.csv',
  size: 48_211,
  sha256: '00',
  mode: 0o644,
  uid: 1000,
  gid: 1000,
  mtimeNs: ago(400),
  takenNs: ago(300),
  policy: 'protected-data-to-media',
  eventId: '90',
  rules: ['customers'],
  destination: 'removable',
  by: 'copy',
  lost: '',
  signed: true,
};

const FULL: DlpPageData = {
  state: {
    coverage: COVERAGE,
    ruleFiles: ['/etc/sentinel/payments.yml'],
    problems: [],
    indexes: [
      {
        file: '/var/lib/sentinel/dlp/indexes/customers.sdlp',
        name: 'customers',
        format: 'rows',
        bytes: 73_400_000,
        rows: 1_204_118,
        entries: 2_408_236,
        createdMs: NOW_MS - 3 * 86_400_000,
        keyId: '9f2c1d7a',
        signature: 'trusted',
        prefilterRate: 0.0053,
        fields: [
          { column: 'iban', role: 'primary', type: 'iban' },
          { column: 'email', role: 'primary', type: 'email' },
          { column: 'name', role: 'secondary', type: 'words' },
        ],
      },
    ],
  },
  hits: {
    by: 'rule',
    total: 3,
    findings: 4,
    hits: 817,
    groups: [
      grouped('customers', 'iban', 40, { files: 2, hits: 815, destinations: ['archive', 'removable'] }),
      grouped('contracts', 'a41f', 700, { destinations: ['network_share'], containment: 0.83 }),
      grouped('contracts', 'b7c0', 9000, { destinations: ['local'], containment: 0.12 }),
    ],
  },
  unscannable: {
    events: [
      refused(80, '/media/ana/BACKUP/private.7z', 'encrypted', 'its members are encrypted'),
      refused(
        78,
        '/media/ana/BACKUP/photo.raw',
        'too_large',
        'it has 412,000,000 bytes; at most 268,435,456 are looked at',
      ),
    ],
  },
  scans: [],
  quarantine: [
    QUARANTINED,
    { ...QUARANTINED, id: 'fedcba9876543210', path: '/mnt/projects/x.csv', signed: false },
  ],
};

const NONE = { events: [] };
const NO_HITS: DlpPageData['hits'] = { by: 'rule', groups: [], total: 0, findings: 0, hits: 0 };
const EMPTY: DlpPageData = {
  state: {
    coverage: {
      ...COVERAGE,
      watching: false,
      reason: 'there is no index and no rule',
      mounts: [],
      watched: [],
      queue: { waiting: 0, running: 0, max: 4096 },
      totals: { seen: 0, looked: 0, clean: 0, matched: 0, unscannable: 0, gone: 0, skipped: 0, cached: 0 },
      protectedFiles: 0,
    },
    indexes: [],
    ruleFiles: [],
    problems: [],
  },
  hits: NO_HITS,
  unscannable: NONE,
  quarantine: [],
  scans: [],
};

const SCAN: DlpScanJson = {
  id: '00112233445566aa',
  path: '/home/ana',
  options: { containers: true, oneFileSystem: true },
  startedMs: NOW_MS - 8000,
  state: 'running',
  files: 4210,
  bytes: 1_240_000_000,
  totalFiles: 9800,
  totalBytes: 3_100_000_000,
  matched: 2,
  unscannable: 1,
  left: 3,
  refused: 1,
  current: '/home/ana/projects/2026/report-final.pdf',
  capped: false,
};
const ENDED = { ...SCAN, startedMs: NOW_MS - 100_000, unscannable: 0 };

const SCANNING: DlpPageData = {
  ...FULL,
  scans: [
    {
      ...SCAN,
      id: '00112233445566ac',
      path: '/srv/share',
      state: 'waiting',
      files: 0,
      matched: 0,
      unscannable: 0,
      current: undefined,
    },
    SCAN,
    { ...ENDED, id: '00112233445566ab', path: '/srv/archive', state: 'cut', endedMs: NOW_MS - 80_000 },
    {
      ...ENDED,
      id: '00112233445566ad',
      path: '/home/ana/documents',
      state: 'done',
      endedMs: NOW_MS - 90_000,
      files: 3210,
      left: 7,
      refused: 3,
    },
  ],
};

const LONG = `/media/ana/BACKUP/${'a folder with a very long name '.repeat(6)}/الوثائق السرية/機密文件 2026/قائمة العملاء 顧客リスト (2).csv`;

/** As many of everything as a bad week brings. */
const MANY: DlpPageData = {
  ...FULL,
  state: {
    ...FULL.state,
    indexes: Array.from({ length: 200 }, (_, n) => ({
      ...FULL.state.indexes[0]!,
      file: `/var/lib/sentinel/dlp/indexes/department-${n}.sdlp`,
      name: `department-${n}`,
      format: (['rows', 'documents', 'files'] as const)[n % 3]!,
      fields: n % 3 === 0 ? FULL.state.indexes[0]!.fields : [],
      createdMs: NOW_MS - n * 86_400_000,
      signature: n === 1 ? ('unknown_signer' as const) : ('trusted' as const),
    })),
  },
  hits: {
    by: 'file',
    total: 20_000,
    findings: 100_000,
    hits: 48_211_904,
    notBeforeNs: ago(86_400 * 40),
    noGroup: 1204,
    groups: [
      { ...grouped('customers', 'iban', 2, { hits: 1_204_118 }), rule: undefined, path: LONG },
      {
        ...grouped('customers', 'iban', 3, { destinations: ['network_share'] }),
        key: 'evil',
        rule: undefined,
        path: '/mnt/projects/\u001B[31mevil\u202Egpj.csv',
      },
      ...Array.from({ length: 900 }, (_, n) => ({
        ...grouped(`department-${n % 60}`, 'iban', 60 + n * 7, { hits: n + 1, filesAtLeast: n % 9 === 0 }),
        key: String(n),
        rule: undefined,
        path: `/mnt/projects/team-${n % 40}/export-${n}.csv`,
      })),
    ],
  },
};

const BROKEN: DlpPageData = {
  ...EMPTY,
  state: {
    ...EMPTY.state,
    problems: [
      {
        what: 'the index /var/lib/sentinel/dlp/indexes/customers.sdlp was made with another key',
        remedy: 'give its key with dlp.keys, or build it again',
      },
    ],
  },
};

const page = (data: DlpPageData, privileged: boolean) =>
  function Page() {
    return (
      <div className="page dlp">
        <h1 className="page-title">Protected data</h1>
        <DlpPage data={data} privileged={privileged} changed={() => undefined} />
      </div>
    );
  };

export const DLP_STATES = [
  { name: 'dlp', show: page(FULL, true) },
  { name: 'dlp-scanning', show: page(SCANNING, true) },
  { name: 'dlp-many', show: page(MANY, true) },
  { name: 'dlp-empty', show: page(EMPTY, true) },
  { name: 'dlp-error', show: page(BROKEN, true) },
  { name: 'dlp-no-permission', show: page(FULL, false) },
];
