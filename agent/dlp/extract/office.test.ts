import { describe, expect, it, vi } from 'vitest';
import { formatOfCode, shownNumber } from './sheet-format.ts';
import { extract, planted, python } from './test-kit.ts';

// Python, children and a machine that others keep busy.
vi.setConfig({ testTimeout: 120_000 });

const VALUES = planted(40, 7);

/** Packages after ECMA-376 and OpenDocument 1.3, written part by part. */
const PACKAGES = `
import zipfile
V = ${JSON.stringify(VALUES)}
def pack(name, parts):
    with zipfile.ZipFile(name, 'w', zipfile.ZIP_DEFLATED) as z:
        for n, d in parts.items(): z.writestr(n, d)
X = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\\n'
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
def types(*pairs): return X + '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">' + ''.join(f'<Override PartName="/{p}" ContentType="application/vnd.openxmlformats-officedocument.{t}+xml"/>' for p, t in pairs) + '</Types>'
def run(t): return f'<w:r><w:rPr><w:b/></w:rPr><w:t xml:space="preserve">{t}</w:t></w:r>'
def para(*runs): return '<w:p><w:pPr/>' + ''.join(run(r) for r in runs) + '</w:p>'
pack('a.docx', {
  '[Content_Types].xml': types(('word/document.xml', 'wordprocessingml.document.main')),
  'word/document.xml': X + f'<w:document {W}><w:body>' + para('start ', V[0][:3], V[0][3:9], V[0][9:], ' end')
    + '<w:tbl><w:tr><w:tc>' + para('Ann &amp; Bob') + '</w:tc><w:tc>' + para(V[1]) + '</w:tc></w:tr><w:tr><w:tc>' + para('next') + '</w:tc></w:tr></w:tbl>'
    + f'<w:p><w:ins><w:r><w:t>{V[2]}</w:t></w:r></w:ins><w:del><w:r><w:delText>{V[3]}</w:delText></w:r></w:del><w:r><w:tab/><w:t>x</w:t><w:br/><w:t>y</w:t><w:noBreakHyphen/><w:t>z</w:t></w:r></w:p>'
    + f'<w:p><w:hyperlink><w:r><w:instrText>HYPERLINK {V[4]}</w:instrText></w:r></w:hyperlink></w:p></w:body></w:document>',
  'word/header1.xml': X + f'<w:hdr {W}>' + para(V[5]) + '</w:hdr>',
  'word/footnotes.xml': X + f'<w:footnotes {W}><w:footnote>' + para(V[6]) + '</w:footnote></w:footnotes>',
  'word/comments.xml': X + f'<w:comments {W}><w:comment w:author="{V[7]}">' + para(V[8]) + '</w:comment></w:comments>',
  'docProps/core.xml': X + f'<cp:coreProperties xmlns:cp="c" xmlns:dc="d"><dc:title>{V[9]}</dc:title></cp:coreProperties>',
  'word/_rels/document.xml.rels': X + f'<Relationships><Relationship Target="https://example.com/{V[10]}"/></Relationships>',
  'customXml/item1.xml': X + f'<a><b>{V[11]}</b></a>'})
S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
pack('a.xlsx', {
  '[Content_Types].xml': types(('xl/book.xml', 'spreadsheetml.sheet.main'), ('xl/strings.xml', 'spreadsheetml.sharedStrings'), ('xl/looks.xml', 'spreadsheetml.styles')),
  'xl/book.xml': X + f'<workbook {S}><sheets><sheet name="S {V[12]}"/></sheets></workbook>',
  'xl/worksheets/one.xml': X + f'<worksheet {S}><sheetData><row r="1"><c r="A1" t="s"><v>1</v></c><c r="B1" t="s"><v>0</v></c><c r="C1" s="1"><v>44197</v></c></row>'
    f'<row r="2"><c t="inlineStr"><is><r><t>in{V[13][:5]}</t></r><r><t>{V[13][5:]}</t></r></is></c><c><v>{V[14]}</v></c><c s="2"><v>78051120</v></c><c><v>4.5320151128336E+15</v></c><c t="str"><f>"x{V[15]}"&amp;A1</f><v>{V[16]}</v></c><c t="b"><v>1</v></c></row></sheetData><headerFooter><oddHeader>{V[17]}</oddHeader></headerFooter></worksheet>',
  'xl/strings.xml': X + f'<sst {S}><si><t>{V[18]}</t></si><si><r><t>Smith, </t></r><r><rPr/><t>Jane</t></r><rPh><t>hidden</t></rPh></si><si><t>unused {V[19]}</t></si></sst>',
  'xl/looks.xml': X + f'<styleSheet {S}><numFmts><numFmt numFmtId="164" formatCode="000\\\\-00\\\\-0000"/></numFmts><cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/></cellXfs></styleSheet>',
  'xl/comments1.xml': X + f'<comments {S}><commentList><comment><text><r><t>{V[20]}</t></r></text></comment></commentList></comments>'})
def slide(t): return X + f'<p:sld {A}><a:p><a:r><a:t>{t[:6]}</a:t></a:r><a:r><a:t>{t[6:]}</a:t></a:r></a:p></p:sld>'
pack('a.pptx', {'[Content_Types].xml': types(('ppt/presentation.xml', 'presentationml.presentation.main')), 'ppt/slides/slide1.xml': slide(V[21]), 'ppt/slides/slide2.xml': slide(V[22]), 'ppt/notesSlides/notesSlide1.xml': slide(V[23]).replace('p:sld', 'p:notes'),
  'ppt/embeddings/book.xlsx': open('a.xlsx', 'rb').read(), 'ppt/media/image1.png': b'\\x89PNG\\r\\n\\x1a\\n' + V[24].encode()})
O = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
def odf(name, kind, body, manifest=''): pack(name, {'mimetype': 'application/vnd.oasis.opendocument.' + kind, 'META-INF/manifest.xml': X + '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">' + manifest + '</manifest:manifest>',
  'content.xml': X + f'<office:document-content {O}><office:body>{body}</office:body></office:document-content>', 'meta.xml': X + f'<office:document-meta {O}><office:meta><meta:x>{V[25]}</meta:x></office:meta></office:document-meta>'})
odf('a.odt', 'text', f'<text:p>a<text:span>{V[26][:5]}</text:span>{V[26][5:]}<text:s text:c="2"/>b<text:tab/>c</text:p><text:h>{V[27]}</text:h>')
odf('a.ods', 'spreadsheet', f'<table:table-row><table:table-cell><text:p>Jane</text:p></table:table-cell><table:table-cell office:value="{V[28]}"/><table:table-cell office:date-value="2021-01-01"><text:p>1.1.21</text:p></table:table-cell></table:table-row>')
odf('a.odp', 'presentation', f'<text:p>{V[29]}</text:p>')
odf('locked.odt', 'text', 'x', '<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>')
`;

const files = python(PACKAGES, 'a.docx', 'a.xlsx', 'a.pptx', 'a.odt', 'a.ods', 'a.odp', 'locked.odt') as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
  Buffer,
  Buffer,
  Buffer,
];
const [docx, xlsx, pptx, odt, ods, odp, locked] = files;

describe('office documents', () => {
  it('docx: runs join, cells and rows part, nothing is left out', async () => {
    const found = await extract(docx);
    expect(found.outcome).toBe('ok');
    for (const value of VALUES.slice(0, 12)) expect.soft(found.all).toContain(value);
    const text = found.texts.get('word/document.xml') ?? '';
    expect(text).toContain(`start ${VALUES[0]} end\n`);
    expect(text).toContain(`Ann & Bob \t${VALUES[1]} \t\nnext`);
    expect(text).toContain('\tx\ny-z');
  });

  it('xlsx: cells in their order, as they are shown', async () => {
    const found = await extract(xlsx);
    expect(found.outcome).toBe('ok');
    for (const value of VALUES.slice(12, 21)) expect.soft(found.all).toContain(value);
    expect(found.texts.get('xl/worksheets/one.xml')).toContain(
      `Smith, Jane hidden\t${VALUES[18]}\t2021-01-01\t\nin${VALUES[13]}\t${VALUES[14]}\t078-05-1120\t4532015112833600\t${VALUES[16]}\t1\t\n`,
    );
    // A string that cells show is told there, one that none shows under its own part.
    expect(found.texts.get('xl/strings.xml')).toBe(`unused ${VALUES[19]}\n`);
  });

  it('pptx: slides, notes, what is embedded', async () => {
    const found = await extract(pptx);
    expect(found.outcome).toBe('ok');
    for (const value of VALUES.slice(21, 25)) expect.soft(found.all).toContain(value);
    expect(found.texts.get('ppt/embeddings/book.xlsx!/xl/worksheets/one.xml')).toContain(VALUES[14]);
  });

  it('odt, ods, odp; an encrypted one says so', async () => {
    const text = await extract(odt);
    expect(text.texts.get('content.xml')).toContain(`a${VALUES[26]}  b\tc\n${VALUES[27]}\n`);
    expect(text.all).toContain(VALUES[25]);
    expect((await extract(ods)).texts.get('content.xml')).toContain(
      `Jane \t${VALUES[28]}\t1.1.21  2021-01-01\t\n`,
    );
    expect((await extract(odp)).all).toContain(VALUES[29]);
    expect(await extract(locked)).toMatchObject({ outcome: 'encrypted' });
  });

  it('numbers are shown as a spreadsheet shows them', () => {
    const show = (stored: string, code: string, from1904 = false) =>
      shownNumber(stored, formatOfCode(code), from1904);
    expect(show('1', 'yyyy\\-mm\\-dd')).toBe('1900-01-01');
    expect(show('61', 'd/m/yy')).toBe('1900-03-01');
    expect(show('44197.75', 'm/d/yy h:mm')).toBe('2021-01-01 18:00:00');
    expect(show('42735', 'yyyy-mm-dd', true)).toBe('2021-01-01');
    expect(show('4111111111111111', '0000\\ 0000\\ 0000\\ 0000')).toBe('4111 1111 1111 1111');
    expect(show('1234', '00000')).toBe('01234');
    expect(show('0.30000000000000004', 'General')).toBe('0.3');
    expect(show('1.5E3', '#,##0.00')).toBe('1500');
    expect(show('7', '[$-409]mmmm d, yyyy')).toBe('1900-01-07');
    expect(show('7', '"day" 0')).toBe('7');
  });
});

/** A compound file after MS-CFB with 512-byte sectors; streams of less than 4096 bytes lie in the mini stream. */
const COMPOUND = `
import struct
def cfb(streams):
    names = ['Root Entry'] + list(streams)
    mini, starts = b'', []
    for data in streams.values():
        starts.append(len(mini) // 64); mini += data.ljust(-(-len(data) // 64) * 64, b'\\0')
    minifat = []
    for start, data in zip(starts, streams.values()):
        n = max(1, -(-len(data) // 64)); minifat += [start + i + 1 for i in range(n - 1)] + [0xfffffffe]
    mini = mini.ljust(-(-len(mini) // 512) * 512, b'\\0')
    d = b''
    for i, n in enumerate(names):
        e = n.encode('utf-16le') + b'\\0\\0'
        size = len(mini) if i == 0 else len(streams[n])
        d += e.ljust(64, b'\\0') + struct.pack('<HBB3I16sI8s8sIII', len(e), 5 if i == 0 else 2, 1, 0xffffffff, 0xffffffff, 1 if i == 0 else 0xffffffff, b'', 0, b'', b'', 2 if i == 0 else starts[i - 1], size, 0)
    d = d.ljust(-(-len(d) // 512) * 512, b'\\0'); nd = len(d) // 512; nm = len(mini) // 512
    # sectors: 0 FAT, 1 mini FAT, then mini stream, then directory
    fat = [0xfffffffd, 0xfffffffe] + [2 + i + 1 for i in range(nm - 1)] + [0xfffffffe] + [2 + nm + i + 1 for i in range(nd - 1)] + [0xfffffffe]
    pad = lambda l: struct.pack('<128I', *(l + [0xffffffff] * (128 - len(l))))
    h = bytes.fromhex('d0cf11e0a1b11ae1') + bytes(16) + struct.pack('<HHHHH6xIIIIIIIIII', 0x3e, 3, 0xfffe, 9, 6, 0, 1, 2 + nm, 0, 4096, 1, 1, 0xfffffffe, 0, 0) + pad([])[:432]
    return h[:512] + pad(fat) + pad(minifat) + mini + d
`;

describe('compound files', () => {
  it('legacy documents: their strings are searched and it is said that this is not all', async () => {
    const [doc, xls, message, sealed] = python(
      `${COMPOUND}
v = '${VALUES[30]}'
open('a.doc', 'wb').write(cfb({'WordDocument': bytes(200) + b'\\xff\\x00' + ('wide ' + v).encode('utf-16le') + bytes(90), '1Table': b'\\x01\\x02narrow ${VALUES[31]}\\x00' + bytes(50)}))
open('a.xls', 'wb').write(cfb({'Workbook': struct.pack('<HHH', 0x809, 2, 0x600) + struct.pack('<HH', 0x2f, 6) + bytes(100)}))
open('a.msg', 'wb').write(cfb({'__properties_version1.0': bytes(32), '__substg1.0_1000001F': ('body ${VALUES[32]}').encode('utf-16le'), '__substg1.0_0037001E': b'subject ${VALUES[33]}'}))
open('sealed.docx', 'wb').write(cfb({'EncryptionInfo': bytes(64), 'EncryptedPackage': bytes(300)}))
`,
      'a.doc',
      'a.xls',
      'a.msg',
      'sealed.docx',
    ) as [Buffer, Buffer, Buffer, Buffer];
    const found = await extract(doc);
    expect(found).toMatchObject({ outcome: 'unsupported' });
    expect(found.all).toContain(VALUES[30]);
    expect(found.all).toContain(VALUES[31]);
    expect(await extract(xls)).toMatchObject({ outcome: 'encrypted' });
    const mail = await extract(message);
    expect(mail.outcome).toBe('ok');
    expect(mail.all).toContain(VALUES[32]);
    expect(mail.all).toContain(VALUES[33]);
    expect(await extract(sealed)).toMatchObject({ outcome: 'encrypted' });
  });
});

describe('PDF, RTF and HTML', () => {
  it('PDF: pages, fields, comments, metadata, attachments; encrypted and pictures only are said', async () => {
    const [pdf, locked2, picture] = python(
      `
import zlib
def pdf(objects, trailer=b''):
    out = b'%PDF-1.7\\n'; places = []
    for i, o in enumerate(objects, 1): places.append(len(out)); out += b'%d 0 obj\\n' % i + o + b'\\nendobj\\n'
    x = len(out)
    return out + b'xref\\n0 %d\\n0000000000 65535 f \\n' % (len(objects) + 1) + b''.join(b'%010d 00000 n \\n' % p for p in places) + b'trailer\\n<</Size %d/Root 1 0 R%s>>\\nstartxref\\n%d\\n%%%%EOF\\n' % (len(objects) + 1, trailer, x)
def stream(data, extra=b''): c = zlib.compress(data); return b'<<%s/Length %d/Filter/FlateDecode>>stream\\n' % (extra, len(c)) + c + b'\\nendstream'
v = [x.encode() for x in ${JSON.stringify(VALUES)}]
base = [b'<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[6 0 R]>>/Names<</EmbeddedFiles<</Names[(a.txt) 8 0 R]>>>>>>', b'<</Type/Pages/Count 1/Kids[3 0 R]>>',
  b'<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 5 0 R>>>>/Contents 4 0 R/Annots[6 0 R 7 0 R 11 0 R]>>',
  stream(b'BT /F1 12 Tf 72 720 Td [(' + v[34][:4] + b') -20 (' + v[34][4:] + b')] TJ 0 -20 Td (Jane) Tj 60 0 Td (' + v[35] + b') Tj ET'),
  b'<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>',
  b'<</Type/Annot/Subtype/Widget/FT/Tx/T(f)/V(' + v[36] + b')/Rect[0 0 99 20]/P 3 0 R>>', b'<</Type/Annot/Subtype/Text/Contents(' + v[37] + b')/Rect[0 0 9 9]>>',
  b'<</Type/Filespec/F(a.txt)/EF<</F 9 0 R>>>>', stream(v[38], b'/Type/EmbeddedFile'), b'<</Title(' + v[39] + b')>>', b'<</Type/Annot/Subtype/FileAttachment/Rect[0 0 9 9]/FS 12 0 R>>', b'<</Type/Filespec/F(pinned.txt)/EF<</F 13 0 R>>>>', stream(b'pinned ' + v[38], b'/Type/EmbeddedFile')]
open('a.pdf', 'wb').write(pdf(base, b'/Info 10 0 R'))
open('locked.pdf', 'wb').write(pdf(base, b'/ID[<00><00>]/Encrypt<</Filter/Standard/V 2/R 3/Length 128/P -4/O<' + b'41' * 32 + b'>/U<' + b'42' * 32 + b'>>>'))
open('picture.pdf', 'wb').write(pdf([b'<</Type/Catalog/Pages 2 0 R>>', b'<</Type/Pages/Count 1/Kids[3 0 R]>>', b'<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>']))
`,
      'a.pdf',
      'locked.pdf',
      'picture.pdf',
    ) as [Buffer, Buffer, Buffer];
    const found = await extract(pdf);
    expect(found.outcome).toBe('ok');
    for (const value of VALUES.slice(34, 40)) expect.soft(found.all).toContain(value);
    expect(found.texts.get('a.txt')).toBe(VALUES[38]);
    expect(found.texts.get('pinned.txt')).toBe(`pinned ${VALUES[38]}`);
    expect(await extract(locked2)).toMatchObject({ outcome: 'encrypted' });
    const pictures = await extract(picture);
    expect(pictures).toMatchObject({ outcome: 'unsupported' });
    expect(pictures.reason).toContain('no text layer');
  });

  it('RTF: code pages, Unicode, tables; HTML: references, attributes, tables, charset', async () => {
    const rtf = await extract(
      Buffer.from(
        "{\\rtf1\\ansi\\ansicpg1251\\uc1{\\fonttbl{\\f0 Arial;}}\\'cf\\'f0 4111\\b 1111\\b0 {\\i 1111}1111\\cell \\u8364?\\u-10179?\\u-8704?\\row\\pard x\\~y\\par}",
        'latin1',
      ),
    );
    expect(rtf.texts.get('')).toBe('Пр 4111111111111111\t€😀\nx y\n');
    const html = await extract(
      Buffer.from(
        '<!doctype html><meta charset=windows-1252><td>Jos\xe9<td>4111&#49;&#x31;11<b>1111</b>1111<tr><p title="4222222222222222">a&nbsp;b &euro;&lt;<!-- 4333333333333333 -->',
        'latin1',
      ),
    );
    const text = html.texts.get('') ?? '';
    expect(text).toContain('José\t4111111111111111');
    expect(text).toContain('a\u00A0b €<');
    expect(text).toContain('4222222222222222');
    expect(text).toContain('4333333333333333');
  });
});
