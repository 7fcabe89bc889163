import { describe, expect, it } from 'vitest';
import { clip, neutralise, segments, splitForEllipsis } from './neutralise.ts';

describe('neutralise', () => {
  it('leaves ordinary text alone in any script', () => {
    for (const text of [
      'curl https://example.org',
      '/etc/passwd',
      'مرحبا',
      '日本語 テスト',
      'naïve café',
      'हिन्दी',
      '👍',
      '',
    ]) {
      expect(neutralise(text)).toBe(text);
    }
  });

  it('shows bidi controls, zero-width and tag characters as escapes', () => {
    expect(neutralise('a\u202Etxt.exe')).toBe('a⟨U+202E⟩txt.exe');
    expect(neutralise('pay\u200Bpal')).toBe('pay⟨U+200B⟩pal');
    expect(neutralise('\u{E0041}')).toBe('⟨U+E0041⟩');
    expect(neutralise('\u2066x\u2069')).toBe('⟨U+2066⟩x⟨U+2069⟩');
    expect(neutralise('a\u00ADb')).toBe('a⟨U+00AD⟩b');
    expect(neutralise('\u3164')).toBe('⟨U+3164⟩');
    expect(neutralise('\u00A0')).toBe('⟨U+00A0⟩');
  });

  it('shows every C0 and C1 control, DEL and line separators', () => {
    for (const code of [0, 7, 8, 9, 10, 13, 27, 0x7f, 0x80, 0x9b, 0x9f, 0x2028, 0x2029]) {
      const hex = code.toString(16).toUpperCase().padStart(4, '0');
      expect(neutralise(`a${String.fromCharCode(code)}b`)).toBe(`a⟨U+${hex}⟩b`);
    }
  });

  it('never leaves a character that is invisible or reorders text, over all of the BMP and the tag plane', () => {
    const through: string[] = [];
    const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/u;
    for (let code = 0; code <= 0xe01ef; code += code === 0xffff ? 0xd0001 : 1) {
      const shown = neutralise(`a${String.fromCodePoint(code)}b`);
      if (hidden.test(shown)) through.push(code.toString(16));
    }
    expect(through).toEqual([]);
  });

  it('shows lone surrogates and keeps pairs', () => {
    expect(neutralise('a\uD800b')).toBe('a⟨U+D800⟩b');
    expect(neutralise('😀')).toBe('😀');
  });

  it('keeps emoji sequences whole, and escapes the same characters elsewhere', () => {
    expect(neutralise('👩‍💻')).toBe('👩‍💻');
    expect(neutralise('❤️')).toBe('❤️');
    expect(neutralise('1️⃣')).toBe('1️⃣');
    expect(neutralise('🏴‍☠️')).toBe('🏴‍☠️');
    expect(neutralise('a\u200Db')).toBe('a⟨U+200D⟩b');
    expect(neutralise('a\uFE0F')).toBe('a⟨U+FE0F⟩');
  });

  it('caps stacked combining marks', () => {
    const shown = neutralise(`z${'\u0301'.repeat(20)}`);
    expect(shown.startsWith(`z${'\u0301'.repeat(8)}⟨U+0301⟩`)).toBe(true);
  });

  it('cannot be imitated: a literal escape in the text is itself escaped', () => {
    expect(neutralise('⟨U+202E⟩')).toBe('⟨U+27E8⟩U+202E⟩');
    expect(neutralise('⟨x⟩')).toBe('⟨x⟩');
  });

  it('marks which parts are escapes', () => {
    expect(segments('a\u202Eb')).toEqual([
      { text: 'a', escaped: false },
      { text: '⟨U+202E⟩', escaped: true, codePoint: 0x202e },
      { text: 'b', escaped: false },
    ]);
  });

  it('is quick on a megabyte', () => {
    expect(neutralise('x'.repeat(1 << 20)).length).toBe(1 << 20);
  });
});

describe('clip and splitForEllipsis', () => {
  it('cuts without splitting a surrogate pair and tells what is left out', () => {
    expect(clip('ab😀', 3)).toEqual({ text: 'ab', omitted: 2 });
    expect(clip('abc', 3)).toEqual({ text: 'abc', omitted: 0 });
  });

  const textOf = (parts: { text: string }[]): string => parts.map((part) => part.text).join('');
  it('keeps the last path component in the tail', () => {
    const path = '/usr/lib/x86_64-linux-gnu/some/very/deep/folder/name.so.1';
    const { head, tail } = splitForEllipsis(segments(path));
    expect(textOf(tail)).toBe('/name.so.1');
    expect(textOf(head) + textOf(tail)).toBe(path);
    expect(splitForEllipsis(segments('/etc/hosts')).tail).toEqual([]);
  });

  it('never tears an escape or makes the tail longer than its limit', () => {
    for (const text of [
      `${'a'.repeat(40)}${'\u202E'.repeat(9)}`,
      `${'\u202E'.repeat(40)}b`,
      'x'.repeat(100),
    ]) {
      const parts = segments(text);
      const { head, tail } = splitForEllipsis(parts);
      expect(textOf(head) + textOf(tail)).toBe(textOf(parts));
      expect(textOf(tail).length).toBeLessThanOrEqual(18);
    }
  });

  it('never tears an emoji sequence', () => {
    const { tail } = splitForEllipsis(segments(`${'a'.repeat(40)}👩‍💻${'b'.repeat(16)}`));
    expect(textOf(tail)).toMatch(/^(👩‍💻)?b+$/u);
  });
});
