/** Small documents of each common kind, to have V8 compile what reading one needs. What they say is of no interest. */
import { crc32, deflateRawSync, deflateSync } from 'node:zlib';

const TEXT = 'The board agreed on 4 May to pay 12,500.00 EUR to the account of the customer & others. ';

/** A zip of deflated members. */
function zip(members: readonly (readonly [string, string | Buffer])[]): Buffer {
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of members) {
    const bytes = Buffer.from(content);
    const packed = deflateRawSync(bytes);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const entry = Buffer.alloc(46);
    entry.write('PK\x01\x02', 'latin1');
    common.copy(entry, 6);
    entry.writeUInt32LE(offset, 42);
    const head = [Buffer.from('PK\x03\x04', 'latin1'), common, Buffer.from(name), packed];
    local.push(...head);
    directory.push(entry, Buffer.from(name));
    offset += head.reduce((sum, { length }) => sum + length, 0);
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(
    directory.reduce((sum, { length }) => sum + length, 0),
    12,
  );
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, ...directory, end]);
}

function office(type: string, part: string, parts: readonly (readonly [string, string])[]): Buffer {
  return zip([
    [
      '[Content_Types].xml',
      `<?xml version="1.0"?><Types><Default Extension="xml" ContentType="application/xml"/><Override PartName="/${part}" ContentType="application/vnd.openxmlformats-officedocument.${type}.main+xml"/></Types>`,
    ],
    [
      '_rels/.rels',
      `<?xml version="1.0"?><Relationships><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="${part}"/></Relationships>`,
    ],
    ...parts,
  ]);
}

function pdf(): Buffer {
  const page = deflateSync(`BT /F1 12 Tf 50 700 Td ${`(${TEXT.repeat(2)}) Tj 0 -14 Td `.repeat(10)}ET`);
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>',
    '<</Type/Pages/Count 1/Kids[3 0 R]>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>',
    `<</Length ${page.length}/Filter/FlateDecode>>stream\n${page.toString('latin1')}\nendstream`,
    '<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>',
  ];
  let text = '%PDF-1.7\n';
  const places = objects.map((object, index) => {
    const at = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return `${String(at).padStart(10, '0')} 00000 n \n`;
  });
  const xref = text.length;
  text += `xref\n0 6\n0000000000 65535 f \n${places.join('')}trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n${xref}\n%%EOF`;
  return Buffer.from(text, 'latin1');
}

function mail(): Buffer {
  const attached = Buffer.from(TEXT.repeat(20)).toString('base64');
  return Buffer.from(
    `From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?B?WsO8cmljaA==?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>${TEXT}=3D</p>\r\n--x\r\nContent-Type: text/plain; name=a.txt\r\nContent-Transfer-Encoding: base64\r\n\r\n${attached}\r\n--x--\r\n`,
  );
}

/** Each by what it is. */
export function samples(): Record<string, Buffer> {
  const word = `<w:p><w:pPr><w:jc w:val="left"/></w:pPr><w:r><w:t xml:space="preserve">${TEXT.replace('&', '&amp;')}</w:t><w:tab/></w:r></w:p>`;
  const row = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" s="1"><v>45000</v></c></row>';
  const main = 'xl/workbook.xml';
  return {
    docx: office('wordprocessingml.document', 'word/document.xml', [
      [
        'word/document.xml',
        `<?xml version="1.0"?><w:document xmlns:w="w"><w:body>${word.repeat(20)}</w:body></w:document>`,
      ],
      ['word/styles.xml', '<w:styles><w:style w:type="paragraph"><w:name w:val="a"/></w:style></w:styles>'],
    ]),
    xlsx: office('spreadsheetml.sheet', main, [
      [main, '<workbook><sheets><sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>'],
      ['xl/sharedStrings.xml', `<sst><si><t>${TEXT.replace('&', '&amp;')}</t></si></sst>`],
      ['xl/styles.xml', '<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'],
      ['xl/worksheets/sheet1.xml', `<worksheet><sheetData>${row.repeat(20)}</sheetData></worksheet>`],
    ]),
    zip: zip([
      ['a.txt', TEXT.repeat(10)],
      ['b.zip', zip([['c.csv', TEXT.repeat(10)]])],
    ]),
    html: Buffer.from(`<!DOCTYPE html><html><body><p class="a">${TEXT.repeat(4)}&amp;</p></body></html>`),
    mail: mail(),
    pdf: pdf(),
  };
}
