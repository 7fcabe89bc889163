// The extraction child on a real kernel: what it may not do, and what bombs and heavy files cost.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const MAX_PEAK_KIB = 256 * 1024;
let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'dlp-extract-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Report {
  file: string;
  outcome: string;
  reason?: string;
  members: number;
  values: number;
  childPeakKiB: number;
  parentPeakKiB: number;
  confined?: { uid: string; noNewPrivs: string; seccomp: string; groups: string };
}

function python(program: string): void {
  const made = spawnSync('python3', ['-c', program], { cwd: directory, encoding: 'utf8' });
  expect(made.stderr).toBe('');
}

/** A process like the agent reads them, one after the other. */
function read(files: readonly string[]): Report[] {
  // Of time there is plenty: what is tried is everything else, also on a machine that others keep busy.
  const limits = { wallMs: 240_000 };
  const done = spawnSync(
    process.execPath,
    [
      join(root, 'test/native/extract-process.ts'),
      join(root, 'out/agent/dlp-extract.mjs'),
      JSON.stringify(limits),
      ...files.map((file) => join(directory, file)),
    ],
    { encoding: 'utf8', maxBuffer: 16 << 20 },
  );
  expect(done.stderr.replace(/^.*ExperimentalWarning.*$|^.*--trace-warnings.*$/gm, '').trim()).toBe('');
  return done.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Report);
}

/** What became of a process that gave up its rights and then ran `code`. */
function confined(code: string): { signal: string | null; said: string } {
  const program = `
    import { createRequire } from 'node:module';
    import { inflateRaw } from 'node:zlib';
    import { writeSync, readFileSync, writeFileSync, unlinkSync } from 'node:fs';
    import net from 'node:net';
    import cp from 'node:child_process';
    const core = createRequire(import.meta.url)(${JSON.stringify(join(root, 'out/native/sentinel_core.node'))});
    const say = (text) => writeSync(1, text + '\\n');
    await new Promise((done) => inflateRaw(Buffer.from([3, 0]), done));
    await new Promise((done) => setTimeout(done, 1));
    const refused = core.confine(96 << 20, 2);
    if (refused !== '') { say(refused); process.exit(1); }
    try { ${code} } catch (error) { say(String(error.code ?? error)); }
    core.leave(0);`;
  const done = spawnSync(
    process.execPath,
    ['--input-type=module', '--max-old-space-size=64', '-e', program],
    {
      encoding: 'utf8',
      cwd: root,
      env: { UV_THREADPOOL_SIZE: '1' },
      timeout: 120_000,
    },
  );
  return { signal: done.signal, said: done.stdout.trim() };
}

describe('a process that gave up its rights', () => {
  it.each<[string, string, string | null, string]>([
    ['computes', 'say(String(Buffer.alloc(1e6, 1).reduce((a, b) => a + b, 0)))', null, '1000000'],
    ['reads no file', "readFileSync('/etc/hostname'); say('read')", null, 'EPERM'],
    ['writes no file', "writeFileSync('/tmp/x', ''); say('wrote')", null, 'EPERM'],
    ['removes no file', "unlinkSync('/tmp/none'); say('removed')", null, 'EPERM'],
    ['starts nothing', "const run = cp.spawnSync('/bin/true'); say(run.error.code)", null, 'EPERM'],
    ['signals nobody', 'process.kill(process.ppid, 0); say("signalled")', null, 'EPERM'],
    ['reaches no network', 'net.connect(9, "127.0.0.1"); await new Promise(() => {})', 'SIGSYS', ''],
    [
      'has no more memory than given',
      'const held = []; for (;;) held.push(Buffer.alloc(1 << 20, 1));',
      'SIGABRT',
      '',
    ],
    ['has no more time than given', 'for (;;);', 'SIGKILL', ''],
  ])('%s', (_what, code, signal, said) => {
    const end = confined(code);
    if (said !== '') expect(end.said).toBe(said);
    // Where buffers cannot grow, V8 may throw before it gives up.
    else if (signal === 'SIGABRT')
      expect(end.signal === 'SIGABRT' || /ERR_|alloc/i.test(end.said)).toBe(true);
    else expect(end).toEqual({ signal, said });
  });
});

describe('bombs and heavy files', () => {
  it('each ends in its verdict, with agent and child together below 256 MB', () => {
    python(`
import zipfile, io, os, gzip, zlib, base64, random
random.seed(1)
rnd = random.randbytes(31 << 20)
z = zipfile.ZipFile('flat.zip', 'w', zipfile.ZIP_DEFLATED)
with z.open('big.xml', 'w', force_zip64=True) as f:
    f.write(b'<a>')
    for i in range(400): f.write(b'0' * 1048576)
z.close()
b = io.BytesIO()
with zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('z', bytes(8 << 20))
for level in range(4):
    o = io.BytesIO()
    with zipfile.ZipFile(o, 'w', zipfile.ZIP_DEFLATED) as z:
        for i in range(16): z.writestr(f'{i}.zip', b.getvalue())
    b = o
open('nested.zip', 'wb').write(b.getvalue())
b = io.BytesIO()
with zipfile.ZipFile(b, 'w', zipfile.ZIP_STORED) as z: z.writestr('r.bin', rnd)
with zipfile.ZipFile('held.zip', 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as z: z.writestr('inner.zip', b.getvalue())
b = io.BytesIO()
with zipfile.ZipFile(b, 'w', zipfile.ZIP_STORED) as z: z.writestr('r.bin', rnd + rnd[:4 << 20])
with zipfile.ZipFile('toolarge.zip', 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as z: z.writestr('inner.zip', b.getvalue())
with gzip.open('zeros.gz', 'wb', compresslevel=1) as g:
    for i in range(100): g.write(bytes(1 << 20))
c = zlib.compress(b'BT ' + b'(x) Tj ' * 15_000_000 + b'ET', 1)
open('stream.pdf', 'wb').write(b'%%PDF-1.7\\n1 0 obj\\n<</Type/Catalog/Pages 2 0 R>>\\nendobj\\n2 0 obj\\n<</Type/Pages/Count 1/Kids[3 0 R]>>\\nendobj\\n3 0 obj\\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<<>>>>\\nendobj\\n4 0 obj\\n<</Length %d/Filter/FlateDecode>>stream\\n' % len(c) + c + b'\\nendstream\\nendobj\\ntrailer\\n<</Root 1 0 R>>\\n%%EOF')
open('loop.pdf', 'wb').write(b'%PDF-1.7\\n1 0 obj\\n<</Type/Catalog/Pages 2 0 R>>\\nendobj\\n2 0 obj\\n<</Type/Pages/Count 999999999/Kids[2 0 R 2 0 R]>>\\nendobj\\ntrailer\\n<</Root 1 0 R/Prev 9>>\\nstartxref\\n9\\n%%EOF')
open('random.pdf', 'wb').write(b'%PDF-1.7\\n' + rnd)
open('random.doc', 'wb').write(bytes.fromhex('d0cf11e0a1b11ae1') + rnd)
open('mail.eml', 'wb').write(b'From: a\\nTo: b\\nMIME-Version: 1.0\\nContent-Type: multipart/mixed; boundary=x\\n\\n--x\\nContent-Type: application/octet-stream; name=a.bin\\nContent-Transfer-Encoding: base64\\n\\n' + base64.encodebytes(rnd) + b'\\n--x--\\n')
open('tag.xml', 'wb').write(b'<?xml version="1.0"?><a ' + b'x="1" ' * 3_000_000)
ct = '<Types><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
with zipfile.ZipFile('repeat.xlsx', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('[Content_Types].xml', ct); z.writestr('xl/workbook.xml', '<workbook/>')
    z.writestr('xl/sharedStrings.xml', '<sst><si><t>' + 'x' * 32767 + '</t></si></sst>')
    z.writestr('xl/worksheets/sheet1.xml', '<worksheet><sheetData>' + '<row><c t="s"><v>0</v></c></row>' * 500_000 + '</sheetData></worksheet>')
with zipfile.ZipFile('large.xlsx', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('[Content_Types].xml', ct); z.writestr('xl/workbook.xml', '<workbook/>')
    z.writestr('xl/sharedStrings.xml', '<sst>' + ''.join(f'<si><t>name {i} of somebody {i * 7919}</t></si>' for i in range(200_000)) + '</sst>')
    z.writestr('xl/worksheets/sheet1.xml', '<worksheet><sheetData>' + ''.join(f'<row><c t="s"><v>{i}</v></c><c><v>4{i:015d}</v></c></row>' for i in range(99_000)) + '</sheetData></worksheet>')
`);
    const expected: Readonly<Record<string, readonly string[]>> = {
      'flat.zip': ['ratio'],
      'nested.zip': ['ratio', 'too_large'],
      'held.zip': ['ok'],
      'toolarge.zip': ['too_large'],
      'zeros.gz': ['ratio'],
      'stream.pdf': ['too_large', 'ratio', 'malformed', 'unsupported'],
      'loop.pdf': ['malformed', 'unsupported'],
      'random.pdf': ['malformed', 'too_large'],
      'random.doc': ['malformed'],
      'mail.eml': ['ok'],
      'tag.xml': ['ok'],
      'repeat.xlsx': ['ratio', 'too_large'],
      'large.xlsx': ['ok'],
    };
    const reports = read(Object.keys(expected));
    for (const [index, [file, outcomes]] of Object.entries(expected).entries()) {
      const report = reports[index];
      expect.soft(outcomes, `${file}: ${report?.outcome} ${report?.reason}`).toContain(report?.outcome);
      const peak = (report?.childPeakKiB ?? 0) + (report?.parentPeakKiB ?? 0);
      expect
        .soft(peak, `${file}: ${report?.childPeakKiB} + ${report?.parentPeakKiB} KiB`)
        .toBeLessThan(MAX_PEAK_KIB);
    }
    expect(reports.at(-1)).toMatchObject({ values: 99_000 });
    expect(reports.at(-1)?.childPeakKiB).toBeGreaterThan(30_000);
  });

  it('the child runs as nobody, without new privileges, behind a filter', () => {
    python(`
open('slow.html', 'wb').write(b'<html>' + b'<td x=abcdef>1' * 1_500_000)
`);
    const [report] = read(['slow.html']);
    expect(report?.outcome).toBe('ok');
    expect(report?.confined).toMatchObject({ noNewPrivs: '1', seccomp: '2' });
    const uid = process.getuid?.() === 0 ? 65534 : process.getuid?.();
    expect(report?.confined?.uid.split(/\s+/)).toEqual(Array.from({ length: 4 }, () => String(uid)));
  });

  it('a PDF inside an archive is read by a second child, and what is beside it is told once', () => {
    python(`
import zipfile, zlib
c = zlib.compress(b'BT /F1 12 Tf (4000000000000123) Tj ET')
pdf = b'%%PDF-1.7\\n1 0 obj\\n<</Type/Catalog/Pages 2 0 R>>\\nendobj\\n2 0 obj\\n<</Type/Pages/Count 1/Kids[3 0 R]>>\\nendobj\\n3 0 obj\\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>\\nendobj\\n5 0 obj\\n<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>\\nendobj\\n4 0 obj\\n<</Length %d/Filter/FlateDecode>>stream\\n' % len(c) + c + b'\\nendstream\\nendobj\\ntrailer\\n<</Root 1 0 R>>\\n%%EOF'
with zipfile.ZipFile('p.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('a.pdf', pdf); z.writestr('b.txt', '4000000000000999')
`);
    const [report] = read(['p.zip']);
    expect(report).toMatchObject({ outcome: 'ok', members: 2, values: 2 });
  });
});
