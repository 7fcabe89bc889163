// Recall through containers: rows of a protected table, planted in files of every format by python3's own libraries and
// by hand after the specifications, are found again by `sentinel dlp scan`, each in its place.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileVerdict } from '../../agent/dlp/types.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Rows planted in each file. */
const ROWS = 400;

const FILES: Readonly<Record<string, string>> = {
  'plain.csv': '',
  'stored.zip': 'list.csv',
  'packed.zip': 'folder/list.csv',
  'wide.zip': 'wide.txt',
  'list.tar': 'list.csv',
  'list.tgz': 'list.tgz!/list.csv',
  'list.csv.gz': 'list.csv',
  'mail.eml': 'list.csv',
  'quoted.eml': 'text-plain',
  'page.html': '',
  'text.rtf': '',
  'data.xml': '',
  'text.docx': 'word/document.xml',
  'table.xlsx': 'xl/worksheets/sheet1.xml',
  'slides.pptx': 'ppt/slides/slide1.xml',
  'text.odt': 'content.xml',
  'table.ods': 'content.xml',
  'pages.pdf': '',
  'deep.zip': 'mail.eml!/list.tgz!/inner.tgz!/text.docx!/word/document.xml',
};

const PROGRAM = `
import gzip, io, json, os, random, sys, tarfile, zipfile, zlib
from email.message import EmailMessage
random.seed(5)
ROWS, NAMES = int(sys.argv[1]), json.loads(sys.argv[2])
def luhn(body):
    total = 0
    for i, c in enumerate(reversed(body)):
        d = int(c) * (2 if i % 2 == 0 else 1); total += d - 9 if d > 9 else d
    return body + str(-total % 10)
seen, table = set(), []
while len(table) < ROWS * len(NAMES):
    card = luhn('4' + ''.join(random.choice('0123456789') for _ in range(14)))
    if card in seen: continue
    seen.add(card); n = len(table)
    table.append((card, f'person{n}.surname@mail{n % 97}.example.org', f'Given{n} Surname{n}'))
with open('table.csv', 'w') as f:
    f.write('card,email,name\\n')
    for row in table: f.write(','.join(row) + '\\n')
open('schema.yml', 'w').write('name: customers\\nfields:\\n  - {column: card, role: primary, type: card}\\n  - {column: email, role: primary, type: email}\\n  - {column: name, role: secondary, type: words}\\nmatch: {secondary: 0, withinTokens: 24}\\n')
rows = {name: table[i * ROWS:(i + 1) * ROWS] for i, name in enumerate(NAMES)}
def csv(name): return '\\n'.join(f'{c[:4]} {c[4:8]} {c[8:12]} {c[12:]};{e};{p}' for c, e, p in rows[name])
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
mail('quoted.eml', text='\\u00e4 ' + csv('quoted.eml').replace('\\n', ' , '), cte='quoted-printable')
write('page.html', ('<html><body><table>' + ''.join(f'<tr><td><b>{c[:7]}</b>{c[7:]}</td><td>{e.replace("@", "&#64;")}</td><td>{p}</td></tr>' for c, e, p in rows['page.html']) + '</table></body></html>').encode())
write('text.rtf', ('{\\\\rtf1\\\\ansi{\\\\fonttbl{\\\\f0 Arial;}}' + ''.join(f'{{\\\\b {c[:5]}}}{c[5:]}\\\\cell {e}\\\\cell {p}\\\\row\\n' for c, e, p in rows['text.rtf']) + '}').encode())
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
odf('table.ods', 'spreadsheet', ''.join(f'<table:table-row><table:table-cell><text:p>{c}</text:p></table:table-cell><table:table-cell><text:p>{e}</text:p></table:table-cell></table:table-row>' for c, e, p in rows['table.ods']))
def pdf(name):
    objects = [b'<</Type/Catalog/Pages 2 0 R>>', None, b'<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>']; kids = []
    for start in range(0, ROWS, 40):
        text = b'BT /F1 9 Tf 20 780 Td ' + b' '.join(f'({c} {e} {p}) Tj 0 -14 Td'.encode() for c, e, p in rows[name][start:start + 40]) + b' ET'
        z = zlib.compress(text); objects.append(b'<</Length %d/Filter/FlateDecode>>stream\\n' % len(z) + z + b'\\nendstream')
        objects.append(b'<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>' % len(objects)); kids.append(len(objects))
    objects[1] = b'<</Type/Pages/Count %d/Kids[%s]>>' % (len(kids), b' '.join(b'%d 0 R' % k for k in kids))
    out = b'%PDF-1.7\\n'; places = []
    for i, o in enumerate(objects, 1): places.append(len(out)); out += b'%d 0 obj\\n' % i + o + b'\\nendobj\\n'
    x = len(out)
    return out + b'xref\\n0 %d\\n0000000000 65535 f \\n' % (len(objects) + 1) + b''.join(b'%010d 00000 n \\n' % p for p in places) + b'trailer\\n<</Size %d/Root 1 0 R>>\\nstartxref\\n%d\\n%%%%EOF\\n' % (len(objects) + 1, x)
write('pages.pdf', pdf('pages.pdf'))
pack('../inner.docx', docx('deep.zip'))
tar('../inner.tgz', 'w:gz', 'text.docx', open('../inner.docx', 'rb').read())
mail('../inner.eml', ('list.tgz', open('../inner.tgz', 'rb').read()))
pack('deep.zip', {'mail.eml': open('../inner.eml', 'rb').read()})
`;

let directory = '';

function sentinel(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(
    process.execPath,
    [join(root, 'out/agent/sentinel.mjs'), ...argv, '--data', join(directory, 'data')],
    {
      cwd: directory,
      encoding: 'utf8',
      maxBuffer: 256 << 20,
    },
  );
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'dlp-containers-'));
  mkdirSync(join(directory, 'files'));
  const made = spawnSync('python3', ['-c', PROGRAM, String(ROWS), JSON.stringify(Object.keys(FILES))], {
    cwd: directory,
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(made.stderr);
  const built = sentinel(
    'dlp',
    'index',
    'build',
    '--schema',
    'schema.yml',
    '--csv',
    'table.csv',
    '--out',
    'i.sdlp',
  );
  if (built.status !== 0) throw new Error(built.stderr);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('protected rows inside containers', () => {
  it('are all found, by card and by address, under the member they are in', () => {
    const scanned = sentinel('dlp', 'scan', '--index', 'i.sdlp', 'files', '--json');
    expect(scanned.status, scanned.stderr).toBe(1);
    const verdicts = new Map(
      scanned.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as FileVerdict)
        .map((verdict) => [verdict.path.replace(/^files\//, ''), verdict]),
    );
    for (const [index, [name, member]] of Object.entries(FILES).entries()) {
      const verdict = verdicts.get(name);
      expect.soft(verdict, name).toMatchObject({ verdict: 'match' });
      expect.soft(verdict?.reasonCode, name).toBeUndefined();
      const found = new Map<string, Set<number>>();
      for (const match of verdict?.matches ?? []) {
        if ((match.member ?? '') !== member) continue;
        const rows = found.get(match.type) ?? new Set();
        found.set(match.type, rows.add(Number(match.rowRef)));
      }
      const wanted = Array.from({ length: ROWS }, (_, row) => index * ROWS + row + 1);
      for (const type of ['card', 'email'])
        expect.soft(wanted.filter((row) => !found.get(type)?.has(row)).length, `${name} ${type}`).toBe(0);
    }
  });

  it('from standard input too, where a container cannot be read twice', () => {
    const piped = spawnSync(
      'sh',
      [
        '-c',
        `cat files/packed.zip | ${process.execPath} ${join(root, 'out/agent/sentinel.mjs')} dlp scan --index i.sdlp - --json --data data`,
      ],
      { cwd: directory, encoding: 'utf8' },
    );
    expect(piped.status, piped.stderr).toBe(1);
    const verdict = JSON.parse(piped.stdout) as FileVerdict;
    expect(verdict.verdict).toBe('match');
    expect(new Set(verdict.matches.map((match) => match.member))).toEqual(new Set(['folder/list.csv']));
  });

  it('a file that cannot be read inside is unscannable, and one where something was found before is a match', () => {
    mkdirSync(join(directory, 'odd'));
    const made = spawnSync(
      'python3',
      [
        '-c',
        `
import zipfile
row = open('table.csv').read().split('\\n')[1]
def z(name, parts):
    with zipfile.ZipFile(name, 'w', zipfile.ZIP_DEFLATED) as f:
        for n, d in parts: f.writestr(n, d)
    data = bytearray(open(name, 'rb').read())
    # The encrypted flag of the first entry, in its header and in the directory.
    data[6] |= 1; at = data.index(b'PK\\x01\\x02'); data[at + 8] |= 1
    open(name, 'wb').write(data)
z('odd/locked.zip', [('a', row)]); z('odd/half.zip', [('a', 'x'), ('b.csv', row)])
open('odd/a.7z', 'wb').write(bytes.fromhex('377abcaf271c0004') + bytes(100))
`,
      ],
      { cwd: directory, encoding: 'utf8' },
    );
    expect(made.stderr).toBe('');
    const scanned = sentinel('dlp', 'scan', '--index', 'i.sdlp', 'odd', '--json');
    const verdicts = scanned.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as FileVerdict)
      .toSorted((a, b) => (a.path < b.path ? -1 : 1));
    expect(verdicts).toMatchObject([
      { path: 'odd/a.7z', verdict: 'unscannable', reasonCode: 'unsupported' },
      { path: 'odd/half.zip', verdict: 'match', reasonCode: 'encrypted' },
      { path: 'odd/locked.zip', verdict: 'unscannable', reasonCode: 'encrypted' },
    ]);
    writeFileSync(join(directory, 'nothing.html'), '<html>nothing</html>');
    expect(sentinel('dlp', 'scan', '--index', 'i.sdlp', 'nothing.html').status).toBe(0);
  });
});
