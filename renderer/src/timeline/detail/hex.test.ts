import { describe, expect, it } from 'vitest';
import { exactJson, hexLines } from './hex.ts';

describe('raw bytes', () => {
  it('are dumped sixteen to a line with their offset', () => {
    expect(hexLines('00415a7f'.repeat(5), 10)).toEqual([
      { offset: '0000', bytes: '00 41 5a 7f 00 41 5a 7f  00 41 5a 7f 00 41 5a 7f', text: '.AZ..AZ..AZ..AZ.' },
      { offset: '0010', bytes: '00 41 5a 7f', text: '.AZ.' },
    ]);
    expect(hexLines('00'.repeat(1000), 2)).toHaveLength(2);
    expect(hexLines('', 2)).toEqual([]);
  });
  it('stay exact and inert as JSON', () => {
    const hostile = { path: 'a\u202E\u0007é😀' };
    const text = exactJson(hostile);
    expect(text).toMatch(/^[\n\x20-\x7e]*$/);
    expect(JSON.parse(text)).toEqual(hostile);
  });
});
