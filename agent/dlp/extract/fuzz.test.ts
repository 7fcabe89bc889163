import { describe, expect, it } from 'vitest';
import type { ExtractResult } from './extraction.ts';
import { mutate, randomOf } from './fuzz.ts';
import { withDefaults } from './limits.ts';
import { bufferSource } from './source.ts';
import { python } from './test-kit.ts';
import { extractSource } from './visit.ts';

/** Mutants in a normal run; the whole of it: `FUZZ_FILES=200000 FUZZ_SEED=7 npx vitest run agent/dlp/extract/fuzz.test.ts`. */
const FILES = Number(process.env['FUZZ_FILES'] ?? 3000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const NAMES = [
  'a.zip',
  'a.docx',
  'a.xlsx',
  'a.ods',
  'a.tar',
  'a.tgz',
  'a.eml',
  'a.mbox',
  'a.html',
  'a.rtf',
  'a.xml',
  'a.doc',
];
const OUTCOMES = ['ok', 'encrypted', 'too_large', 'ratio', 'depth', 'time', 'malformed', 'unsupported'];

const SEEDS = `
import zipfile, tarfile, io, struct
from email.message import EmailMessage
def z(name, parts, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(name, 'w', method) as f:
        for n, d in parts: f.writestr(n, d)
t = 'word ' * 40 + '4111111111111111'
z('a.zip', [('a.txt', t), ('b.txt', t * 3)], zipfile.ZIP_STORED)
ct = '<Types><Override PartName="/xl/workbook.xml" ContentType="x.sheet.main+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType="x.spreadsheetml.sharedStrings+xml"/><Override PartName="/xl/styles.xml" ContentType="x.spreadsheetml.styles+xml"/></Types>'
z('a.docx', [('[Content_Types].xml', '<Types/>'), ('word/document.xml', '<?xml version="1.0"?><w:document><w:body><w:p><w:r><w:t>' + t + '</w:t></w:r><w:tab/></w:p><w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl></w:body></w:document>')], zipfile.ZIP_STORED)
z('a.xlsx', [('[Content_Types].xml', ct), ('xl/workbook.xml', '<workbook><workbookPr date1904="1"/></workbook>'), ('xl/sharedStrings.xml', '<sst><si><t>one</t></si><si><r><t>two</t></r><rPh><t>x</t></rPh></si></sst>'), ('xl/styles.xml', '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="000\\\\-00"/></numFmts><cellXfs><xf numFmtId="14"/><xf numFmtId="164"/></cellXfs></styleSheet>'), ('xl/worksheets/sheet1.xml', '<worksheet><sheetData><row><c t="s"><v>1</v></c><c s="0"><v>44197.5</v></c><c s="1"><v>12</v></c><c><f>A1&amp;"x"</f><v>1E+20</v></c><c t="inlineStr"><is><t>in</t></is></c></row></sheetData></worksheet>')], zipfile.ZIP_STORED)
z('a.ods', [('mimetype', 'application/vnd.oasis.opendocument.spreadsheet'), ('META-INF/manifest.xml', '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'), ('content.xml', '<office:document-content><table:table-row><table:table-cell office:value="4"/><table:table-cell><text:p>a<text:s text:c="3"/>b</text:p></table:table-cell></table:table-row></office:document-content>')])
for n, m in (('a.tar', 'w'), ('a.tgz', 'w:gz')):
    with tarfile.open(n, m) as f:
        for k in ('a.zip', 'd' * 120 + '.txt'):
            d = open('a.zip', 'rb').read() if k == 'a.zip' else t.encode()
            i = tarfile.TarInfo(k); i.size = len(d); f.addfile(i, io.BytesIO(d))
m = EmailMessage(); m['From'] = 'a@b.c'; m['To'] = 'd@e.f'; m['Subject'] = 'Gr\\u00fc\\u00dfe'; m.set_content('\\u00e4 ' + t); m.add_alternative('<p>x</p>', subtype='html'); m.add_attachment(open('a.docx', 'rb').read(), maintype='a', subtype='b', filename='\\u00e4.docx')
open('a.eml', 'wb').write(m.as_bytes()); open('a.mbox', 'wb').write((b'From a b\\n' + m.as_bytes() + b'\\n') * 2)
open('a.html', 'w').write('<html><head><meta charset="iso-8859-1"></head><table><tr><td a=\\'b\\' c=d>&eacute;&#8364;</td></tr></table><script>x<y</script><!-- c -->')
open('a.rtf', 'w').write('{\\\\rtf1\\\\ansi\\\\ansicpg1251{\\\\fonttbl{\\\\f0 A;}}a\\\\u8364?\\\\\\'e9\\\\par{\\\\object{\\\\*\\\\objdata 504b0304}}\\\\cell\\\\row}')
open('a.xml', 'w').write('<?xml version="1.0" encoding="utf-8"?><!DOCTYPE a [<!ENTITY b "c">]><a b="c">&amp;&#65;&b;<![CDATA[x]]><!-- y --></a>')
def cfb():
    names = ['Root Entry', 'WordDocument', '1Table', 'ObjectPool']
    d = b''
    for i, n in enumerate(names):
        e = n.encode('utf-16le') + b'\\0\\0'
        d += e.ljust(64, b'\\0') + struct.pack('<HBB3I16sI8s8sII4x', len(e), 5 if i == 0 else 2, 1, 0xffffffff, 0xffffffff, 1 if i == 0 else 0xffffffff, b'', 0, b'', b'', 3 if i == 0 else (i - 1) * 8, 1536 if i == 0 else 500)
    mini = (t.encode() * 9)[:1536]
    fat = struct.pack('<128I', 0xfffffffd, 0xfffffffe, 0xfffffffe, 4, 5, 0xfffffffe, *([0xffffffff] * 122))
    minifat = struct.pack('<128I', *[(i + 1 if i % 8 != 7 else 0xfffffffe) if i < 24 else 0xffffffff for i in range(128)])
    h = bytes.fromhex('d0cf11e0a1b11ae1') + bytes(16) + struct.pack('<HHHHH6xIIIIIIIIII', 0x3e, 3, 0xfffe, 9, 6, 0, 1, 1, 0, 4096, 2, 1, 0xfffffffe, 0, 0) + struct.pack('<108I', *([0xffffffff] * 108))
    return h[:512] + fat + d + minifat + mini
open('a.doc', 'wb').write(cfb())
`;

describe('mutated files', () => {
  it(
    `${FILES} of them end in an outcome, none in an exception, an endless loop or more memory`,
    { timeout: 7_200_000 },
    async () => {
      const seeds = python(SEEDS, ...NAMES);
      const random = randomOf(SEED);
      // Small limits: what is tried is whether they hold.
      const limits = withDefaults({ maxOutputBytes: 8_000_000, ratioFloorBytes: 1_000_000, wallMs: 120_000 });
      const outcomes = new Map<string, number>();
      let slowestMs = 0;
      let most = 0;
      for (let number = 0; number < FILES; number += 1) {
        const index = random(seeds.length);
        const file = mutate(seeds[index] as Buffer, seeds[random(seeds.length)] as Buffer, random);
        const startedMs = performance.now();
        let text = 0;
        let result: ExtractResult;
        try {
          result = await extractSource(
            bufferSource(file),
            limits,
            (_member, chunk) => void (text += chunk.length),
          );
        } catch (error) {
          throw new Error(
            `mutant ${number} of ${NAMES[index]} with seed ${SEED}: ${(error as Error).stack}`,
            { cause: error },
          );
        }
        outcomes.set(result.outcome, (outcomes.get(result.outcome) ?? 0) + 1);
        slowestMs = Math.max(slowestMs, performance.now() - startedMs);
        most = Math.max(most, text);
      }
      expect([...outcomes.keys()].filter((outcome) => !OUTCOMES.includes(outcome))).toEqual([]);
      expect(outcomes.get('time') ?? 0).toBe(0);
      expect(most).toBeLessThanOrEqual(limits.maxOutputBytes);
      // Both kinds must occur, or the mutants are all alike.
      expect(outcomes.get('ok')).toBeGreaterThan(FILES / 50);
      expect(outcomes.get('malformed')).toBeGreaterThan(FILES / 50);
      if (process.env['FUZZ_FILES'])
        process.stderr.write(
          `${FILES} mutants: ${JSON.stringify(Object.fromEntries(outcomes))}, slowest ${slowestMs.toFixed(0)} ms, most text ${most}, ` +
            `peak RSS ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB\n`,
        );
    },
  );
});
