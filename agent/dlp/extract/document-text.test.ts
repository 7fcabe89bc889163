import { describe, expect, it } from 'vitest';
import { DocumentText } from './document-text.ts';
import { Extraction, TextWriter } from './extraction.ts';
import { withDefaults } from './limits.ts';
import { extract } from './test-kit.ts';
import { readXml } from './xml-text.ts';

/** Lines that are told of a document. */
async function lines(xml: string): Promise<string[]> {
  const pieces: Buffer[] = [];
  const extraction = new Extraction({
    limits: withDefaults(),
    sink: (_member, chunk) => void pieces.push(chunk),
    inputBytes: xml.length,
    visit: () => Promise.resolve(),
    visitStream: () => Promise.resolve(),
  });
  const writer = new TextWriter(extraction, '');
  const handler = new DocumentText(writer);
  await readXml(extraction, [Buffer.from(`<w:document>${xml}</w:document>`)], handler);
  handler.end();
  writer.end();
  return Buffer.concat(pieces)
    .toString('utf8')
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
}

const run = (text: string): string => `<w:r><w:t>${text}</w:t></w:r>`;

describe('text of documents', () => {
  it('is not parted by what hangs on a place inside it', async () => {
    for (const between of [
      '<w:proofErr w:type="spellStart"/><w:bookmarkStart w:id="0" w:name="here and there"/>',
      '<w:r><w:drawing><wp:docPr id="1" descr="a picture" title="of something"/></w:drawing></w:r>',
      `<w:r><wps:txbx><w:txbxContent><w:p>${run('boxed')}</w:p></w:txbxContent></wps:txbx></w:r>`,
      `<w:r><mc:AlternateContent><mc:Choice/><mc:Fallback>${run('other')}</mc:Fallback></mc:AlternateContent></w:r>`,
      '<office:annotation><dc:creator>Someone</dc:creator><text:p>Remark</text:p></office:annotation>',
      '<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Below</text:p></text:note-body></text:note>',
      '<draw:custom-shape><text:p>Shape</text:p></draw:custom-shape>',
      '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> PAGE </w:instrText></w:r>',
      '<w:del w:author="Some One"><w:r><w:delText>99</w:delText></w:r></w:del>',
      '<w:softHyphen/>',
    ])
      expect((await lines(`<w:p>${run('41111111')}${between}${run('11111111')}</w:p>`))[0], between).toBe(
        '4111111111111111',
      );
  });

  it('has changes both ways: as it is, and as it was', async () => {
    const changed = `<w:p>${run('Card 4111')}<w:ins w:author="Some One">${run('22222222')}</w:ins><w:del><w:r><w:delText>333333333333</w:delText></w:r></w:del>${run(' end')}</w:p>`;
    expect(await lines(changed)).toEqual(['Card 411122222222 end', 'Some One', 'Card 4111333333333333 end']);
  });

  it('has texts of their own after the paragraph, and the whole row before what hangs on its cells', async () => {
    expect(
      await lines(
        `<w:p>one<w:pict><v:shape alt="drawn shape"><v:textpath string="in the shape"/></v:shape></w:pict> two</w:p><w:sdt><w:sdtPr><w:alias w:val="4111111111111111"/></w:sdtPr></w:sdt><w:p><w:ruby><w:rt>${run('read so')}</w:rt><w:rubyBase>${run('written')}</w:rubyBase></w:ruby></w:p>`,
      ),
    ).toEqual(['one two', 'drawn shape', 'in the shape', '4111111111111111', 'written', 'read so']);
    expect(
      await lines(
        '<table:table-row><table:table-cell><text:p>Jane<office:annotation><text:p>Remark</text:p></office:annotation></text:p></table:table-cell><table:table-cell office:value="4000000000000"><text:p>4,000,000,000,000.00</text:p></table:table-cell></table:table-row>',
      ),
    ).toEqual(['Jane \t4,000,000,000,000.00  4000000000000', 'Remark']);
  });

  it('parts what stands in no paragraph, and joins the runs of a remark on a cell', async () => {
    expect(
      await lines(
        '<authors><author>Ann</author></authors><comment><text><r><rPr><sz val="9"/></rPr><t>4111</t></r><r><rPr><b/></rPr><t>1111</t></r></text></comment><comment><text><t>next</t></text></comment>',
      ),
    ).toEqual(['Ann', '41111111', 'next']);
  });
});

describe('text of any XML', () => {
  it('is told in parts, and joined where markup stands inside a text', async () => {
    const read = await extract(
      Buffer.from('<?xml version="1.0"?><r><a>1</a><b>2</b><t x="attr">4111<s>1111</s></t><u>3</u></r>'),
    );
    expect(read.texts.get('')?.split('\n').filter(Boolean)).toEqual([
      '1',
      '2',
      'attr',
      '4111',
      '1111',
      '41111111',
      '3',
    ]);
  });

  it('a page breaks lines where it says so, not where its source does', async () => {
    const read = await extract(
      Buffer.from(
        '<html><p>lead 4111\n\t\t\t1111<br/>\n   2222</p><pre>a\n  b</pre><script>x\n\ny</script></html>',
      ),
    );
    expect(read.texts.get('')).toContain('lead 4111 1111\n2222');
    expect(read.texts.get('')).toContain('a\n  b');
    expect(read.texts.get('')).toContain('x\n\ny');
  });
});
