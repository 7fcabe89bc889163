import { describe, expect, it } from 'vitest';
import {
  addClause,
  endsInPast,
  paint,
  quoteValue,
  removeClause,
  timeOf,
  withTime,
  withoutTime,
} from './query-text.ts';

describe('clauses', () => {
  it('quote what is not plain and never turn a value into a wildcard', () => {
    expect(quoteValue('/usr/bin/curl')).toBe('/usr/bin/curl');
    expect(quoteValue('a b')).toBe('"a b"');
    expect(quoteValue('say "hi" \\ *')).toBe(String.raw`"say \"hi\" \\ \*"`);
    expect(quoteValue('and')).toBe('"and"');
    expect(quoteValue('')).toBe('""');
    expect(quoteValue('10.0.0.1:443')).toBe('10.0.0.1:443');
    expect(quoteValue('<b>')).toBe('"<b>"');
  });

  it('are added once, with parentheses round an or', () => {
    expect(addClause('', 'user', 'root')).toBe('user:root');
    expect(addClause('type:process', 'user', 'root', true)).toBe('type:process and not user:root');
    expect(addClause('type:process and user:root', 'user', 'root')).toBe('type:process and user:root');
    expect(addClause('a:1 or b:2', 'user', 'root')).toBe('(a:1 or b:2) and user:root');
    expect(addClause('(a:1 or b:2)', 'user', 'root')).toBe('(a:1 or b:2) and user:root');
    expect(addClause('cmd:"x or y"', 'user', 'root')).toBe('cmd:"x or y" and user:root');
  });

  it('replace their opposite', () => {
    expect(addClause('type:file and not user:root', 'user', 'root')).toBe('type:file and user:root');
    expect(addClause('user:root and type:file', 'user', 'root', true)).toBe('type:file and not user:root');
    expect(removeClause('a:1 and cmd:"x y" and b:2', 'cmd', 'x y')).toBe('a:1 and b:2');
  });
});

describe('time', () => {
  it('is found, replaced and removed', () => {
    expect(withoutTime('image:curl and last:1h')).toBe('image:curl');
    expect(withoutTime('last:1h and image:curl')).toBe('image:curl');
    expect(withoutTime('image:curl last:1h')).toBe('image:curl');
    expect(withoutTime('last:1h')).toBe('');
    expect(withTime('image:curl last:1h', 'last:24h')).toBe('image:curl and last:24h');
    expect(withTime('a:1 or b:2', 'last:24h')).toBe('(a:1 or b:2) and last:24h');
    expect(timeOf('x:1 and since:2026-01-01T00:00:00Z and until:2026-01-02T00:00:00Z')).toBe(
      'since:2026-01-01T00:00:00Z and until:2026-01-02T00:00:00Z',
    );
  });

  it('tells whether new events can match', () => {
    expect(endsInPast('until:2026-01-01T00:00:00Z')).toBe(true);
    expect(endsInPast('last:1h')).toBe(false);
  });
});

describe('paint', () => {
  const tokens = [
    { offset: 0, length: 4, kind: 'field' },
    { offset: 4, length: 1, kind: 'operator' },
    { offset: 5, length: 4, kind: 'value' },
    { offset: 10, length: 3, kind: 'keyword' },
  ];
  const text = 'user:root and x';
  it('covers the text exactly', () => {
    expect(
      paint(text, text, tokens)
        .map((part) => part.text)
        .join(''),
    ).toBe(text);
    expect(paint(text, text, tokens)[0]).toEqual({ text: 'user', kind: 'field' });
  });

  it('keeps colours on both sides of an edit until the next answer', () => {
    const edited = 'user:rooot and x';
    const parts = paint(edited, text, tokens);
    expect(parts.map((part) => part.text).join('')).toBe(edited);
    expect(parts).toContainEqual({ text: 'and', kind: 'keyword' });
    expect(parts).toContainEqual({ text: 'user', kind: 'field' });
  });

  it('survives any text with any tokens', () => {
    expect(paint('', text, tokens)).toEqual([]);
    expect(
      paint('zz', text, tokens)
        .map((part) => part.text)
        .join(''),
    ).toBe('zz');
    expect(paint('abc', 'abc', [{ offset: 0, length: 99, kind: 'x' }])).toEqual([{ text: 'abc', kind: '' }]);
  });
});
