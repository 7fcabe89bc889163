import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import { completePolicy } from './complete.ts';
import { lineDifference, meaningDifference } from './difference.ts';
import { withDocument, withException, withVersion } from './edit.ts';
import { exceptionCandidates } from './except.ts';
import { expressionCompiler } from './expression.ts';
import { parsePolicies, type LoadedPolicy } from './parse.ts';
import { TEMPLATES } from './templates.ts';

const compile = expressionCompiler((pattern) => new RegExp(pattern));
const BASE = `# by the watch
id: p   # its name
version: 3
severity: low
when: >-
  event.action == "exec" &&
  process.name == "nc"
action: kill
`;
const EXCEPTION = {
  when: 'user.name == "bob: \'x\' #1"',
  owner: 'alice',
  reason: 'a # b: c',
  expires: '2030-01-31',
};

function load(text: string): LoadedPolicy {
  const { policies, problems } = parsePolicies('t', text, compile);
  expect(problems).toEqual([]);
  return policies[0]!;
}

describe('a change of a policy’s text', () => {
  it('of its version leaves all else, comments too', () => {
    expect(withVersion(BASE, 12)).toBe(BASE.replace('version: 3', 'version: 12'));
  });

  it.each([
    ['has none', BASE],
    ['has an empty list', `${BASE}exceptions: []\ncanaryPercent: 5\n`],
    ['has an empty key', `${BASE}exceptions:\ncanaryPercent: 5\n`],
    [
      'has a list',
      `${BASE}exceptions:\n  - when: user.id == 1\n    owner: o\n    expires: 2030-01-01\n\ncanaryPercent: 5\n`,
    ],
    [
      'has a list without indentation',
      `${BASE}exceptions:\n- when: >-\n    user.id ==\n    1\n  owner: o\n  expires: 2030-01-01\ncanaryPercent: 5\n`,
    ],
    [
      'has a flow list',
      `${BASE}exceptions: [{when: user.id == 1, owner: o, expires: '2030-01-01'}]\ncanaryPercent: 5\n`,
    ],
  ])('adds an exception to one that %s, behind what it has', (_name, text) => {
    const before = load(text).policy;
    const { policy } = load(withException(text, EXCEPTION));
    expect(policy.exceptions.slice(0, -1)).toEqual(before.exceptions);
    expect(policy.exceptions.at(-1)).toMatchObject({
      when: EXCEPTION.when,
      owner: 'alice',
      reason: EXCEPTION.reason,
      expiresMs: Date.parse('2030-01-31T23:59:59.999Z'),
    });
    expect({ ...policy, exceptions: [], hash: '', text: '' }).toEqual({
      ...before,
      exceptions: [],
      hash: '',
      text: '',
    });
  });

  it('writes any text into an exception so that it is read back', () => {
    const words = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
      .map((text) => text.replace(/[\s\p{C}]+/gu, ' ').trim());
    fc.assert(
      fc.property(
        words.filter((text) => text !== ''),
        (text) => {
          const { exceptions } = load(
            withException(BASE, { ...EXCEPTION, reason: text, owner: text }),
          ).policy;
          expect(exceptions[0]).toMatchObject({ reason: text, owner: text });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('replaces one policy of a file and leaves the others', () => {
    const other = BASE.replace('id: p ', 'id: q ');
    const third = BASE.replace('id: p ', 'id: r ');
    const next = BASE.replace('kill', 'alert');
    const file = withDocument(`---\n${other}---\n${BASE}---\n${third}`, 'p', next)!;
    const { policies } = parsePolicies('t', file, compile);
    expect(policies.map(({ policy }) => [policy.id, policy.action])).toEqual([
      ['q', 'kill'],
      ['p', 'alert'],
      ['r', 'kill'],
    ]);
    expect(policies[0]?.policy.hash).toBe(load(other).policy.hash);
    expect(withDocument(other, 'p', next)).toBeUndefined();
  });
});

describe('the difference of two texts', () => {
  it('gives both texts back line by line, with as few changes as there are', () => {
    const line = fc.constantFrom('a', 'b', 'c', 'd');
    const text = fc.array(line, { minLength: 1, maxLength: 12 }).map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(text, text, (from, to) => {
        const lines = lineDifference(from, to);
        const side = (other: string): string[] =>
          lines.filter(({ kind }) => kind !== other).map((each) => each.text);
        expect(side('added').join('\n')).toBe(from);
        expect(side('removed').join('\n')).toBe(to);
        for (const { kind, text: shown, oldLine, newLine } of lines) {
          if (kind !== 'added') expect(from.split('\n')[oldLine! - 1]).toBe(shown);
          if (kind !== 'removed') expect(to.split('\n')[newLine! - 1]).toBe(shown);
        }
        if (from === to) expect(new Set(lines.map(({ kind }) => kind))).toEqual(new Set(['same']));
      }),
    );
    expect(lineDifference('a\nb\nc', 'a\nx\nc').map(({ kind }) => kind)).toEqual([
      'same',
      'removed',
      'added',
      'same',
    ]);
  });

  it('says what it means: fields, clauses, exceptions', () => {
    const to = BASE.replace('"nc"', '"ncat"').replace('severity: low', 'severity: high');
    const meaning = meaningDifference(load(BASE), load(withException(to, EXCEPTION)));
    expect(meaning.fields).toEqual([{ field: 'severity', from: 'low', to: 'high' }]);
    expect(meaning.clauses).toEqual({
      added: ['process.name == "ncat"'],
      removed: ['process.name == "nc"'],
      kept: 1,
    });
    expect(meaning.exceptions.added).toEqual([`${EXCEPTION.when} (alice, 2030-01-31)`]);
  });

  it('does not take another layout for another meaning, nor other joints for the same', () => {
    const laidOut = load(BASE.replace('>-\n  event', '|\n  event').replace('# by the watch\n', ''));
    expect(meaningDifference(load(BASE), laidOut)).toMatchObject({
      fields: [],
      clauses: { added: [], removed: [], kept: 2 },
      rejoined: false,
    });
    expect(meaningDifference(load(BASE), load(BASE.replace('&&', '||'))).rejoined).toBe(true);
  });
});

describe('completion', () => {
  const at = (text: string): string[] => {
    const caret = text.indexOf('^');
    return completePolicy(text.replace('^', ''), caret).map(({ label }) => label);
  };

  it.each([
    ['id: p\nsev^', 'severity'],
    ['id: p\nseverity: me^', 'medium'],
    ['action: deny_^', 'deny_exec'],
    ['when: process.exec^', 'process.executable'],
    ['when: >-\n  event.action == "exec" &&\n  det^', 'detection.ids'],
    ['when: >-\n  a &&\n\n    (b ||\n  dest^', 'destination.ip'],
    ['when: event.action == "ex^', 'exec'],
    ['when: event.action in ["exec", "o^', 'open'],
    ['when: process.name == "x" && Ima^', 'Image'],
    ['when: process.executable.starts^', 'startsWith("")'],
    ['when: process.args.ex^', 'exists(x, x == "")'],
    ['exceptions:\n  - wh^', 'when'],
    ['exceptions:\n  - when: user.n^', 'user.name'],
    ['scope:\n  us^', 'users'],
  ])('%j offers %s', (text, label) => expect(at(text)).toContain(label));

  it('offers no key twice, and nothing inside of free text', () => {
    expect(at('id: p\nseverity: low\ns^')).not.toContain('severity');
    expect(at('title: process.^')).toEqual([]);
    expect(at('when: process.name == "proc^')).toEqual([]);
  });

  it('replaces what was typed', () => {
    const text = 'when: process.exec && true';
    const [first] = completePolicy(text, 18);
    expect(text.slice(0, first!.replaceFrom) + first!.text + text.slice(first!.replaceTo)).toBe(
      'when: process.executable && true',
    );
  });
});

it('every template is a valid policy', () => {
  expect(TEMPLATES.map(({ text }) => load(text).policy.title)).toEqual(TEMPLATES.map(({ title }) => title));
});

it('candidates of an exception each hold for the event they are drafted from, whatever its texts are', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (name) => {
      const event: SentinelEvent = {
        eventId: 2,
        type: 'process',
        action: 'exec',
        lane: 'security',
        tsNs: 1n,
        severity: 'info',
        process: { pid: 1, startNs: 1n, name: 'x', executable: `/tmp/${name}`, argv: ['x', name], uid: 0 },
      };
      for (const { when } of exceptionCandidates(event, compile)) {
        expect(compile(when).test(event)).toBe(true);
        expect(when).not.toMatch(/[\u0000-\u001f\u202e\u200b]/);
      }
    }),
    { numRuns: 100 },
  );
});
