import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { eventFromJson, eventToJson } from './event-json.ts';
import { EVENT_TYPES, SEVERITIES, type SentinelEvent } from './event.ts';

const source = readFileSync(join(import.meta.dirname, '../proto/sentinel/v1/event.proto'), 'utf8');
const proto = protobuf.parse(source).root.lookupType('sentinel.v1.Event');

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u53 = fc.maxSafeNat();
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = fc.string({ unit: 'grapheme' });
const some = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const ref = {
  pid: u32,
  startNs: u64,
  name: text,
  executable: some(text),
  argv: some(fc.array(text)),
  cwd: some(text),
  uid: some(u32),
  user: some(text),
};

const events: fc.Arbitrary<SentinelEvent> = fc.record({
  eventId: u53,
  type: fc.constantFrom(...EVENT_TYPES),
  action: text,
  lane: fc.constantFrom('security', 'observability'),
  tsNs: u64,
  sensorSeq: some(u64),
  bootId: some(text),
  process: some(
    fc.record({
      ...ref,
      ppid: some(u32),
      parentStartNs: some(u64),
      euid: some(u32),
      gid: some(u32),
      sessionId: some(u32),
      integrityLevel: some(text),
      containerId: some(text),
      hashes: some(fc.record({ sha256: text, blake3: text })),
      flags: some(fc.array(text)),
      exitCode: some(fc.integer({ min: -128, max: 255 })),
      tid: some(u32),
    }),
  ),
  parent: some(fc.record(ref)),
  ancestry: some(fc.array(text)),
  file: some(
    fc.record({
      path: text,
      op: text,
      oldPath: some(text),
      bytes: some(u53),
      inode: some(text),
      mode: some(u32),
    }),
  ),
  network: some(fc.record({ protocol: text, dstIp: some(text), dstPort: some(u32), bytesSent: some(u53) })),
  dns: some(fc.record({ query: text, recordType: text })),
  gap: some(
    fc.record({
      lane: fc.constantFrom('security', 'observability'),
      cause: text,
      count: some(u53),
      cpu: some(u32),
      fromNs: u64,
      toNs: u64,
    }),
  ),
  dlp: some(
    fc.record({
      verdict: text,
      trigger: text,
      destination: text,
      mount: some(text),
      reasonCode: some(text),
      reason: some(text),
      bytes: u53,
      members: some(u32),
      tookMs: fc.double({ noNaN: true, noDefaultInfinity: true }),
      ofEventId: u53,
      matches: fc.array(
        fc.record({
          index: text,
          rule: text,
          kind: text,
          type: text,
          count: u53,
          offset: u53,
          length: u53,
          rowRef: some(text),
          confidence: fc.double({ noNaN: true, noDefaultInfinity: true }),
          containment: some(fc.double({ noNaN: true, noDefaultInfinity: true })),
          secondaries: some(fc.array(text)),
          member: some(text),
        }),
        { maxLength: 3 },
      ),
      matchesTotal: u32,
      sources: some(
        fc.array(fc.record({ path: text, rules: fc.array(text), entityId: text, name: text, tsNs: u64 }), {
          maxLength: 3,
        }),
      ),
      quarantineId: some(text),
    }),
  ),
  metrics: some(fc.dictionary(text, fc.double({ noNaN: true, noDefaultInfinity: true }))),
  details: some(fc.dictionary(text, text)),
  detections: some(
    fc.array(
      fc.record({
        ruleId: text,
        title: text,
        level: fc.constantFrom(...SEVERITIES),
        attack: fc.array(text),
        clauses: fc.array(fc.record({ selection: text, field: text, pattern: text, value: text })),
        source: text,
      }),
    ),
  ),
  severity: fc.constantFrom(...SEVERITIES),
  truncated: some(fc.array(fc.record({ field: text, originalLength: u53 }))),
  synthetic: some(fc.constant(true)),
}) as fc.Arbitrary<SentinelEvent>;

/** Drops undefined members, as JSON does. */
function plain(event: SentinelEvent): unknown {
  return JSON.parse(JSON.stringify(eventToJson(event)));
}

describe('event JSON', () => {
  it('comes back equal', () => {
    fc.assert(
      fc.property(events, (event) => {
        expect(plain(eventFromJson(plain(event) as Record<string, unknown>))).toEqual(plain(event));
      }),
    );
  });

  it('is what protobuf itself makes of the message, unknown names included', () => {
    fc.assert(
      fc.property(events, (event) => {
        const json = plain(event) as Record<string, unknown>;
        const message = proto.fromObject(json);
        expect(proto.verify(message)).toBeNull();
        const back = proto.toObject(proto.decode(proto.encode(message).finish()), {
          defaults: true,
          longs: String,
          enums: String,
        });
        const known = new Set(proto.fieldsArray.map((field) => field.name));
        for (const key of Object.keys(json)) expect(known, key).toContain(key);
        expect(back['tsNs']).toBe(json['tsNs']);
        expect(back['type']).toBe(json['type']);
        expect(back['process']?.['argv'] ?? []).toEqual(
          (json['process'] as { argv?: string[] } | undefined)?.argv ?? [],
        );
        expect(back['process']?.['startNs']).toBe(
          (json['process'] as { startNs?: string } | undefined)?.startNs,
        );
        expect(back['gap']?.['fromNs']).toBe((json['gap'] as { fromNs?: string } | undefined)?.fromNs);
      }),
    );
  });

  it('refuses what is not an event, naming the fault', () => {
    expect(() => eventFromJson({ type: 'nonsense', tsNs: '1' })).toThrow(/unknown event type nonsense/);
    expect(() => eventFromJson({ type: 'process' })).toThrow(/no tsNs/);
  });
});
