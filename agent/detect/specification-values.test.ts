/**
 * The Sigma specification 2.1, sentence by sentence: each group is named by the text it follows from
 * (sigma-rules-specification.md, sigma-appendix-modifiers.md, sigma-correlation-rules-specification.md), each case is a
 * detection section, an event and what that text says about the two.
 */
import { describe, expect, it } from 'vitest';
import { type Item, items, matches } from '../../test/detect/specification.ts';
import type { FlatObject } from './flat-source.ts';

const base64 = (text: string, encoding: BufferEncoding = 'utf8'): string =>
  Buffer.from(text, encoding).toString('base64');
const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

describe('values', () => {
  items('All values are treated as case-insensitive strings', [
    ['F', 'ABC', 'abc', true],
    ['F', "'1'", 1, true],
    ['F', '1', '1', true],
    ['F', '1', '01', false],
    ['F', 'true', 'True', true],
    ['F', "'FALSE'", false, true],
    ['F', '"Straße"', 'STRAßE', true],
    ['F', "'4096'", 4096, true],
    ['F', '-1', '-1', true],
    ['F', '1.5', '1.5', true],
    ['F|contains', '444', 4444, true],
    ['F', 'yes', 'Yes', true],
    ['F', 'on', 'ON', true],
    ['F', '0x17', 23, true],
    ['F', "'1.10'", '1.10', true],
    ['F', '1.0', 1.0, true],
    ['F', '1_000', '1_000', true],
    ['F', '2024-01-02', '2024-01-02', true],
    ['F', '~', 'x', false],
  ]);
  items('`?` to replace a single mandatory character', [
    ['F', "'prog?.exe'", 'progA.exe', true],
    ['F', "'prog?.exe'", 'prog.exe', false],
    ['F', "'prog?.exe'", 'progAB.exe', false],
    ['F|contains', "'a?c'", 'xxabcxx', true],
    ['F|endswith', "'?.exe'", '.exe', false],
    ['F', "'?'", '', false],
  ]);
  items('`*` to replace an unbounded length wildcard', [
    ['F', "'antivirus_V*.exe'", 'antivirus_V21.2.1.exe', true],
    ['F', "'a*'", 'a', true],
    ['F', "'*a*'", 'line one\nline a two', true],
    ['F', "'**'", '', true],
    ['F|startswith', "'*x'", 'aaax-tail', true],
    ['F|endswith', "'x*'", 'aax-tail', true],
  ]);
  items('Plain backslash not followed by a wildcard can be expressed as single `\\` or double backslash', [
    ['F', "'C:\\a'", 'C:\\a', true],
    ['F', "'C:\\\\a'", 'C:\\a', true],
    ['F', '"C:\\\\a"', 'C:\\a', true],
    ['F|endswith', "'\\cmd.exe'", 'C:\\Windows\\cmd.exe', true],
    ['F|endswith', "'\\\\cmd.exe'", 'C:\\Windows\\cmd.exe', true],
    ['F|contains', "'\\Temp\\'", 'C:\\Temp\\x', true],
    ['F|startswith', "'HKLM\\'", 'HKLM\\Software', true],
  ]);
  items('A wildcard has to be escaped to be handled as a plain character', [
    ['F', "'a\\*'", 'a*', true],
    ['F', "'a\\*'", 'ab', false],
    ['F', "'a\\?'", 'a?', true],
    ['F|contains', "'\\*\\?'", 'x*?x', true],
    ['F|contains', "'\\*\\?'", 'xabx', false],
  ]);
  items(
    'The backslash before a wildcard has to be escaped to handle the value as a backslash followed by a wildcard',
    [
      ['F', "'C:\\\\*'", 'C:\\x', true],
      ['F', "'C:\\\\*'", 'C:*', false],
      ['F', "'C:\\\\?'", 'C:\\x', true],
    ],
  );
  items('Three backslashes are necessary to escape both', [
    ['F', "'C:\\\\\\*'", 'C:\\*', true],
    ['F', "'C:\\\\\\*'", 'C:\\x', false],
  ]);
  items('Three or four backslashes are handled as double backslash', [
    ['F', "'\\\\\\host'", '\\\\host', true],
    ['F', "'\\\\\\\\host'", '\\\\host', true],
    ['F|startswith', "'\\\\\\\\10.0.0.1\\'", '\\\\10.0.0.1\\c$', true],
  ]);
  items("An empty value is defined with ''", [
    ['F', "''", '', true],
    ['F', "''", 'x', false],
    ['F', "''", undefined, false],
    ['F', "''", null, false],
  ]);
  items('A null value is defined with null', [
    ['F', 'null', undefined, true],
    ['F', 'null', null, true],
    ['F', 'null', '', false],
    ['F', 'null', 'null', false],
    ['F', '[null, x]', 'x', true],
    ['F', '[null, x]', undefined, true],
    ['F', '[]', undefined, true],
  ]);
  it('All elements of a map are joined with a logical AND', () => {
    const rule = 'sel:\n  A: 1\n  B: [2, 3]\ncondition: sel';
    expect(matches(rule, { A: 1, B: 3 })).toBe(true);
    expect(matches(rule, { A: 1, B: 4 })).toBe(false);
    expect(matches(rule, { A: 1 })).toBe(false);
  });
  it('All map items of a list are logically linked with OR', () => {
    const rule = 'sel:\n  - A: 1\n    B: 2\n  - C: 3\ncondition: sel';
    expect(matches(rule, { A: 1, B: 2 })).toBe(true);
    expect(matches(rule, { C: 3 })).toBe(true);
    expect(matches(rule, { A: 1 })).toBe(false);
  });
  it('field names are case-sensitive', () => {
    expect(matches('sel:\n  Image: a\ncondition: sel', { image: 'a' })).toBe(false);
  });
  it('a field with several values matches if one of them does', () => {
    expect(matches('sel:\n  F|endswith: b\ncondition: sel', { F: ['a', 'ab'] })).toBe(true);
    expect(matches('sel:\n  F|contains|all: [a, b]\ncondition: sel', { F: ['xa', 'xb'] })).toBe(true);
  });
});

describe('keywords', () => {
  const two = "sel:\n  '|all':\n    - Oab\n    - ' -Url '\ncondition: sel";
  it("strings that are applied to the full log message and are linked with a logical 'OR'", () => {
    const rule = "sel:\n  - EVILSERVICE\n  - 'svchost.exe -n evil'\ncondition: sel";
    expect(matches(rule, { A: 'x', B: 'the EvilService here' })).toBe(true);
    expect(matches(rule, { A: { B: ['run svchost.exe -n evil now'] } })).toBe(true);
    expect(matches(rule, { A: 'svchost.exe', B: '-n evil' })).toBe(false);
  });
  it('To have a and operator, we use the |all modifier', () => {
    expect(matches(two, { A: 'OabVirtual', B: 'x -url y' })).toBe(true);
    expect(matches(two, { A: 'OabVirtual' })).toBe(false);
  });
  it.each([
    ["- 'a*z'", { A: 'xx a..z xx' }, true],
    ["- 'a*z'", { A: 'a', B: 'z' }, false],
    ['- 4688', { EventID: 4688 }, true],
    ["'|re': '^user=\\w+$'", { A: 'user=root' }, true],
    ["'|re': '^user=\\w+$'", { A: 'no user=root' }, false],
    ["'|contains': abc", { A: 'xABCx' }, true],
    ["'|cased': ABC", { A: 'xabcx' }, false],
    ['plain', { A: 'a PLAIN word' }, true],
    ['- F: a\n- word', { A: 'a word' }, true],
    ['- F: a\n- word', { F: 'a' }, true],
  ])('%s in %j: %s', (selection, event, expected) => {
    expect(matches(`sel:\n${selection.replace(/^/gm, '  ')}\ncondition: sel`, event as FlatObject)).toBe(
      expected,
    );
  });
});

describe('generic modifiers', () => {
  items('all: Normally, lists of values are linked with *OR*. This modifier changes this to *AND*', [
    ['F|contains', '[a, b]', 'xb', true],
    ['F|contains|all', '[a, b]', 'ab', true],
    ['F|contains|all', '[a, b]', 'b', false],
    ['F|all|contains', '[a, b]', 'ba', true],
    ['F|all', "['*a*', '*b*']", 'ba', true],
    ['F|re|all', "['a+', 'b+']", 'aab', true],
    ['F|windash|contains|all', "[' -a', ' -b']", 'x /b –a', true],
  ]);
  items('exists: only verifies the presence of a field, not its value, be it empty or null', [
    ['F|exists', 'true', 'x', true],
    ['F|exists', 'true', '', true],
    ['F|exists', 'true', null, true],
    ['F|exists', 'true', undefined, false],
    ['F|exists', 'false', undefined, true],
    ['F|exists', 'false', null, false],
    ['F|exists', 'true', { a: 1 }, true],
    ['F|exists', 'true', [], true],
  ]);
  items('cased: Values are applied case sensitively', [
    ['F|cased', 'Abc', 'Abc', true],
    ['F|cased', 'Abc', 'abc', false],
    ['F|contains|cased', 'B', 'abc', false],
    ['F|cased|endswith', "['C', 'c']", 'abc', true],
    ['F|cased', "'A*C'", 'AbC', true],
    ['F|cased', "'A*C'", 'abc', false],
  ]);
  items('neq: The field is different from the specified values', [
    ['F|neq', 'a', 'b', true],
    ['F|neq', 'a', 'A', false],
    ['F|neq', '[a, b]', 'c', true],
    ['F|neq', '[a, b]', 'b', false],
    ['F|neq', '5', 5, false],
    ['F|neq', '5', 6, true],
    ['F|contains|neq', 'x', 'axb', false],
    ['F|neq|endswith', '.exe', 'a.dll', true],
    ['F|fieldref|neq', 'Other', 'x', false],
    ['F|fieldref|neq', 'Other', 'y', true],
    ['F|re|neq', "'^a'", 'ab', false],
    ['F|cidr|neq', '10.0.0.0/8', '11.0.0.1', true],
  ]);
});

describe('string modifiers', () => {
  items('windash: all possible permutations of the `-`, `/`, `–`, `—`, and `―` characters', [
    ...['-', '/', '\u2013', '\u2014', '\u2015'].flatMap((dash): Item[] => [
      ['F|windash|contains', "' -enc '", `p ${dash}enc x`, true],
      ['F|contains|windash', "' /enc '", `p ${dash}enc x`, true],
      ['F|windash|endswith', "'-x'", `p ${dash}x`, true],
    ]),
    ['F|windash|contains', "' \u2013enc '", 'p /enc x', true],
    ['F|windash|contains', "'-a-b'", '/a-b', true],
    ['F|windash|contains', "'-a-b'", '/a/b', false],
    ['F|windash|contains', "'-s -d'", '/s \u2014d', true],
    ['F|windash|contains', "'-s'", '_s', false],
  ]);
  items('base64: The value is encoded with Base64', [
    ['F|base64', 'foobar', base64('foobar'), true],
    ['F|base64', "'foo\\*'", base64('foo*'), true],
    ['F|base64|contains', "'http://'", `x${base64('http://')}x`, true],
    ['F|base64', "'ü'", base64('ü'), true],
  ]);
  items('base64offset: There are three variants for shifts by zero to two bytes', [
    ...['', 'a', 'ab', 'abc', 'abcd'].map((head): Item => [
      'F|base64offset|contains',
      "'/bin/bash'",
      base64(`${head}/bin/bash and more`),
      true,
    ]),
    ['F|base64offset|contains', "'/bin/bash'", base64('/bin/dash and more'), false],
  ]);
  items('utf16le, utf16be, utf16 and wide', [
    ['F|utf16le|base64offset|contains', 'cmd', base64('run cmd', 'utf16le'), true],
    ['F|wide|base64offset|contains', 'IEX', base64('x IEX (', 'utf16le'), true],
    ['F|wide|base64offset|contains', 'IEX', base64('x IEX ('), false],
    ['F|utf16be|base64', 'cmd', utf16be('cmd').toString('base64'), true],
    ['F|utf16|base64', 'cmd', Buffer.from('\ufeffcmd', 'utf16le').toString('base64'), true],
    ['F|wide|base64', "'日本'", base64('日本', 'utf16le'), true],
    ['F|wide', 'ab', 'a\0b\0', true],
  ]);
  items('re: Regex is matched case-sensitive by default', [
    ['F|re', "'a.c'", 'xabcx', true],
    ['F|re', "'a.c'", 'ABC', false],
    ['F|re', "'^a$'", 'a', true],
    ['F|re', "'^a$'", 'ab', false],
    ['F|re', "'a{2,3}$'", 'baa', true],
    ['F|re', "'(a|b)+c'", 'xabac', true],
    ['F|re', "'[^a-z]'", 'abc', false],
    ['F|re', "'\\d+\\\\x'", '12\\x', true],
    ['F|re', "'a*b'", 'b', true],
    ['F|re', '5', 450, true],
    ['F|re', "'\\.(exe|dll)$'", 'a.dll', true],
    ['F|re', "'\\s-[eE]\\s'", 'x -e y', true],
    ['F|re', "'(?i)abc'", 'ABC', true],
    ['F|re', "'(?:a|b)(?=c)'", 'ac', true],
    ['F|re', "'^(?!a)'", 'ab', false],
    ['F|re', "'\\x41\\u0042'", 'AB', true],
    ['F|re', "'\\bfoo\\b'", 'a foo b', true],
    ['F|re', "'a$'", 'a\n', true],
    ['F|re', "'^$'", '', true],
    ['F|re', "'.*'", undefined, false],
  ]);
  items('re sub-modifiers i, m and s', [
    ['F|re|i', "'a.c'", 'ABC', true],
    ['F|re|m', "'^b$'", 'a\nb\nc', true],
    ['F|re', "'^b$'", 'a\nb\nc', false],
    ['F|re|s', "'a.b'", 'a\nb', true],
    ['F|re', "'a.b'", 'a\nb', false],
    ['F|re|i|m|s', "'^B.C'", 'a\nb\nc', true],
  ]);
});

describe('numeric, time, address and field modifiers', () => {
  items('lt, lte, gt, gte', [
    ['F|lt', '5', 4, true],
    ['F|lt', '5', 5, false],
    ['F|lte', '5', 5, true],
    ['F|gt', '5', '5.1', true],
    ['F|gte', '5', 5, true],
    ['F|gt', '5', '10', true],
    ['F|gt', '-1', 0, true],
    ['F|gt', '5', 'abc', false],
    ['F|gt', '5', '', false],
    ['F|lt', '5', null, false],
    ['F|lt', '5', undefined, false],
    ['F|gt', "'5'", 6, true],
    ['F|gt', '[100, 5]', 6, true],
  ]);
  items('Time modifiers: it extracts a numeric value from a date', [
    ['F|minute', '7', '2024-02-29T13:07:05Z', true],
    ['F|hour', '13', '2024-02-29 13:07:05.123', true],
    ['F|hour', '13', '2024-02-29T13:07:05+05:00', true],
    ['F|day', '29', '2024-02-29', true],
    ['F|week', '9', '2024-02-29T13:07:05Z', true],
    ['F|month', '2', '2024-02-29T13:07:05Z', true],
    ['F|year', '2024', '2024-02-29T13:07:05Z', true],
    ['F|year', '2023', '2024-02-29T13:07:05Z', false],
    ['F|hour|gte', '13', '2024-02-29T13:07:05Z', true],
    ['F|hour', '[12, 13]', '2024-02-29T13:07:05Z', true],
    ['F|hour', '0', 'no date', false],
  ]);
  items('cidr: Supports both IPv4 and IPv6 notations', [
    ['F|cidr', '10.0.0.0/8', '10.255.0.1', true],
    ['F|cidr', '10.0.0.0/8', '11.0.0.1', false],
    ['F|cidr', "'fc00::/7'", 'fd12::1', true],
    ['F|cidr', "'::1/128'", '0:0:0:0:0:0:0:1', true],
    ['F|cidr', "['10.0.0.0/8', '192.168.0.0/16']", '192.168.3.4', true],
    ['F|cidr', '0.0.0.0/0', '8.8.8.8', true],
    ['F|cidr', '0.0.0.0/0', '::1', false],
    ['F|cidr', "'127.0.0.1'", '127.0.0.1', true],
    ['F|cidr', '10.0.0.0/8', '10.0.0', false],
    ['F|cidr', '10.0.0.0/8', 'host', false],
  ]);
  items('fieldref: compare fields of matched events directly', [
    ['F|fieldref', 'Other', 'x', true],
    ['F|fieldref', 'Other', 'X', true],
    ['F|fieldref', 'Other', 'y', false],
    ['F|fieldref', 'Missing', 'x', false],
    ['F|fieldref|startswith', 'Other', 'xyz', true],
    ['F|fieldref|endswith', 'Other', 'zyx', true],
    ['F|fieldref|contains', 'Other', 'zxy', true],
    ['F|fieldref|contains', 'Other', 'zy', false],
    ['F|fieldref', '[Missing, Other]', 'x', true],
  ]);
});
