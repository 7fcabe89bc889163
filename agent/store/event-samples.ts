/** fast-check arbitraries of events, for the property tests of this folder. Values meet those of the query samples. */
import * as fc from 'fast-check';
import {
  EVENT_TYPES,
  SEVERITIES,
  type Detection,
  type ProcessInfo,
  type ProcessRef,
  type SentinelEvent,
  type Truncation,
} from '../event.ts';

export const SAMPLE_NOW = 1_795_000_000_000_000_000n;

const PATHS = [
  '/usr/bin/curl',
  '/usr/bin/bash',
  '/tmp/a b',
  '/tmp/é\n.so',
  'C:\\x\\y.exe',
  '/home/ΟΔΟΣ/*',
  '/a"b',
  '/😀/a',
  '',
];
const USERS = ['root', 'ana', 'ÉVE', 'x y'];

function some<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined, freq: 2 });
}

function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

const path = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...PATHS) },
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const word = fc.constantFrom('curl', 'bash', 'T1059', 'and', 'a', 'x', '\u0000b', '\ud800', '\u0001n5');
const argv = fc.array(fc.oneof(path, word), { maxLength: 4 });
const ip = fc.constantFrom(
  '10.0.0.1',
  '10.1.2.3',
  '192.168.1.9',
  'fe80::1',
  '::ffff:10.0.0.1',
  '2001:db8::5',
  'junk',
);
const port = fc.constantFrom(0, 1, 22, 80, 443, 65535);
const small = fc.nat(5);

const reference: fc.Arbitrary<ProcessRef> = fc
  .record({
    pid: small,
    startNs: fc.constantFrom(1n, 2n, 18_446_744_073_709_551_615n),
    name: word,
    executable: some(path),
    argv: some(argv),
    cwd: some(path),
    uid: some(small),
    user: some(fc.constantFrom(...USERS)),
  })
  .map(compact);

const hashes = fc.record({ sha256: fc.constantFrom('aa', 'bb'), blake3: fc.constantFrom('cc', 'dd') });

const process: fc.Arbitrary<ProcessInfo> = fc
  .record({
    own: reference,
    more: fc.record({
      ppid: some(small),
      parentStartNs: some(fc.constantFrom(1n, 2n)),
      euid: some(small),
      gid: some(small),
      loginuid: some(fc.constantFrom(0, 4_294_967_294)),
      sessionId: some(small),
      integrityLevel: some(fc.constantFrom('system', 'user')),
      cgroupId: some(fc.constantFrom('1', '4294967297')),
      containerId: some(word),
      hashes: some(hashes),
      flags: some(fc.array(fc.constantFrom('memfd', 'setuid'), { maxLength: 2 })),
      exitCode: some(fc.constantFrom(0, 1, -1)),
      exitSignal: some(small),
      tid: some(small),
      exeIdentity: some(
        fc.record({
          dev: small,
          inode: fc.constantFrom(7n, 9_007_199_254_740_993n),
          mtimeNs: fc.constant(5n),
          ctimeNs: fc.constant(6n),
          size: small,
        }),
      ),
    }),
  })
  .map(({ own, more }) => ({ ...own, ...compact(more) }));

const detection: fc.Arbitrary<Detection> = fc.record({
  ruleId: fc.constantFrom('r-1', 'r-2'),
  title: fc.constantFrom('Curl used', 'bash'),
  level: fc.constantFrom(...SEVERITIES),
  attack: fc.constantFrom<string[]>([], ['T1059'], ['T1059.004', 'T1105']),
  clauses: fc.constantFrom(
    [],
    [{ selection: 's', field: 'Image|endswith', pattern: '/curl', value: '/usr/bin/curl' }],
  ),
  source: fc.constantFrom('bundled', 'imported'),
});

/** Any event; `eventId` is set by `arbitraryEvents`. */
function arbitraryEvent(): fc.Arbitrary<SentinelEvent> {
  return fc
    .record({
      eventId: fc.constant(0),
      type: fc.constantFrom(...EVENT_TYPES),
      action: fc.constantFrom('exec', 'exit', 'open', 'connect', 'ptrace'),
      lane: fc.constantFrom('security' as const, 'observability' as const),
      tsNs: fc.oneof(
        fc.bigInt(0n, 20n).map((back) => SAMPLE_NOW - back),
        fc.bigInt(0n, 300n).map((back) => SAMPLE_NOW - back * 1_000_000_000n),
      ),
      sensorSeq: some(fc.constantFrom(0n, (1n << 63n) + 5n)),
      bootId: some(word),
      deviceId: some(word),
      process: some(process),
      parent: some(reference),
      ancestry: some(fc.array(fc.constantFrom('1-1', '2-2'), { maxLength: 2 })),
      file: some(
        fc
          .record({
            path,
            op: fc.constantFrom('open', 'write'),
            oldPath: some(path),
            bytes: some(small),
            inode: some(fc.constantFrom('5', '\u0001x')),
            device: some(fc.constant('8:1')),
            mode: some(small),
            flags: some(small),
          })
          .map(compact),
      ),
      network: some(
        fc
          .record({
            protocol: fc.constantFrom('tcp', 'udp'),
            srcIp: some(ip),
            srcPort: some(port),
            dstIp: some(ip),
            dstPort: some(port),
            direction: some(fc.constantFrom('outbound' as const, 'listen' as const)),
            bytesSent: some(small),
            bytesReceived: some(small),
            verdict: some(fc.constant('denied')),
          })
          .map(compact),
      ),
      dns: some(
        fc.record({ query: fc.constantFrom('curl.example', 'a'), recordType: some(word) }).map(compact),
      ),
      target: some(reference),
      gap: some(
        fc
          .record({
            lane: fc.constantFrom('security' as const, 'observability' as const),
            cause: fc.constantFrom('ring_full', 'shed'),
            count: some(small),
            fromNs: fc.constant(SAMPLE_NOW - 5n),
            toNs: fc.constant(SAMPLE_NOW),
            detail: some(word),
          })
          .map(compact),
      ),
      metrics: some(fc.constantFrom<Record<string, number>>({ cpu: 0.5 }, { curl: Number.NaN, a: 1 })),
      message: some(fc.oneof(path, word)),
      details: some(fc.constantFrom<Record<string, string>>({ prot: 'rwx' }, { a: 'curl', b: '' })),
      detections: some(fc.array(detection, { maxLength: 2 })),
      severity: fc.constantFrom(...SEVERITIES),
      truncated: some(fc.constant<Truncation[]>([{ field: 'cmd', originalLength: 9000 }])),
      synthetic: some(fc.constant(true)),
    })
    .map((event) => compact(event));
}

/** Up to `max` events with ids as the two lanes would give them, in order of arrival. */
export function arbitraryEvents(max: number): fc.Arbitrary<SentinelEvent[]> {
  return fc.array(arbitraryEvent(), { minLength: 1, maxLength: max }).map((events) => {
    const seq = { security: 0, observability: 0 };
    return events.map((event) => {
      seq[event.lane] += 1;
      return { ...event, eventId: seq[event.lane] * 2 + (event.lane === 'observability' ? 1 : 0) };
    });
  });
}
