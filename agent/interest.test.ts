import { describe, expect, it } from 'vitest';
import { Detector } from './detect/detector.ts';
import { loadRules } from './detect/rule-set.ts';
import { Interest } from './interest.ts';
import { decodeRecord, isDecodable } from './sensors/decode.ts';
import { Flag, Header, Type } from './sensors/layout.ts';
import { generateWorkload } from './sensors/workload.ts';

function detectorOf(...rules: [logsource: string, detection: string][]): Detector {
  const sources = rules.map(([logsource, detection], i) => ({
    path: `r${i}.yml`,
    source: 'test',
    text: `title: r${i}\nid: 00000000-0000-4000-8000-00000000000${i}\nlogsource: {${logsource}}\ndetection: {s: ${detection}, condition: s}\nlevel: low\n`,
  }));
  const set = loadRules(sources);
  expect(set.failed).toEqual([]);
  return new Detector(set);
}

const records = [...generateWorkload({ seed: 7, count: 4000 })];

/** A record of a type, all zero beyond its header. */
function bare(type: number, flags: number): Buffer {
  const bytes = Buffer.alloc(168);
  bytes[Header.type] = type;
  bytes.writeUInt16LE(flags, Header.flags);
  return bytes;
}

describe('interest', () => {
  it.each<[name: string, logsource: string, detection: string]>([
    ['file names', 'product: linux, category: file_event', "{TargetFilename|contains: '/'}"],
    ['opens', 'product: linux, category: file_access', "{TargetFilename|contains: '/'}"],
    ['questions', 'product: linux, category: dns_query', "{QueryName|contains: '.'}"],
    ['audit records', 'product: linux, service: auditd', '{type: PATH}'],
    ['keywords anywhere', 'product: linux', "['e']"],
    ['programs', 'product: linux, category: process_creation', "{Image|contains: '/'}"],
  ])('never passes by a record that a rule about %s matches', (_, logsource, detection) => {
    const detector = detectorOf([logsource, detection]);
    const interest = new Interest(detector);
    let matched = 0;
    let passedBy = 0;
    for (const record of records) {
      const event = decodeRecord(record, 0, 0n);
      if (event === undefined) throw new Error('the workload makes whole records');
      const wanted = interest.in(record, 0);
      if (!wanted) passedBy += 1;
      if (detector.evaluate(event) === undefined) continue;
      matched += 1;
      expect(wanted, `${event.type}/${event.action}`).toBe(true);
    }
    expect(matched).toBeGreaterThan(0);
    if (logsource !== 'product: linux') expect(passedBy).toBeGreaterThan(0);
  });

  it('tells an open from one that created the file', () => {
    const interest = new Interest(
      detectorOf(['product: linux, category: file_event', "{TargetFilename|contains: '/'}"]),
    );
    expect(interest.in(bare(Type.FILE_OPEN, 0), 0)).toBe(false);
    expect(interest.in(bare(Type.FILE_OPEN, Flag.CREATED), 0)).toBe(true);
  });

  it('lets an unknown type through, so that it is counted as rejected', () => {
    expect(new Interest(detectorOf()).in(bare(127, 0), 0)).toBe(true);
  });
});

describe('isDecodable', () => {
  it('says what decodeRecord would', () => {
    let whole = 0;
    let broken = 0;
    for (const [i, record] of records.entries()) {
      const bytes = Buffer.from(record);
      // Version, type, and the lengths of strings are what can be wrong.
      const at = i % 7 === 0 ? 4 + (i % 2) : 56 + ((i * 31) % (bytes.length - 56));
      if (i % 3 !== 0) bytes[at] = (i * 97) & 0xff;
      const made = decodeRecord(bytes, 0, 0n) !== undefined;
      if (made) whole += 1;
      else broken += 1;
      expect(isDecodable(bytes, 0, bytes.length)).toBe(made);
    }
    expect(whole).toBeGreaterThan(500);
    expect(broken).toBeGreaterThan(100);
  });
});
