// Recall through containers: rows of a protected table, planted in files of every format by python3's own libraries and
// by hand after the specifications, are found again by `sentinel dlp scan`, each in its place.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, zstdCompressSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileVerdict } from '../../agent/dlp/types.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Rows planted in each file. */
const ROWS = 900;

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
  'wide-names.zip': 'Übersicht/список.csv',
  'large.zip': 'list.csv',
  'streamed.zip': 'list.csv',
  'program.exe': 'list.csv',
  'library.jar': 'META-INF/list.txt',
  'packed-zstd.zip': 'list.csv',
  'list.csv.zst': 'content',
  'list.tar.zst': 'content!/list.csv',
  'list.csv.bz2': 'content',
  'list.tar.xz': 'content!/list.csv',
  'packed-bzip2.zip': 'list.csv',
  'packed-lzma.zip': 'list.csv',
  'twice.gz': 'content',
  'pax.tar': `${'long/'.repeat(40)}list.csv`,
  'gnu.tar': `${'long/'.repeat(40)}list.csv`,
  'html.eml': '',
  'nested.eml': 'message!/text-plain',
  'wide.eml': 'text-plain',
  'japanese.eml': 'text-plain',
  'flowed.eml': 'text-plain',
  'uuencoded.eml': 'list.csv',
  'box.mbox': 'text-plain',
  'archived.mhtml': '',
  'wide.html': '',
  'picture.svg': '',
  'pieces.xml': '',
  'unicode.rtf': '',
  'notes.docx': 'word/footnotes.xml',
  'changed.docm': 'word/document.xml',
  'strict.dotx': 'word/document.xml',
  'inline.xlsm': 'xl/worksheets/sheet1.xml',
  'remarks.xlsx': 'xl/comments1.xml',
  'notes.pptx': 'ppt/notesSlides/notesSlide1.xml',
  'slides.odp': 'content.xml',
  'flat.fodt': '',
  'flat.fods': '',
  'book.epub': 'OEBPS/chapter.xhtml',
  'columns.pdf': '',
  'objects.pdf': '',
  'notebook.ipynb': '',
  'contacts.vcf': '',
  'dates.ics': '',
  'message.msg': '__substg1.0_1000001F',
  'deep.zip': 'mail.eml!/list.tgz!/inner.tgz!/text.docx!/word/document.xml',
};

const PROGRAM = join(root, 'test/native/dlp-containers.py');

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

/** Python has no zstd yet. */
function packZstd(): void {
  const packed = (name: string): Buffer => zstdCompressSync(readFileSync(join(directory, name)));
  writeFileSync(join(directory, 'files/list.csv.zst'), packed('list.csv.zst.txt'));
  writeFileSync(join(directory, 'files/list.tar.zst'), packed('list.tar'));
  // One entry of method 93, after APPNOTE.
  const text = readFileSync(join(directory, 'packed-zstd.zip.txt'));
  const data = zstdCompressSync(text);
  const name = Buffer.from('list.csv');
  const common = Buffer.alloc(26);
  common.writeUInt16LE(63, 0);
  common.writeUInt16LE(93, 4);
  common.writeUInt32LE(crc32(text), 10);
  common.writeUInt32LE(data.length, 14);
  common.writeUInt32LE(text.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, name, data]);
  const entry = [Buffer.from('PK\x01\x02?\0', 'latin1'), common, Buffer.alloc(14), name];
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(46 + name.length, 12);
  end.writeUInt32LE(local.length, 16);
  writeFileSync(join(directory, 'files/packed-zstd.zip'), Buffer.concat([local, ...entry, end]));
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'dlp-containers-'));
  mkdirSync(join(directory, 'files'));
  const made = spawnSync('python3', [PROGRAM, String(ROWS), JSON.stringify(Object.keys(FILES))], {
    cwd: directory,
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(made.stderr);
  packZstd();
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
  it('are all found, by card, address and account, under the member they are in', () => {
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
      for (const type of ['card', 'email', 'iban'])
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
