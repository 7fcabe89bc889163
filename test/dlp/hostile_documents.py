"""Documents, pages and mail made to harm whoever reads them; see hostile_archives.py."""
import io
import os
import struct
import zipfile
import zlib

CARD = '4111111111111111'
OFFICE_TYPES = '<Types><Override PartName="/xl/workbook.xml" ContentType="a.sheet.main+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType="a.spreadsheetml.sharedStrings+xml"/><Override PartName="/xl/styles.xml" ContentType="a.spreadsheetml.styles+xml"/></Types>'


def package(**parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z:
        for name, data in parts.items():
            z.writestr(name, data)
    return out.getvalue()


def book(sheet, strings='<sst/>', styles='<styleSheet/>', types=OFFICE_TYPES):
    return package(**{'[Content_Types].xml': types, 'xl/workbook.xml': '<workbook/>', 'xl/sharedStrings.xml': strings, 'xl/styles.xml': styles, 'xl/worksheets/sheet1.xml': f'<worksheet><sheetData>{sheet}</sheetData></worksheet>'})


def words(body):
    return package(**{'[Content_Types].xml': '<Types/>', 'word/document.xml': f'<w:document><w:body>{body}</w:body></w:document>'})


def xml(save):
    entities = ''.join(f'<!ENTITY {b} "{("&" + a + ";") * 10}">' for a, b in zip('abcdefghij', 'bcdefghijk'))
    save('xml', 'laughs.xml', f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "{CARD}">{entities}]><l>&k;</l>', 'ok')
    save('xml', 'quadratic.xml', f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "{"x" * 100000}">]><l>{"&a;" * 100000}</l>', 'ok')
    save('xml', 'external.xml', '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/shadow"><!ENTITY % p SYSTEM "http://127.0.0.1:9/x">%p;]><l>&a;</l>', 'ok')
    save('xml', 'deep.xml', '<?xml version="1.0"?>' + '<a>' * 1_000_000, 'ok')
    save('xml', 'attributes.xml', '<?xml version="1.0"?><a ' + ' '.join(f'a{i}="{i}"' for i in range(100000)) + '/>', 'ok')
    save('xml', 'one-tag.xml', '<?xml version="1.0"?><a b="' + 'x' * 20_000_000, 'ok')
    save('xml', 'quotes.xml', '<?xml version="1.0"?>' + '<a b=\'"' * 500_000, 'ok')
    save('xml', 'markers.xml', '<?xml version="1.0"?>' + '<![CDATA[<!--<?' * 400_000, 'ok')
    save('xml', 'doctype.xml', '<?xml version="1.0"?><!DOCTYPE a [' + '[' * 3_000_000, 'ok')
    save('xml', 'references.xml', '<?xml version="1.0"?><a>' + '&#x110000;&#0;&#xD800;&' * 300_000, 'ok')
    save('xml', 'encoding.xml', '<?xml version="1.0" encoding="x-nobody-knows"?><a>' + CARD, 'ok')
    save('xml', 'odd-utf16.xml', b'\xff\xfe' + '<?xml version="1.0"?><a>\ud800x'.encode('utf-16le', 'surrogatepass') + b'\0', 'ok')


def office(save):
    row = ''.join(f'<c r="{c}1"><v>{c}</v></c>' for c in range(0, 16384, 16))
    save('office', 'wide.xlsx', book(f'<dimension ref="A1:XFD1048576"/>' + f'<row r="1">{row}</row>' * 200), 'ok')
    save('office', 'sparse.xlsx', book(''.join(f'<row r="{r}"><c r="XFD{r}" t="s"><v>0</v></c></row>' for r in range(1, 1048576, 32)), f'<sst><si><t>{CARD}</t></si></sst>'), 'ok')
    save('office', 'repeated.xlsx', book('<row><c t="s"><v>0</v></c></row>' * 400_000, f'<sst><si><t>{"x" * 32767}</t></si></sst>'), 'ratio', 'too_large')
    save('office', 'index.xlsx', book(''.join(f'<c t="s"><v>{v}</v></c>' for v in (-1, 1e308, 'NaN', 4294967296, '0x0', '')) * 1000), 'ok')
    save('office', 'strings.xlsx', book('', '<sst>' + '<si><t>abcdefgh</t></si>' * 4_500_000 + '</sst>'), 'ok', 'too_large', 'ratio')
    save('office', 'cell.xlsx', book('<row><c t="str"><v>' + 'x' * 60_000_000 + '</v></c></row>'), 'ok', 'too_large', 'ratio')
    save('office', 'styles.xlsx', book('<row><c s="99999"><v>1</v></c></row>', styles='<styleSheet><numFmts>' + ''.join(f'<numFmt numFmtId="{i}" formatCode="{"[" * 200}"/>' for i in range(60000)) + '</numFmts></styleSheet>'), 'ok')
    save('office', 'types.xlsx', book('', types='<Types>' + '<Override ' * 400_000), 'ok')
    save('office', 'deep.docx', words('<w:tbl><w:tr><w:tc>' * 100_000 + f'<w:p><w:r><w:t>{CARD}'), 'ok', 'malformed')
    save('office', 'runs.docx', words('<w:p>' + ''.join(f'<w:r><w:t>{c}</w:t></w:r>' for c in CARD) * 40_000), 'ok')
    save('office', 'deleted.docx', words('<w:p><w:r><w:delText>' + 'x' * 5_000_000), 'ok', 'malformed')
    save('office', 'comment.docx', words('<!--' + 'x' * 30_000_000 + '-->'), 'ok', 'ratio')
    save('office', 'loops.docx', package(**{'[Content_Types].xml': '<Types/>', '_rels/.rels': '<Relationships><Relationship Target="/_rels/.rels"/></Relationships>', 'word/document.xml': '<w:document/>'}), 'ok')
    ods = '<office:document-content><table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="1000000000" office:value="4"/><text:p>a<text:s text:c="2000000000"/></text:p></table:table-row></office:document-content>'
    save('office', 'repeat.ods', package(**{'mimetype': 'application/vnd.oasis.opendocument.spreadsheet', 'META-INF/manifest.xml': '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>', 'content.xml': ods}), 'ok')
    whole = book('<row><c><v>1</v></c></row>' * 50)
    for tenth in range(1, 10):
        save('truncated', f'{tenth}.xlsx', whole[: len(whole) * tenth // 10], 'malformed')


def pages(save):
    save('html', 'unclosed.html', '<html>' + '<div><b><td>' * 400_000, 'ok')
    save('html', 'attributes.html', '<html><a ' + ' '.join(f'data-{i}=value{i}' for i in range(100_000)) + '>x', 'ok')
    save('html', 'spaces.html', '<html><a ' + '= ' * 400_000 + '=' + ' ' * 600_000, 'ok')
    save('html', 'entities.html', '<html>' + '&nbsp&amp&#x34;&bogus' * 300_000, 'ok')
    save('html', 'script.html', '<html><script>' + 'a<b;' * 500_000, 'ok')
    save('html', 'comments.html', '<html>' + '<!-- 4111111111111111 -->' * 50_000, 'ok')
    save('html', 'aside.html', '<html>' + '<!-- ' + 'x' * 900_000 + '-->' + '<i title="xxxxxxxx"/>' * 10, 'ok')
    save('html', 'charset.html', '<html><meta charset="utf-7"><meta charset="x">' + '+ADw-' * 1000, 'ok')
    save('rtf', 'deep.rtf', '{\\rtf1' + '{\\b ' * 1_000_000 + CARD, 'ok')
    save('rtf', 'backslashes.rtf', '{\\rtf1' + '\\' * 3_000_000, 'ok')
    save('rtf', 'escapes.rtf', '{\\rtf1' + "\\'e9\\u8364?" * 500_000, 'ok')
    save('rtf', 'bin.rtf', '{\\rtf1\\bin2147483647 ' + '\0' * 1000, 'unsupported')
    save('rtf', 'objects.rtf', '{\\rtf1{\\object{\\*\\objdata ' + '4\\b 1\\i ' * 500_000, 'ok', 'malformed')
    save('rtf', 'object.rtf', '{\\rtf1{\\object{\\*\\objdata ' + '50' * 20_000_000, 'too_large')
    save('rtf', 'words.rtf', '{\\rtf1' + '\\' + 'a' * 5_000_000, 'ok')
    save('rtf', 'codepages.rtf', '{\\rtf1' + ''.join(f'\\ansicpg{i}x' for i in range(100_000)), 'ok')


def mail(save):
    head = 'From: a@b.c\nTo: d@e.f\nMIME-Version: 1.0\n'
    part = 'Content-Type: multipart/mixed; boundary="{}"\n\n'
    save('mail', 'deep.eml', head + ''.join(part.format(f'b{i}') + f'--b{i}\n' for i in range(2000)), 'depth', 'malformed')
    save('mail', 'same-boundary.eml', head + (part.format('x') + '--x\n') * 20000, 'depth', 'malformed')
    nest = ''.join(part.format(f'b{i}') + f'--b{i}\n' for i in range(60))
    save('mail', 'dashes.eml', head + nest + '\n' + '--\n' * 300_000, 'malformed')
    save('mail', 'prefixes.eml', head + part.format('x') + ''.join('--' + 'x' * (i % 80) + '\n\n' for i in range(100_000)), 'malformed', 'ok', 'too_large')
    save('mail', 'no-boundary.eml', head + 'Content-Type: multipart/mixed; boundary=""\n\n----\n\nx', 'ok', 'malformed')
    save('mail', 'soft-lines.eml', head + 'Content-Transfer-Encoding: quoted-printable\n\n' + '4=\n1=\n' * 500_000, 'ok')
    save('mail', 'escapes.eml', head + 'Content-Transfer-Encoding: quoted-printable\n\n' + '=4=ZZ=3D=\r\n' * 300_000, 'ok')
    save('mail', 'base64.eml', head + 'Content-Transfer-Encoding: base64\n\n' + 'A=B\n' * 300_000, 'ok', 'malformed')
    save('mail', 'headers.eml', head + 'X: y\n' * 500_000, 'malformed')
    save('mail', 'header.eml', head + 'Subject: ' + '=?utf-8?b?' * 100_000 + '\n\nx', 'ok', 'malformed')
    parameters = 'Content-Type: text/plain' + ';a="' * 2000 + '\n\nx\n'
    save('mail', 'parameters.eml', head + part.format('x') + ''.join('--x\n' + parameters for _ in range(1500)), 'malformed')
    save('mail', 'continued.eml', head + 'Content-Disposition: attachment' + ''.join(f";\n name*{i}=x" for i in range(20_000)) + '\n\nx', 'ok', 'malformed')
    save('mail', 'messages.mbox', 'From a\n' + (head + '\nx\nFrom b\n') * 30_000, 'ok')
    message = head + '\nx'
    for _ in range(60):
        message = head + 'Content-Type: message/rfc822\n\n' + message
    save('mail', 'forwarded.eml', message, 'depth')
    save('mail', 'encoding.eml', head + 'Content-Transfer-Encoding: x-uuencode\n\n' + 'x' * 1000, 'unsupported', 'malformed', 'ok')


def compound(fat=None, minifat=None, directory=(), cutoff=4096, header=None, sectors=()):
    head = bytearray(bytes.fromhex('d0cf11e0a1b11ae1') + bytes(16) + struct.pack('<HHHHH6xIIIIIIIIII', 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, cutoff, 2, 1, 0xFFFFFFFE, 0, 0) + struct.pack('<108I', *([0xFFFFFFFF] * 108)))
    for at, value in (header or {}).items():
        struct.pack_into('<I', head, at, value)
    fat = (fat or [0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFE, 0xFFFFFFFE]) + [0xFFFFFFFF] * 128
    minifat = (minifat or [0xFFFFFFFE]) + [0xFFFFFFFF] * 128
    entries = b''
    for name, kind, start, size in directory:
        encoded = name.encode('utf-16le')
        entries += encoded.ljust(64, b'\0') + struct.pack('<HBB3I16sI8s8sIII', len(encoded) + 2, kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, b'', 0, b'', b'', start, size, 0)
    return bytes(head)[:512] + struct.pack('<128I', *fat[:128]) + entries.ljust(512, b'\0')[:512] + struct.pack('<128I', *minifat[:128]) + b''.join(sectors)


def compounds(save):
    root, stream = ('Root Entry', 5, 3, 512), ('WordDocument', 2, 0, 4000)
    text = (CARD.encode() * 40)[:512]
    big = 0xFFFFFFF0
    save('compound', 'fat-loop.doc', compound(fat=[0xFFFFFFFD, 1, 2, 3], directory=[root, ('WordDocument', 2, 3, big)], sectors=[text]), 'encrypted')
    # Every stream is a small one, and its chain is a circle.
    save('compound', 'small-loop.doc', compound(minifat=[0], directory=[root, ('WordDocument', 2, 0, big - 1)], cutoff=0xFFFFFFFF, sectors=[text]), 'encrypted')
    save('compound', 'directory-loop.doc', compound(fat=[0xFFFFFFFD, 1, 2, 3], directory=[root] + [stream] * 3, sectors=[text]), 'encrypted')
    save('compound', 'list-loop.doc', compound(header={68: 3, 72: 0xFFFFFFFF}, directory=[root, stream], sectors=[struct.pack('<128I', *([3] * 128))]), 'unsupported', 'malformed')
    save('compound', 'no-root.doc', compound(directory=[stream]), 'malformed')
    save('compound', 'sector.doc', compound(header={30: 31}, directory=[root]), 'malformed')
    save('compound', 'sizes.doc', compound(directory=[('Root Entry', 5, 3, big), ('Workbook', 2, 3, big), ('EncryptedPackage', 2, big, big)], sectors=[text]), 'encrypted')
    save('compound', 'noise.doc', bytes.fromhex('d0cf11e0a1b11ae1') + os.urandom(300_000), 'malformed')
    many = [('Root Entry', 5, 1000, 4096)] + [(f's{i}', 2, 5, 15 << 20) for i in range(2000)]
    entries = compound(directory=many)
    chain = list(range(1, 128))
    save('compound', 'same-chain.doc', entries[:512] + struct.pack('<128I', *([0xFFFFFFFD] + chain)) + entries[1024:] + text * 30_000, 'unsupported', 'malformed', 'ratio', 'too_large')


def texts(save):
    save('text', 'empty.txt', b'', 'ok')
    save('text', 'one.txt', b'\xff', 'ok')
    save('text', 'marks.txt', b'\xff\xfe', 'ok')
    save('text', 'zeros.bin', bytes(50 << 20), 'ok')
    save('text', 'digits.txt', b'4111 1111 1111 1111 ' * 50_000, 'ok')
    save('text', 'one-line.txt', b'1234567890' * 3_000_000, 'ok')
    save('text', 'ats.txt', b'a@' * 5_000_000, 'ok')
    save('text', 'surrogates.txt', b'\xff\xfe' + b'\x00\xd8' * 3_000_000, 'ok')
    save('text', 'flips.txt', (b'text ' * 205 + b'\xff\xfe' + 'x'.encode('utf-16le') * 511) * 3000, 'ok')
    save('text', 'noise.bin', os.urandom(20 << 20), 'ok')
    for head, name in ((b'\x1f\x8b', 'gz'), (b'PK\3\4', 'zip'), (b'%PDF-', 'pdf'), (b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'doc'), (b'{\\rtf', 'rtf'), (b'<html', 'html'), (b'From: a\nTo: b\n', 'eml')):
        save('text', f'only-{name}', head, 'ok', 'malformed')


def write(save):
    for part in (xml, office, pages, mail, compounds, texts):
        part(save)
