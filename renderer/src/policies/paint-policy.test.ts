import { describe, expect, it } from 'vitest';
import { offsetOf, paintPolicy } from './paint-policy.ts';

const TEXT = 'id: p # a "comment"\nwhen: process.name == "a # b" && !has(file.path)\nversion: 3\n';
const problem = (line: number, column: number) => ({ file: 'policy', line, column, message: '', remedy: '' });

describe('a painted policy', () => {
  it('is the same text, whatever is in it', () => {
    for (const text of [TEXT, '', '"', "'", '#', 'a\n\n  - b: "x\ny', '"a\\" # "'])
      for (const problems of [[], [problem(1, 1)], [problem(2, 7), problem(99, 99)]])
        expect(
          paintPolicy(text, problems)
            .map((part) => part.text)
            .join(''),
        ).toBe(text);
  });

  it('knows keys, fields, texts and comments', () => {
    const kinds = new Map(paintPolicy(TEXT, []).map(({ text, kind }) => [text, kind]));
    expect(kinds.get('# a "comment"')).toBe('comment');
    expect(kinds.get('"a # b"')).toBe('value');
    expect(kinds.get('process.name')).toBe('field');
    expect(kinds.get('when')).toBe('key');
    expect(kinds.get('&&')).toBe('keyword');
    expect(kinds.get('3')).toBe('value');
  });

  it('marks the word at the place of a mistake', () => {
    const bad = paintPolicy(TEXT, [problem(2, 7)]).filter((part) => part.bad);
    expect(bad.map(({ text }) => text)).toEqual(['process.name']);
  });
});

it('the offset of a place stays within the text', () => {
  expect(offsetOf('ab\ncd', 2, 2)).toBe(4);
  expect(offsetOf('ab\ncd', 9, 9)).toBe(5);
  expect(offsetOf('ab', 0, 0)).toBe(0);
});
