import { describe, expect, it } from 'vitest';
import { Extraction, TextWriter } from './extraction.ts';
import { withDefaults } from './limits.ts';
import { PageText, type TextItem } from './pdf-page.ts';

function told(items: TextItem[]): string {
  const pieces: Buffer[] = [];
  const writer = new TextWriter(
    new Extraction({
      limits: withDefaults(),
      sink: (_member, chunk) => void pieces.push(chunk),
      inputBytes: 1,
      visit: () => Promise.resolve(),
      visitStream: () => Promise.resolve(),
    }),
    '',
  );
  const page = new PageText(writer);
  for (const item of items) page.add(item);
  page.end();
  writer.end();
  return Buffer.concat(pieces).toString('utf8');
}

/** Ten points high, five points a letter. */
const at = (x: number, y: number, str: string, turned = false): TextItem => ({
  str,
  transform: turned ? [0, 10, -10, 0, x, y] : [10, 0, 0, 10, x, y],
  width: str.length * 5,
  height: 10,
});

describe('text of a page', () => {
  it('parts what lies apart, and joins what touches', () => {
    expect(told([at(0, 700, '4111'), at(20, 700, '1111')])).toBe('41111111\n');
    expect(told([at(0, 700, '4111'), at(30, 700, '1111')])).toBe('4111 1111\n');
    expect(told([at(0, 700, 'a@b.example'), at(0, 300, '4111')])).toBe('a@b.example\n4111\n');
    // Over one another, as boxes do.
    expect(told([at(0, 700, '4111'), at(5, 700, '1111')])).toBe('4111 1111\n');
    expect(told([at(100, 0, 'up', true), at(100, 10, 'wards', true)])).toBe('upwards\n');
    expect(told([at(100, 0, 'up', true), at(100, 0, 'along')])).toBe('up\nalong\n');
  });

  it('tells lines that were not drawn from left to right as they are seen', () => {
    expect(told([at(20, 700, '1111'), at(0, 700, '4111')])).toBe('1111\n4111\n41111111\n');
    const table = [at(0, 700, 'Jane'), at(0, 680, 'John'), at(200, 700, '4111'), at(200, 680, '4222')];
    expect(told(table)).toBe('Jane\nJohn\n4111\n4222\nJane 4111\nJohn 4222\n');
  });
});
