import { describe, expect, it } from 'vitest';
import { extract, planted, python } from './test-kit.ts';

const V = planted(3, 83);

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

describe('what only looks different', () => {
  it('a row of a page stays together, whatever its cells look like', async () => {
    const looks = 'style="border-top: none; padding: 0in 0.04in" class="cell wide plain" width="50%"';
    const page = `<html><table><tr><td ${looks}><p>Ann Example</p></td><td ${looks} title="seen aside"><p ${looks}>${V[0]}</p></td></tr></table><div ${looks}>Bob Example</div><div ${looks}>${V[1]}</div><p style="x${V[2]}">end</p></html>`;
    const { all } = await extract(Buffer.from(page));
    expect(all).toMatch(new RegExp(`Ann Example\\s+${V[0]}\\s+seen aside\\s+Bob Example\\s+${V[1]}`));
    expect(all).toContain(V[2]);
  });

  it('a line of a drawing is whole', async () => {
    const value = V[0] ?? '';
    const drawing = `<svg xmlns="http://www.w3.org/2000/svg"><text><tspan class="line" x="1" y="2"><tspan fill="red">${value.slice(0, 5)}</tspan><tspan font-weight="700">${value.slice(5)}</tspan></tspan><tspan x="1" y="9">2nd</tspan></text><text>${V[1]}</text><text>3rd</text></svg>`;
    const { all } = await extract(Buffer.from(drawing));
    expect(all).toMatch(new RegExp(`(?:^|\\n)${value}\\n`));
    expect(all).toMatch(new RegExp(`(?:^|\\n)${V[1]}\\n`));
  });

  it('a header of a sheet begins behind its size', async () => {
    const [book] = python(
      `
import zipfile
with zipfile.ZipFile('a.xlsx', 'w') as z:
    z.writestr('[Content_Types].xml', '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/xl/b.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>')
    z.writestr('xl/b.xml', '<?xml version="1.0"?><workbook/>')
    z.writestr('xl/worksheets/s.xml', '<?xml version="1.0"?><worksheet><sheetData/><headerFooter><oddHeader>&amp;C&amp;"Times New Roman,Regular"&amp;12DE97503770158209249374</oddHeader><oddFooter>&amp;L&amp;12${V[0]}&amp;R&amp;8 7x</oddFooter></headerFooter></worksheet>')
`,
      'a.xlsx',
    );
    const { all } = await extract(book ?? Buffer.alloc(0));
    expect(all).toMatch(/ DE97503770158209249374\n/);
    expect(all).toMatch(new RegExp(` ${V[0]} `));
  });
});
