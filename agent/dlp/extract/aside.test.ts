import { describe, expect, it } from 'vitest';
import { extract } from './test-kit.ts';

const text = async (page: string): Promise<string> =>
  (await extract(Buffer.from(page, 'latin1'))).texts.get('') ?? '';

describe('what stands beside a paragraph', () => {
  it('does not part a value that goes on in the next line of a page', async () => {
    const html = await text(
      '<html><p class="western first" style="margin: 0">4111 1111<br clear="left"/>1111 1111</p></html>',
    );
    expect(html).toContain('4111 1111\n1111 1111\n');
    expect(html).toContain('western first');
  });

  it('does not part a value in RTF, or touch it, and is told', async () => {
    for (const between of [
      '{\\*\\bkmkstart here}',
      '{\\*\\atnid AB}{\\*\\annotation{\\*\\atndate 1}\\pard see this\\par}',
      '{\\footnote\\pard see this\\par}',
      '{\\header\\pard see this\\par}',
    ]) {
      const rtf = await text(`{\\rtf1\\ansi lead 41111111${between}11111111\\par next}`);
      expect(rtf, between).toContain('lead 4111111111111111\n');
      expect(rtf, between).toMatch(/\n(here|AB|see this)\n/);
      expect(rtf, between).toContain('next');
    }
    const last = await text('{\\rtf1\\ansi 4111111111111111{\\footnote See}}');
    expect(last).toMatch(/^4111111111111111\n+See\n$/);
  });
});
