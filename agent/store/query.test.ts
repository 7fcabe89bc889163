import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import { ANY, MAX_QUERY_DEPTH, ONE, QueryError, pattern, type Pattern, type QueryNode } from './query-ast.ts';
import { checkQuery } from './query-check.ts';
import { matches } from './query-match.ts';
import { parseQuery } from './query-parser.ts';
import { wholeTest } from './query-pattern.ts';
import { printQuery } from './query-print.ts';
import { arbitraryQuery } from './query-samples.ts';

const NOW = 1_795_000_000_000_000_000n;

const curl: SentinelEvent = {
  eventId: 42,
  type: 'process',
  action: 'exec',
  lane: 'security',
  tsNs: NOW - 60_000_000_000n,
  severity: 'medium',
  process: {
    pid: 100,
    startNs: 5n,
    ppid: 1,
    name: 'curl',
    executable: '/usr/bin/curl',
    argv: ['curl', '-o', '/tmp/a b', 'https://Example.com/x?y=1'],
    cwd: '/home/ana',
    uid: 1000,
    user: 'ana',
  },
  parent: { pid: 1, startNs: 1n, name: 'bash', executable: '/bin/bash', argv: ['bash'] },
  network: { protocol: 'tcp', dstIp: '10.1.2.3', dstPort: 443 },
  detections: [
    {
      ruleId: 'r-1',
      title: 'Download by curl',
      level: 'medium',
      attack: ['T1059.004'],
      clauses: [],
      source: 'bundled',
    },
  ],
};

function errorOf(text: string): QueryError {
  try {
    parseQuery(text);
  } catch (error) {
    if (error instanceof QueryError) return error;
    throw error;
  }
  throw new Error(`${text} parsed`);
}

describe('query language', () => {
  it.each([
    'image:*/curl',
    'image:curl',
    'Image:/usr/BIN/curl',
    'image:*/curl and not user:root last:1h',
    'curl',
    'example.com',
    '"/tmp/a b"',
    '"https://example.com/x\\?y=1"',
    'https://example.com',
    'cmd:"-o /tmp"',
    'port:443',
    'port:>=443 port:<444 port:1..1000',
    'port:(80 or 443)',
    'port:(80, 443)',
    'port:(80 443)',
    'type:(file or process)',
    'not type:file',
    'type:proc*',
    'ip:10.0.0.0/8',
    'ip:10.1.*',
    'ip:::ffff:10.1.2.3',
    'severity:>=medium',
    'severity:medium',
    'attack:T1059',
    'attack:t1059.004',
    'rule:r-1',
    'rule:"by curl"',
    'has:network.transport not has:file',
    'dst.ip:*',
    'seq:21 id:42',
    'not (user:root or user:www*)',
    'user:(not root)',
    'user:(not root and not bob)',
    'parent:bash ppid:1',
    'since:2026-11-01 until:2026-12-01',
    'ts:2026-11-01..2026-12-01',
    'cmd:cu?l',
    '',
    '*',
    'synthetic:false',
    'AND_NOT_A_KEYWORD or curl',
  ])('matches: %s', (text) => {
    expect(matches(parseQuery(text), curl, NOW)).toBe(true);
  });

  it.each([
    'user:root',
    'image:url',
    'image:*/bin',
    'port:80..442',
    'last:10s',
    'ip:11.0.0.0/8',
    'attack:T1005',
    'attack:T105',
    'severity:>medium',
    'not has:user',
    'file:*',
    'user:(not ana)',
    'curl and wget',
    'not (curl or wget)',
    'has:file',
  ])('does not match: %s', (text) => {
    expect(matches(parseQuery(text), curl, NOW)).toBe(false);
  });

  it.each([
    ['imge:x', 'did you mean image', 0, 4],
    ['a imge:x', 'did you mean image', 2, 4],
    ['type:netwrk', 'did you mean network', 5, 6],
    ['severity:>=hgh', 'did you mean high', 11, 3],
    ['port:x', 'port is a number', 5, 1],
    ['port:9..1', 'empty', 5, 4],
    ['image:', 'right after the colon', 0, 6],
    ['image: curl', 'right after the colon', 0, 6],
    ['(a or b', 'never closed', 0, 1],
    ['a)', 'closes nothing', 1, 1],
    ['"abc', 'never closed', 0, 4],
    ['a or', 'missing', 4, 0],
    ['or a', 'both sides', 0, 2],
    ['last:5', 'duration', 5, 1],
    ['since:2026-02-30', 'no time', 6, 10],
    ['ip:10.0.0', 'no address', 3, 6],
    ['has:nothing', 'has takes', 4, 7],
    ['user:>5', 'not a number', 6, 1],
    ['nosuchthing:x', 'quote it', 0, 11],
    ['type:(file or', 'missing', 13, 0],
  ])('refuses %s', (text, message, offset, length) => {
    const error = errorOf(text);
    expect(error.message).toContain(message);
    expect([error.offset, error.length]).toEqual([offset, length]);
  });

  it('bounds depth, length and terms', () => {
    const deep = MAX_QUERY_DEPTH + 1;
    expect(errorOf(`${'('.repeat(deep)}a${')'.repeat(deep)}`).message).toContain('nested');
    expect(errorOf('not '.repeat(deep)).message).toContain('nested');
    expect(errorOf('a '.repeat(600)).message).toContain('terms');
    expect(errorOf('a'.repeat(9000)).message).toContain('shorten');
    expect(errorOf(`a ${'?'.repeat(33)}`)).toMatchObject({ offset: 2, length: 33 });
    expect(errorOf(`cmd:(a or x${'?b'.repeat(33)})`)).toMatchObject({ offset: 10, length: 67 });
    expect(parseQuery(`${'('.repeat(40)}a${')'.repeat(40)}`)).toEqual(parseQuery('a'));
  });

  it.each([
    ['type:(file or network) and a', 'type:(file or network) and a'],
    ['TYPE:file  User:root', 'type:file and user:root'],
    ['a or (b and c)', 'a or b and c'],
    ['(a or b) c', '(a or b) and c'],
    ['Image:*\\cmd.exe', 'image:*\\cmd.exe'],
    ['last:3600s', 'last:1h'],
    ['since:1h', 'last:1h'],
    ['port:*', 'has:port'],
    ['ip:10.9.9.9/8', 'ip:10.0.0.0/8'],
    ['"a b"', '"a b"'],
    ['since:2026-11-20T10:00Z', 'since:2026-11-20T10:00:00Z'],
    ['"not"', '"not"'],
  ])('prints %s canonically', (text, canonical) => {
    expect(printQuery(parseQuery(text))).toBe(canonical);
  });

  it('is tested with every kind of node', () => {
    const kinds: Record<QueryNode['kind'], true> = {
      all: true,
      and: true,
      or: true,
      not: true,
      text: true,
      match: true,
      compare: true,
      range: true,
      cidr: true,
      has: true,
      time: true,
    };
    const seen = new Set<string>();
    const visit = (node: QueryNode): void => {
      seen.add(node.kind);
      if (node.kind === 'and' || node.kind === 'or') for (const item of node.items) visit(item);
      if (node.kind === 'not') visit(node.item);
    };
    for (const node of fc.sample(arbitraryQuery(), 1000)) visit(node);
    expect([...seen].toSorted()).toEqual(Object.keys(kinds).toSorted());
  });

  it('matches wildcards as a search that tries every split does', () => {
    const part = fc.constantFrom('a', 'b', 'ab', '😀', ANY, ONE);
    const text = fc.array(fc.constantFrom('a', 'b', '😀'), { maxLength: 9 }).map((parts) => parts.join(''));
    const naive = (parts: Pattern, rest: readonly string[]): boolean => {
      const [first, ...others] = parts;
      if (first === undefined) return rest.length === 0;
      if (first === ONE) return rest.length > 0 && naive(others, rest.slice(1));
      if (first === ANY) return naive(others, rest) || (rest.length > 0 && naive(parts, rest.slice(1)));
      const wanted = Array.from(first);
      return wanted.every((char, at) => rest[at] === char) && naive(others, rest.slice(wanted.length));
    };
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), text, (parts, value) => {
        const normal = pattern(parts as Pattern);
        expect(wholeTest(normal)(value)).toBe(naive(normal, Array.from(value)));
      }),
      { numRuns: 3000 },
    );
  });

  it('gives every tree back from its printed text', () => {
    fc.assert(
      fc.property(arbitraryQuery(), (node) => {
        expect(parseQuery(printQuery(node))).toEqual(node);
      }),
      { numRuns: 2000 },
    );
  });

  it('throws nothing but QueryError, with a place inside the text', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '(',
        ')',
        '"',
        ':',
        'and',
        'not',
        ' ',
        '..',
        '>=',
        'type:',
        'port:',
        'last:',
        'ip:',
        'ts:',
        '\\',
        '*',
        ',',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(60), (pieces, caret) => {
        const text = pieces.join('');
        const result = checkQuery(text, caret, () => ['x']);
        if (result.ok) {
          const node = parseQuery(text);
          matches(node, curl, NOW);
          expect(parseQuery(printQuery(node))).toEqual(node);
        } else {
          const { offset, length } = result.error ?? { offset: -1, length: -1 };
          expect(offset).toBeGreaterThanOrEqual(0);
          expect(offset + length).toBeLessThanOrEqual(text.length);
        }
        let end = 0;
        for (const token of result.tokens) {
          expect(token.offset).toBeGreaterThanOrEqual(end);
          end = token.offset + token.length;
        }
        expect(end).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('editing help', () => {
  const labels = (text: string, caret = text.length): string[] =>
    checkQuery(text, caret, (field, prefix) => [`${field}-${prefix}`]).completions.map((item) => item.text);

  it('completes fields, values, units and keywords', () => {
    expect(labels('ima')).toContain('image:');
    expect(labels('TargetF')).toContain('file:');
    expect(labels('type:ne')).toEqual(['network']);
    expect(labels('type:(file or ne')).toEqual(['network']);
    expect(labels('last:5')).toContain('5h');
    expect(labels('severity:')).toContain('>=high');
    expect(labels('severity:>=hi')).toContain('high');
    expect(labels('user:ro')).toEqual(['user-ro']);
    expect(labels('curl ')).toContain('and');
    expect(labels('has:net')).toEqual([]);
    expect(labels('has:por')).toContain('port');
  });

  it('replaces the word under the caret only', () => {
    const { completions } = checkQuery('type:ne user:root', 7);
    expect(completions[0]).toMatchObject({ text: 'network', replaceFrom: 5, replaceTo: 7 });
  });

  it('colours by kind', () => {
    expect(checkQuery('image:x and last:1h').tokens.map((token) => token.kind)).toEqual([
      'field',
      'value',
      'keyword',
      'time',
      'time',
    ]);
  });
});
