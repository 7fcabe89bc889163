import { describe, expect, it } from 'vitest';
import { mark, needlesOf } from './highlight.ts';

describe('mark', () => {
  it('marks without regard to case and keeps the text whole', () => {
    const parts = mark('/usr/bin/CURL -s http://x', ['curl', 'http']);
    expect(parts.map((part) => part.text).join('')).toBe('/usr/bin/CURL -s http://x');
    expect(parts.filter((part) => part.marked).map((part) => part.text)).toEqual(['CURL', 'http']);
  });
  it('merges overlapping marks', () => {
    expect(mark('abcdef', ['bcd', 'cde'])).toEqual([
      { text: 'a', marked: false },
      { text: 'bcde', marked: true },
      { text: 'f', marked: false },
    ]);
  });
  it('does not trip over folding that changes lengths', () => {
    const text = 'İstanbul curl';
    expect(
      mark(text, ['curl'])
        .map((part) => part.text)
        .join(''),
    ).toBe(text);
    expect(mark(text, ['curl']).at(-1)).toEqual({ text: 'curl', marked: true });
  });
  it('gives nothing for nothing', () => {
    expect(mark('', ['a'])).toEqual([]);
    expect(mark('abc', ['', 'zzz'])).toEqual([{ text: 'abc', marked: false }]);
  });
});

describe('needles', () => {
  it('are the literal pieces of a pattern', () => {
    expect(needlesOf('CommandLine|contains', 'curl')).toEqual(['curl']);
    expect(needlesOf('Image', String.raw`*/bin/\*x`)).toEqual(['/bin/*x']);
    expect(needlesOf('CommandLine|re', 'a.*b')).toEqual([]);
  });
});
