import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProcessInfo, SentinelEvent } from '../event.ts';
import { decodeBatch, decodeRecord, recordCpu, recordLane, recordLength } from './decode.ts';
import { encodeEvent, NotASensorRecordError } from './encode.ts';
import { Header, Proc, StrKind } from './layout.ts';
import { internStats } from './record-strings.ts';
import { DNS_TYPES, OPCODES, type Opcode, PROTOCOLS } from './opcodes.ts';

const OFFSET = 1_700_000_000_000_000_000n;

// Texts as they come back: valid UTF-16, no NUL, including controls, newlines and characters of four bytes.
const text = fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.replaceAll('\0', 'x'));
const component = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 12 })
  .map((value) => value.replaceAll(/[\0/]/g, '_'))
  .filter((value) => value !== '.' && value !== '..');
const path = fc.array(component, { minLength: 1, maxLength: 6 }).map((parts) => `/${parts.join('/')}`);
const comm = fc.string({ minLength: 1, maxLength: 15 }).map((value) => value.replaceAll('\0', '_'));
const u32 = fc.nat({ max: 0xfffffffe });
const u64 = fc.bigInt({ min: 1n, max: (1n << 64n) - 1n });
const size = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });
const identity = fc.record({ dev: u32, inode: u64, mtimeNs: u64, ctimeNs: u64, size });
const address4 = fc
  .tuple(fc.integer({ min: 1, max: 255 }), fc.nat(255), fc.nat(255), fc.nat(255))
  .map((parts) => parts.join('.'));
const address6 = fc.constantFrom('::1', 'fe80::1', '2001:db8::8:800:200c:417a', '1:2:3:4:5:6:7:8', 'ff02::');
const port = fc.integer({ min: 1, max: 65535 });

const bare = fc.record({
  pid: u32,
  startNs: u64,
  name: comm,
  tid: optional(u32),
  uid: optional(u32),
  euid: optional(u32),
  cgroupId: optional(u64.map(String)),
});

const forked = fc.record({ ppid: optional(u32), parentStartNs: optional(u64) });

const executed: fc.Arbitrary<Partial<ProcessInfo>> = fc
  .record({
    ppid: optional(u32),
    parentStartNs: optional(u64),
    executable: path,
    argv: optional(fc.array(text, { maxLength: 8 })),
    cwd: optional(path),
    gid: optional(u32),
    loginuid: optional(u32),
    sessionId: optional(u32),
    flags: optional(
      fc.subarray(['memfd', 'deleted', 'setuid', 'setgid', 'script', 'kthread', 'writable_dir'], {
        minLength: 1,
      }),
    ),
    exeIdentity: optional(identity),
  })
  .map((info) => ({ ...info, name: info.executable.slice(info.executable.lastIndexOf('/') + 1) }));

const ended = fc.oneof(
  fc.record({ ppid: optional(u32), exitCode: fc.nat(255) }),
  fc.record({ ppid: optional(u32), exitSignal: fc.integer({ min: 1, max: 126 }) }),
);

const fileInfo = fc.record({
  path,
  bytes: optional(size),
  inode: optional(u64.map(String)),
  device: optional(
    fc.tuple(fc.integer({ min: 1, max: 4095 }), fc.nat(0xfffff)).map((pair) => pair.join(':')),
  ),
  mode: optional(u32),
  flags: optional(u32),
});

const networkInfo = fc
  .record({
    protocol: fc.constantFrom(...PROTOCOLS.values(), '200'),
    ends: fc.oneof(fc.tuple(address4, address4), fc.tuple(address6, address6)),
    srcPort: optional(port),
    dstPort: optional(port),
    direction: optional(fc.constantFrom('outbound' as const, 'inbound' as const, 'listen' as const)),
    verdict: optional(fc.constantFrom('allowed', 'denied')),
  })
  .map(({ ends, ...rest }) => ({ ...rest, srcIp: ends[0], dstIp: ends[1] }));

function details(opcode: Opcode): fc.Arbitrary<Record<string, string> | undefined> {
  if (opcode.details.length === 0) return fc.constant(undefined);
  const fields = opcode.details.map((field): [string, fc.Arbitrary<string>] => {
    if (field.as === 'text') return [field.name, text];
    if (field.as === 'hex') return [field.name, u64.map((value) => `0x${value.toString(16)}`)];
    if (field.as === 'dec') return [field.name, u64.map(String)];
    if (field.as === 'signed') return [field.name, fc.integer().map(String)];
    return [field.name, fc.constantFrom(...field.as.values(), '4000000000')];
  });
  return fc.record(Object.fromEntries(fields));
}

function fileDetails(
  opcode: Opcode,
  attribute: string,
  number: number,
  time: bigint,
): Record<string, string> | undefined {
  if (opcode.second === 'attribute') return { attribute };
  if (opcode.extra === 'owner') return { newUid: String(number), newGid: '0' };
  return opcode.extra === 'mtime' ? { newMtimeNs: String(time) } : undefined;
}

function body(
  opcode: Opcode,
): fc.Arbitrary<Omit<Partial<SentinelEvent>, 'process'> & { process: Partial<ProcessInfo> }> {
  switch (opcode.body) {
    case 'fork':
      return forked.map((process) => ({ process }));
    case 'exit':
      return ended.map((process) => ({ process }));
    case 'proc':
      return executed.map((process) => ({ process }));
    case 'net':
      return fc.record({
        process: fc.constant({}),
        network: networkInfo,
        dns:
          opcode.type === 'dns'
            ? fc.record({
                query: fc.domain(),
                recordType: fc.constantFrom(...DNS_TYPES.values(), 'TYPE4711'),
              })
            : fc.constant(undefined),
        details: fc.constantFrom(undefined, { error: 'ECONNREFUSED' }, { error: '-9999' }),
      });
    case 'rare':
      return fc.record({
        process: fc.constant({}),
        target: optional(
          fc.record({
            pid: fc.integer({ min: 1, max: 0x7fffffff }),
            startNs: u64,
            name: comm,
            uid: optional(u32),
          }),
        ),
        file: opcode.file
          ? optional(path.map((value) => ({ path: value, op: opcode.action })))
          : fc.constant(undefined),
        details: details(opcode),
      });
    default:
      return fc
        .tuple(
          fileInfo,
          fc.boolean(),
          optional(opcode.second === 'text' ? text : path),
          text,
          u32,
          u64,
          optional(identity),
        )
        .map(([info, created, second, attribute, number, time, exact]) => {
          const action = created && opcode.createdAction ? opcode.createdAction : opcode.action;
          const inode = info.inode ?? '7';
          const withIdentity = opcode.extra === 'identity' && exact !== undefined;
          return {
            process: {},
            action,
            file: {
              ...info,
              ...(opcode.extra === 'identity' ? { inode, bytes: 5, device: '8:1' } : {}),
              op: action,
              oldPath: opcode.second === 'path' || opcode.second === 'text' ? second : undefined,
              identity: withIdentity
                ? { ...exact, inode: BigInt(inode), size: 5, dev: 0x801 }
                : opcode.extra === 'identity'
                  ? { dev: 0x801, inode: BigInt(inode), mtimeNs: 0n, ctimeNs: 0n, size: 5 }
                  : undefined,
            },
            details: fileDetails(opcode, attribute, number, time),
          };
        });
  }
}

const rows = OPCODES.filter((row): row is Opcode => row !== undefined);

function eventOf(opcode: Opcode): fc.Arbitrary<SentinelEvent> {
  return fc
    .record({
      lane: fc.constantFrom('security' as const, 'observability' as const),
      sensorSeq: optional(u64),
      ts: fc.bigInt({ min: 0n, max: 1n << 62n }),
      process: bare,
      body: body(opcode),
    })
    .map((parts) => {
      const info: ProcessInfo = { ...parts.process, ...parts.body.process };
      if (opcode.body === 'proc') {
        info.integrityLevel =
          info.uid === undefined
            ? undefined
            : info.uid === 0
              ? 'system'
              : info.euid === 0
                ? 'elevated'
                : 'user';
      }
      return {
        eventId: 0,
        type: opcode.type,
        action: opcode.action,
        severity: 'info' as const,
        lane: parts.lane,
        tsNs: parts.ts + OFFSET,
        sensorSeq: parts.sensorSeq,
        ...parts.body,
        process: info,
      };
    });
}

describe('sensor record codec', () => {
  it.each(rows.map((row) => [row.code, row.action, row] as const))(
    'decodes what it encoded, type %i (%s)',
    (_code, _action, row) => {
      fc.assert(
        fc.property(eventOf(row), (event) => {
          const record = encodeEvent(event, event.tsNs - OFFSET);
          expect(record.length % 8).toBe(0);
          expect(recordLength(record, 0)).toBe(record.length);
          expect(recordLane(record, 0)).toBe(event.lane);
          expect(decodeRecord(record, 0, OFFSET)).toEqual(event);
        }),
        { numRuns: 100 },
      );
    },
  );

  it('never throws and never reads past the record, whatever the bytes', () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      // A valid record with some bytes changed gets further in than noise does.
      fc
        .tuple(
          fc.constantFrom(...rows).chain(eventOf),
          fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        )
        .map(([event, changes]) => {
          const record = encodeEvent(event, 1n);
          for (const [at, value] of changes) if (at < record.length) record[at] = value;
          return record;
        }),
    );
    fc.assert(
      fc.property(garbage, (bytes) => {
        const buffer = Buffer.from(bytes);
        const seen = decodeBatch(buffer, 0n, () => {});
        expect(seen.decoded + seen.rejected).toBeGreaterThanOrEqual(buffer.length === 0 ? 0 : 1);
      }),
      { numRuns: 3000 },
    );
  });

  it('walks a batch, skips what it does not know and counts it', () => {
    const one = encodeEvent(sample(['a']), 1n);
    const unknown = Buffer.from(one);
    unknown[Header.type] = 126;
    const future = Buffer.from(one);
    future[Header.ver] = 2;
    const actions: string[] = [];
    const result = decodeBatch(Buffer.concat([one, unknown, future, one]), 0n, (event) =>
      actions.push(event.action),
    );
    expect(result).toEqual({ decoded: 2, rejected: 2 });
    expect(actions).toEqual(['exec', 'exec']);
  });

  it('reads path components leaf first and marks a path whose root side is missing', () => {
    const record = encodeEvent({ ...sample(['x']), process: { ...info(['x']), executable: '/a/bb/c' } }, 1n);
    const start = Proc.size;
    record.write('c\0bb\0a\0', start, 'latin1');
    record[Proc.exe + 2] = StrKind.COMPONENTS;
    expect(decodeRecord(record, 0, 0n)?.process?.executable).toBe('/a/bb/c');
    record[Proc.exe + 3] = 1;
    record.writeUInt32LE(5000, Proc.exe + 4);
    const cut = decodeRecord(record, 0, 0n);
    expect(cut?.process?.executable).toBe('a/bb/c');
    expect(cut?.truncated).toEqual([{ field: 'process.executable', originalLength: 5000 }]);
  });

  it('replaces invalid UTF-8 and names the field with its length in bytes', () => {
    const record = encodeEvent(sample(['sh', 'AB']), 1n);
    const at = record.indexOf('AB');
    record[at] = 0xff;
    const event = decodeRecord(record, 0, 0n);
    expect(event?.process?.argv).toEqual(['sh', '\uFFFDB']);
    expect(event?.truncated).toEqual([{ field: 'process.argv', originalLength: 6 }]);
  });

  it('keeps a replacement character that was really there', () => {
    expect(decodeRecord(encodeEvent(sample(['\uFFFD']), 1n), 0, 0n)?.truncated).toBeUndefined();
  });

  it('cuts an argument list of a megabyte and says how long it was', () => {
    const event = decodeRecord(encodeEvent(sample(['sh', 'é'.repeat(500_000)]), 1n), 0, 0n);
    expect(event?.process?.argv?.[1]?.length).toBe(Math.floor((4096 - 3) / 2));
    expect(event?.truncated).toEqual([{ field: 'process.argv', originalLength: 1_000_004 }]);
  });

  it('carries a cut that user space already made', () => {
    const truncated = [{ field: 'process.argv', originalLength: 99_999 }];
    const event = decodeRecord(encodeEvent({ ...sample(['sh']), truncated }, 1n), 0, 0n);
    expect(event?.truncated).toEqual(truncated);
  });

  it('keeps the table of known texts bounded, whatever texts come', () => {
    for (let index = 0; index < 20_000; index++) {
      const event = decodeRecord(encodeEvent(sample([`argument ${index}`]), 1n), 0, 0n);
      expect(event?.process?.argv).toEqual([`argument ${index}`]);
    }
    const { slots, misses, evictions } = internStats();
    expect(slots).toBe(4096);
    expect(misses - evictions).toBeLessThanOrEqual(slots);
  });

  it('knows empty arguments from no arguments', () => {
    for (const argv of [[], [''], ['', ''], ['a', '', 'b']]) {
      expect(decodeRecord(encodeEvent(sample(argv), 1n), 0, 0n)?.process?.argv).toEqual(argv);
    }
  });

  it('shows v4-mapped addresses as IPv4 and mixes of families in one', () => {
    const event: SentinelEvent = {
      ...sample([]),
      type: 'network',
      action: 'connect',
      process: { pid: 1, startNs: 1n, name: 'x' },
      network: { protocol: 'tcp', srcIp: '::ffff:10.0.0.1', dstIp: '10.0.0.2' },
    };
    const decoded = decodeRecord(encodeEvent(event, 1n), 0, 0n)?.network;
    expect(decoded).toMatchObject({ srcIp: '10.0.0.1', dstIp: '10.0.0.2' });
  });

  it('shows "any address" only where one listens', () => {
    const network = { protocol: 'tcp', srcIp: '0.0.0.0', srcPort: 80, dstIp: '0.0.0.0' };
    const decoded = (direction: 'listen' | 'outbound'): unknown => {
      const event: SentinelEvent = {
        ...sample([]),
        type: 'network',
        action: direction === 'listen' ? 'listen' : 'connect',
        network: { ...network, direction },
      };
      return decodeRecord(encodeEvent(event, 1n), 0, 0n)?.network;
    };
    expect(decoded('listen')).toMatchObject({ srcIp: '0.0.0.0', dstIp: undefined });
    expect(decoded('outbound')).toMatchObject({ srcIp: undefined, dstIp: undefined });
  });

  it('refuses an event that no record stands for', () => {
    expect(() => encodeEvent({ ...sample([]), type: 'metric', action: 'cpu' }, 1n)).toThrow(
      NotASensorRecordError,
    );
  });

  it('tells the CPU of a kernel record and that a user-space record has none', () => {
    expect(recordCpu(encodeEvent({ ...sample([]), sensorSeq: (3n << 48n) | 5n }, 1n), 0)).toBe(3);
    expect(recordCpu(encodeEvent(sample([]), 1n), 0)).toBe(0xffff);
  });
});

function info(argv: string[]): ProcessInfo {
  return { pid: 7, startNs: 8n, name: 'sh', executable: '/bin/sh', argv };
}

function sample(argv: string[]): SentinelEvent {
  return {
    eventId: 0,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: OFFSET,
    process: info(argv),
    severity: 'info',
  };
}
