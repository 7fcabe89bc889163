# Writes containers of every format with rows of a table in them. Arguments: rows per file, names of the files as JSON.
import base64, binascii, bz2, gzip, io, json, os, quopri, random, struct, sys, tarfile, zipfile, zlib
from email.message import EmailMessage
random.seed(5)
ROWS, NAMES = int(sys.argv[1]), json.loads(sys.argv[2])
def luhn(body):
    total = 0
    for i, c in enumerate(reversed(body)):
        d = int(c) * (2 if i % 2 == 0 else 1); total += d - 9 if d > 9 else d
    return body + str(-total % 10)
def iban():
    body = ''.join(random.choice('0123456789') for _ in range(18))
    return 'DE%02d' % (98 - int(body + '131400') % 97) + body
seen, table = set(), []
while len(table) < ROWS * len(NAMES):
    card = luhn('4' + ''.join(random.choice('0123456789') for _ in range(14)))
    if card in seen: continue
    seen.add(card); n = len(table)
    table.append((card, f'person{n}.surname@mail{n % 97}.example.org', iban()))
with open('table.csv', 'w') as f:
    f.write('card,email,iban\n')
    for row in table: f.write(','.join(row) + '\n')
open('schema.yml', 'w').write('name: customers\nfields:\n  - {column: card, role: primary, type: card}\n  - {column: email, role: primary, type: email}\n  - {column: iban, role: primary, type: iban}\nmatch: {secondary: 0, withinTokens: 24}\n')
rows = {name: table[i * ROWS:(i + 1) * ROWS] for i, name in enumerate(NAMES)}
def csv(name): return '\n'.join(f'{c[:4]} {c[4:8]} {c[8:12]} {c[12:]};{e};{p}' for c, e, p in rows[name])
def pack(path, parts, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, 'w', method) as z:
        for n, d in parts.items(): z.writestr(n, d)
def tar(path, mode, name, data):
    with tarfile.open(path, mode) as t:
        i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data))
os.chdir('files')
write = lambda name, data: open(name, 'wb').write(data)
write('plain.csv', csv('plain.csv').encode())
pack('stored.zip', {'list.csv': csv('stored.zip')}, zipfile.ZIP_STORED)
pack('packed.zip', {'folder/list.csv': csv('packed.zip')})
pack('wide.zip', {'wide.txt': csv('wide.zip').encode('utf-16')})
tar('list.tar', 'w', 'list.csv', csv('list.tar').encode())
tar('list.tgz', 'w:gz', 'list.csv', csv('list.tgz').encode())
g = gzip.GzipFile('list.csv', 'wb', fileobj=open('list.csv.gz', 'wb')); g.write(csv('list.csv.gz').encode()); g.close()
def mail(path, attach=None, text='see there', cte=None):
    m = EmailMessage(); m['From'] = 'sender@mail.example'; m['To'] = 'receiver@mail.example'; m['Subject'] = 'Übersicht'
    m.set_content(text, cte=cte) if cte else m.set_content(text)
    if attach: m.add_attachment(attach[1], maintype='application', subtype='octet-stream', filename=attach[0])
    write(path, m.as_bytes())
mail('mail.eml', ('list.csv', csv('mail.eml').encode()))
mail('quoted.eml', text='\u00e4 ' + csv('quoted.eml').replace('\n', ' , '), cte='quoted-printable')
write('page.html', ('<html><body><table>' + ''.join(f'<tr><td><b>{c[:7]}</b>{c[7:]}</td><td>{e.replace("@", "&#64;")}</td><td>{p}</td></tr>' for c, e, p in rows['page.html']) + '</table></body></html>').encode())
write('text.rtf', ('{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}' + ''.join(f'{{\\b {c[:5]}}}{c[5:]}\\cell {e}\\cell {p}\\row\n' for c, e, p in rows['text.rtf']) + '}').encode())
write('data.xml', ('<?xml version="1.0" encoding="UTF-16"?><list>' + ''.join(f'<row card="{c}"><email>{e}</email><name>{p}</name></row>' for c, e, p in rows['data.xml']) + '</list>').encode('utf-16'))
def types(*pairs): return '<Types>' + ''.join(f'<Override PartName="/{p}" ContentType="application/vnd.openxmlformats-officedocument.{t}+xml"/>' for p, t in pairs) + '</Types>'
def docx(name): return {'[Content_Types].xml': types(('word/document.xml', 'wordprocessingml.document.main')), 'word/document.xml': '<w:document><w:body>' + ''.join(f'<w:p><w:r><w:t>{c[:9]}</w:t></w:r><w:r><w:t>{c[9:]} {e} {p}</w:t></w:r></w:p>' for c, e, p in rows[name]) + '</w:body></w:document>'}
pack('text.docx', docx('text.docx'))
strings = [s for row in rows['table.xlsx'] for s in row[1:]]
pack('table.xlsx', {'[Content_Types].xml': types(('xl/workbook.xml', 'spreadsheetml.sheet.main'), ('xl/sharedStrings.xml', 'spreadsheetml.sharedStrings')), 'xl/workbook.xml': '<workbook/>',
  'xl/sharedStrings.xml': '<sst>' + ''.join(f'<si><t>{s}</t></si>' for s in strings) + '</sst>',
  'xl/worksheets/sheet1.xml': '<worksheet><sheetData>' + ''.join(f'<row><c><v>{c}</v></c><c t="s"><v>{2 * i}</v></c><c t="s"><v>{2 * i + 1}</v></c></row>' for i, (c, e, p) in enumerate(rows['table.xlsx'])) + '</sheetData></worksheet>'})
pack('slides.pptx', {'[Content_Types].xml': types(('ppt/presentation.xml', 'presentationml.presentation.main')), 'ppt/slides/slide1.xml': '<p:sld>' + ''.join(f'<a:p><a:r><a:t>{c[:3]}</a:t></a:r><a:r><a:t>{c[3:]} {e} {p}</a:t></a:r></a:p>' for c, e, p in rows['slides.pptx']) + '</p:sld>'})
def odf(path, kind, body): pack(path, {'mimetype': 'application/vnd.oasis.opendocument.' + kind, 'META-INF/manifest.xml': '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>', 'content.xml': '<office:document-content>' + body + '</office:document-content>'})
odf('text.odt', 'text', ''.join(f'<text:p>{c[:8]}<text:span>{c[8:]}</text:span><text:s/>{e}<text:tab/>{p}</text:p>' for c, e, p in rows['text.odt']))
odf('table.ods', 'spreadsheet', ''.join(f'<table:table-row><table:table-cell><text:p>{c}</text:p></table:table-cell><table:table-cell><text:p>{e}</text:p></table:table-cell><table:table-cell><text:p>{p}</text:p></table:table-cell></table:table-row>' for c, e, p in rows['table.ods']))
def pdf(name, columns=False, streams=False):
    objects = [b'<</Type/Catalog/Pages 2 0 R>>', None, b'<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>']; kids = []
    for start in range(0, ROWS, 40):
        part = rows[name][start:start + 40]
        if columns:
            # By column, in pieces, with kerning inside the numbers, one column upside down.
            text = 'BT /F1 9 Tf 1 0 0 1 20 780 Tm ' + ' '.join(f'[({c[:3]}) -20 ({c[3:9]}) 15 ({c[9:]})] TJ 0 -14 Td' for c, e, p in part)
            text += ' '.join(f' 1 0 0 1 {x} {780 - 14 * i} Tm ({t}) Tj' for x, k in ((150, 1),) for i, row in enumerate(part) for t in (row[k],))
            text += ' '.join(f' -1 0 0 -1 600 {20 + 14 * i} Tm ({p[:5]}) Tj ({p[5:]}) Tj' for i, (c, e, p) in enumerate(part)) + ' ET'
            text = text.encode()
        else: text = b'BT /F1 9 Tf 20 780 Td ' + b' '.join(f'({c} {e} {p}) Tj 0 -14 Td'.encode() for c, e, p in part) + b' ET'
        z = zlib.compress(text); objects.append(b'<</Length %d/Filter/FlateDecode>>stream\n' % len(z) + z + b'\nendstream')
        objects.append(b'<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>' % len(objects)); kids.append(len(objects))
    objects[1] = b'<</Type/Pages/Count %d/Kids[%s]>>' % (len(kids), b' '.join(b'%d 0 R' % k for k in kids))
    out = b'%PDF-1.7\n'; places = {}
    packed = [i for i, o in enumerate(objects, 1) if streams and b'stream' not in o]
    for i, o in enumerate(objects, 1):
        if i not in packed: places[i] = (1, len(out), 0); out += b'%d 0 obj\n' % i + o + b'\nendobj\n'
    n = len(objects) + 1
    if streams:
        index, body = b'', b''
        for nth, i in enumerate(packed): index += b'%d %d ' % (i, len(body)); body += objects[i - 1] + b' '; places[i] = (2, n, nth)
        z = zlib.compress(index + body); places[n] = (1, len(out), 0)
        out += b'%d 0 obj\n<</Type/ObjStm/N %d/First %d/Length %d/Filter/FlateDecode>>stream\n' % (n, len(packed), len(index), len(z)) + z + b'\nendstream\nendobj\n'
        x = len(out); places[n + 1] = (1, x, 0); table = struct.pack('>BIH', 0, 0, 65535) + b''.join(struct.pack('>BIH', *places[i]) for i in range(1, n + 2)); z = zlib.compress(table)
        return out + b'%d 0 obj\n<</Type/XRef/W[1 4 2]/Size %d/Root 1 0 R/Length %d/Filter/FlateDecode>>stream\n' % (n + 1, n + 2, len(z)) + z + b'\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n' % x
    x = len(out)
    return out + b'xref\n0 %d\n0000000000 65535 f \n' % n + b''.join(b'%010d 00000 n \n' % places[i][1] for i in range(1, n)) + b'trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n' % (n, x)
write('pages.pdf', pdf('pages.pdf'))
pack('wide-names.zip', {'Übersicht/список.csv': csv('wide-names.zip')})
with zipfile.ZipFile('large.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    with z.open('list.csv', 'w', force_zip64=True) as f: f.write(csv('large.zip').encode())
class Pipe(io.RawIOBase):
    def __init__(self, name): self.f = open(name, 'wb')
    def writable(self): return True
    def write(self, data): self.f.write(data); return len(data)
pipe = Pipe('streamed.zip')
with zipfile.ZipFile(pipe, 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('list.csv', csv('streamed.zip'))
pipe.f.close()
pack('program.exe', {'list.csv': csv('program.exe')}); write('program.exe', b'MZ' + bytes(random.randrange(256) for _ in range(9000)) + open('program.exe', 'rb').read())
pack('library.jar', {'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0', 'META-INF/list.txt': csv('library.jar')})
write('list.csv.bz2', bz2.compress(csv('list.csv.bz2').encode())); tar('list.tar.xz', 'w:xz', 'list.csv', csv('list.tar.xz').encode())
pack('packed-bzip2.zip', {'list.csv': csv('packed-bzip2.zip')}, zipfile.ZIP_BZIP2); pack('packed-lzma.zip', {'list.csv': csv('packed-lzma.zip')}, zipfile.ZIP_LZMA)
write('twice.gz', gzip.compress(csv('twice.gz')[:5000].encode()) + gzip.compress(csv('twice.gz')[5000:].encode()))
for name, style in ('pax.tar', tarfile.PAX_FORMAT), ('gnu.tar', tarfile.GNU_FORMAT):
    with tarfile.open(name, 'w', format=style) as t:
        i = tarfile.TarInfo('long/' * 40 + 'list.csv'); data = csv(name).encode(); i.size = len(data); t.addfile(i, io.BytesIO(data))
def page(name): return '<!DOCTYPE html><html><head><title>List</title></head><body>' + ''.join(f'<div>{c[:6]}<span class="half of it">{c[6:]}</span>\n   <a href="mailto:{e}">write</a> {p[:9]}&shy;{p[9:]}</div>' for c, e, p in rows[name]) + '</body></html>'
def message(): m = EmailMessage(); m['From'] = 'sender@mail.example'; m['To'] = 'receiver@mail.example'; m['Subject'] = 'List'; return m
m = message(); m.set_content('see there'); m.add_alternative(page('html.eml'), subtype='html', cte='base64'); write('html.eml', m.as_bytes())
inner = message(); inner.set_content(csv('nested.eml')); m = message(); m.set_content('see there'); m.add_attachment(inner); write('nested.eml', m.as_bytes())
head = b'From: sender@mail.example\r\nTo: receiver@mail.example\r\nMIME-Version: 1.0\r\n'
def coded(name, charset, more='', text=None): write(name, head + f'Content-Type: text/plain; charset={charset}{more}\r\nContent-Transfer-Encoding: base64\r\n\r\n'.encode() + base64.encodebytes((text or '一覧表\r\n' + csv(name)).encode(charset)))
coded('wide.eml', 'utf-16'); coded('japanese.eml', 'iso-2022-jp')
coded('flowed.eml', 'utf-8', '; format=flowed; delsp=yes', '\r\n'.join(f'> {c[:9]} \r\n> {c[9:]} is of {e} \r\n>  and {p[:5]} \r\n> {p[5:]}' for c, e, p in rows['flowed.eml']))
data = csv('uuencoded.eml').encode(); write('uuencoded.eml', head + b'\r\nas asked\r\nbegin 644 list.csv\r\n' + b''.join(binascii.b2a_uu(data[i:i + 45]) for i in range(0, len(data), 45)) + b'`\r\nend\r\n')
third = ROWS // 3; lines = csv('box.mbox').split('\n')
write('box.mbox', b''.join(b'From sender@mail.example Mon Jan  1 00:00:00 2024\n' + head.replace(b'\r', b'') + b'Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n' + quopri.encodestring('\n'.join(lines[i:i + third]).encode()) + b'\n\n' for i in range(0, ROWS, third)))
write('archived.mhtml', b'From: <Saved by a browser>\r\nSubject: List\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="part"\r\n\r\n--part\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n' + quopri.encodestring(page('archived.mhtml').encode()) + b'\r\n--part--\r\n')
write('wide.html', page('wide.html').encode('utf-16'))
write('picture.svg', ('<svg xmlns="http://www.w3.org/2000/svg">' + ''.join(f'<text x="1">{c[:4]}<tspan font-weight="bold">{c[4:]}</tspan></text><desc>{e}</desc><path data-of="{p}"/>' for c, e, p in rows['picture.svg']) + '</svg>').encode())
write('pieces.xml', ('<?xml version="1.0"?><list>' + ''.join(f'<row><![CDATA[{c}]]><mail>{"".join(f"&#{ord(x)};" for x in e)}</mail><!-- {p} --></row>' for c, e, p in rows['pieces.xml']) + '</list>').encode())
write('unicode.rtf', ('{\\rtf1\\ansi\\uc1 ' + ''.join(''.join(f'\\u{ord(x)}?' for x in c) + f" {e[:3]}{{\\i {e[3:]}}}\\tab {p[:8]}\\\'{ord(p[8]):02x}{p[9:]}\\par\n" for c, e, p in rows['unicode.rtf']) + '}').encode())
main = ('word/document.xml', 'wordprocessingml.document.main')
pack('notes.docx', {'[Content_Types].xml': types(main), 'word/document.xml': '<w:document><w:body/></w:document>', 'word/footnotes.xml': '<w:footnotes>' + ''.join(f'<w:footnote><w:p><w:r><w:t>{c[:2]}</w:t></w:r><w:proofErr/><w:bookmarkStart w:name="some place"/><w:r><w:t>{c[2:]}</w:t></w:r><w:hyperlink><w:r><w:t> {e}</w:t><w:tab/><w:t>{p}</w:t></w:r></w:hyperlink></w:p></w:footnote>' for c, e, p in rows['notes.docx']) + '</w:footnotes>'})
pack('changed.docm', {'[Content_Types].xml': types(main), 'word/document.xml': '<w:document><w:body>' + ''.join(f'<w:p><w:r><w:t>{c[:6]}</w:t></w:r><w:del w:author="Some One"><w:r><w:delText>{c[6:]}</w:delText></w:r></w:del><w:ins w:author="Some One"><w:r><w:t>... {e}</w:t></w:r></w:ins><w:r><w:t> </w:t></w:r><w:r><w:instrText>HYPERLINK "x:{p[:9]}</w:instrText></w:r><w:r><w:instrText>{p[9:]}"</w:instrText></w:r></w:p>' for c, e, p in rows['changed.docm']) + '</w:body></w:document>'})
pack('strict.dotx', {'[Content_Types].xml': types(main), 'word/document.xml': '<document xmlns="http://purl.oclc.org/ooxml/wordprocessingml/main" xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"><body>' + ''.join(f'<tbl><tr><tc><p><r><t>{c}</t></r></p></tc><tc><p><r><t>{e}</t></r></p></tc><tc><p><r><t>{p[:4]}</t></r><r><drawing><docPr descr="picture of it"/></drawing></r><r><t>{p[4:]}</t></r></p></tc></tr></tbl>' for c, e, p in rows['strict.dotx']) + '</body></document>'})
book = ('xl/workbook.xml', 'spreadsheetml.sheet.main')
pack('inline.xlsm', {'[Content_Types].xml': types(book), 'xl/workbook.xml': '<workbook/>', 'xl/worksheets/sheet1.xml': '<worksheet><sheetData>' + ''.join(f'<row><c t="inlineStr"><is><r><t>{c[:5]}</t></r><r><t>{c[5:]}</t></r></is></c><c t="str"><f>A1</f><v>{e}</v></c><c><f>LEN("{p}")</f><v>22</v></c></row>' for c, e, p in rows['inline.xlsm']) + '</sheetData></worksheet>'})
pack('remarks.xlsx', {'[Content_Types].xml': types(book), 'xl/workbook.xml': '<workbook/>', 'xl/comments1.xml': '<comments><authors><author>Ann</author></authors><commentList>' + ''.join(f'<comment ref="A1"><text><r><rPr><sz val="9"/></rPr><t>{c[:7]}</t></r><r><rPr><b/></rPr><t>{c[7:]} {e}</t></r></text></comment><comment><text><t>{p}</t></text></comment>' for c, e, p in rows['remarks.xlsx']) + '</commentList></comments>'})
pack('notes.pptx', {'[Content_Types].xml': types(('ppt/presentation.xml', 'presentationml.presentation.main')), 'ppt/notesSlides/notesSlide1.xml': '<p:notes><p:txBody>' + ''.join(f'<a:p><a:r><a:t>{c[:3]}</a:t></a:r><a:r><a:rPr b="1"/><a:t>{c[3:]}</a:t></a:r><a:br/><a:r><a:t>{e}</a:t></a:r><a:fld><a:t> {p}</a:t></a:fld></a:p>' for c, e, p in rows['notes.pptx']) + '</p:txBody></p:notes>'})
odf('slides.odp', 'presentation', ''.join(f'<draw:page draw:name="page one"><draw:frame><draw:text-box><text:p>{c[:8]}<text:span>{c[8:]}</text:span></text:p></draw:text-box><svg:desc>{e}</svg:desc></draw:frame><presentation:notes><text:p>{p}</text:p></presentation:notes></draw:page>' for c, e, p in rows['slides.odp']))
def flat(kind, body): return ('<?xml version="1.0" encoding="UTF-8"?><office:document office:mimetype="application/vnd.oasis.opendocument.' + kind + '"><office:body>' + body + '</office:body></office:document>').encode()
write('flat.fodt', flat('text', '<office:text>' + ''.join(f'<text:p>{c[:8]}<text:bookmark text:name="some place"/>{c[8:]}<office:annotation><dc:creator>Ann</dc:creator><text:p>{e}</text:p></office:annotation><text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>{p}</text:p></text:note-body></text:note></text:p>' for c, e, p in rows['flat.fodt']) + '</office:text>'))
write('flat.fods', flat('spreadsheet', ''.join(f'<table:table-row><table:table-cell office:string-value="{c}"/><table:table-cell><text:p>{e}</text:p></table:table-cell><table:table-cell table:formula="of:=LEN(&quot;{p}&quot;)" office:value="22"><text:p>22</text:p></table:table-cell></table:table-row>' for c, e, p in rows['flat.fods'])))
pack('book.epub', {'mimetype': 'application/epub+zip', 'META-INF/container.xml': '<container/>', 'OEBPS/chapter.xhtml': '<?xml version="1.0"?>' + page('book.epub')})
write('columns.pdf', pdf('columns.pdf', columns=True)); write('objects.pdf', pdf('objects.pdf', streams=True))
write('notebook.ipynb', json.dumps({'cells': [{'cell_type': 'code', 'source': [f'"{c}", "{e}"'], 'outputs': [{'data': {'text/plain': [p]}}]} for c, e, p in rows['notebook.ipynb']]}, indent=1).encode())
write('contacts.vcf', ''.join(f'BEGIN:VCARD\r\nVERSION:3.0\r\nEMAIL;TYPE=work:{e}\r\nNOTE:account {c[:7]}\r\n {c[7:]}\r\nX-BANK:{p}\r\nEND:VCARD\r\n' for c, e, p in rows['contacts.vcf']).encode())
write('dates.ics', ('BEGIN:VCALENDAR\r\nVERSION:2.0\r\n' + ''.join(f'BEGIN:VEVENT\r\nATTENDEE;CN=Somebody:mailto:{e}\r\nSUMMARY:{c}\r\nDESCRIPTION:pay to {p[:9]}\r\n {p[9:]}\r\nEND:VEVENT\r\n' for c, e, p in rows['dates.ics']) + 'END:VCALENDAR\r\n').encode())
def compound(name, text):
    # One stream of 512-byte sectors after [MS-CFB]: FAT, directory, stream.
    count = -(-len(text) // 512); fats = -(-(count + 2) // 127); first = fats + 1
    fat = [0xFFFFFFFD] * fats + [0xFFFFFFFE] + [first + i + 1 for i in range(count - 1)] + [0xFFFFFFFE]
    fat += [0xFFFFFFFF] * (fats * 128 - len(fat))
    def entry(name, kind, start, size, child): n = name.encode('utf-16le') + b'\0\0'; return n.ljust(64, b'\0') + struct.pack('<HBBIII', len(n), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child) + bytes(36) + struct.pack('<IQ', start, size)
    header = bytes.fromhex('d0cf11e0a1b11ae1') + bytes(16) + struct.pack('<HHHHH', 0x3E, 3, 0xFFFE, 9, 6) + bytes(6) + struct.pack('<IIIIIIIII', 0, fats, fats, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0) + struct.pack('<109I', *range(fats), *[0xFFFFFFFF] * (109 - fats))
    directory = entry('Root Entry', 5, 0xFFFFFFFE, 0, 1) + entry(name, 2, first, len(text), 2) + entry('__properties_version1.0', 2, 0xFFFFFFFE, 0, 0xFFFFFFFF) + bytes(128)
    return header + struct.pack(f'<{len(fat)}I', *fat) + directory + text.ljust(count * 512, b'\0')
write('message.msg', compound('__substg1.0_1000001F', csv('message.msg').encode('utf-16le')))
for name in ('packed-zstd.zip', 'list.csv.zst', 'list.tar.zst'): write('../' + name + '.txt', csv(name).encode())
tar('../list.tar', 'w', 'list.csv', csv('list.tar.zst').encode())
pack('../inner.docx', docx('deep.zip'))
tar('../inner.tgz', 'w:gz', 'text.docx', open('../inner.docx', 'rb').read())
mail('../inner.eml', ('list.tgz', open('../inner.tgz', 'rb').read()))
pack('deep.zip', {'mail.eml': open('../inner.eml', 'rb').read()})
