import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { extractFd, extractorWith, type ExtractorOptions } from './extractor.ts';

// Python, children and a machine that others keep busy.
vi.setConfig({ testTimeout: 120_000 });

let directory = '';
const descriptors: number[] = [];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'extractor-'));
});
afterAll(() => {
  for (const fd of descriptors) closeSync(fd);
  rmSync(directory, { recursive: true, force: true });
});

function file(content: string | Buffer): number {
  const path = join(directory, `f${descriptors.length}`);
  writeFileSync(path, content);
  const fd = openSync(path, 'r');
  descriptors.push(fd);
  return fd;
}

/** A child that does `code` instead of what it should. */
function impostor(code: string): string {
  const path = join(directory, `p${Math.random()}.mjs`);
  writeFileSync(path, `import { writeSync } from 'node:fs';\n${code}`);
  return path;
}

const HTML = '<html><p>4111111111111111</p></html>';

async function read(fd: number, options: ExtractorOptions = {}) {
  const texts: string[] = [];
  const outcome = await extractFd(
    fd,
    (member, chunk) => void texts.push(`${member}|${chunk.toString('utf8')}`),
    options,
  );
  return { ...outcome, texts };
}

describe('the child, whatever it does', () => {
  it('leaves no memory behind of the text it hands over', async () => {
    const result = '{"outcome":"ok","members":1,"deferred":0}';
    const program = impostor(`
      const text = Buffer.alloc(5 + 65536, 0x20);
      text.writeUInt32LE(1 + 65536, 0);
      text[4] = 2;
      for (let nth = 0; nth < 800; nth++) for (let at = 0; at < text.length;) at += writeSync(1, text, at);
      const last = Buffer.from('    \\x04${result}');
      last.writeUInt32LE(last.length - 4, 0);
      writeSync(1, last);`);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const outcome = await extractFd(
      file(HTML),
      () => void (most = Math.max(most, process.memoryUsage().arrayBuffers)),
      { program },
    );
    expect(outcome).toMatchObject({ outcome: 'ok', bytes: 800 * 65_536 });
    expect(most - before).toBeLessThan(8 * 1024 * 1024);
  });

  it('is not started for what is plain', async () => {
    const program = impostor('writeSync(1, Buffer.alloc(100));');
    expect(await read(file('just text, 4111111111111111'), { program })).toMatchObject({
      outcome: 'not_a_container',
    });
  });

  it.each<[string, string, string]>([
    ['ends without a word', '', 'malformed'],
    ['ends with an error', 'process.exit(3);', 'malformed'],
    ['is killed', "process.kill(process.pid, 'SIGKILL');", 'time'],
    ['crashes', "process.kill(process.pid, 'SIGSEGV');", 'malformed'],
    ['runs out of memory', "process.kill(process.pid, 'SIGABRT');", 'too_large'],
    ['writes what is no frame', 'writeSync(1, Buffer.alloc(100, 255));', 'malformed'],
    [
      'writes a result that is none',
      "writeSync(1, Buffer.from('\\x03\\0\\0\\0\\x04{]', 'latin1'));",
      'malformed',
    ],
    [
      'answers what nobody knows',
      `writeSync(1, Buffer.from('\\x13\\0\\0\\0\\x04{"outcome":"fine"}', 'latin1'));`,
      'malformed',
    ],
    ['never ends', 'setInterval(() => {}, 1000);', 'time'],
    [
      'writes for ever',
      'for (;;) writeSync(1, Buffer.from("\\x05\\0\\0\\0\\x02abcd", "latin1"));',
      'malformed',
    ],
  ])('%s: the file is unscannable', async (_what, code, outcome) => {
    const limits = { wallMs: code.includes('setInterval') ? 500 : 20_000, maxOutputBytes: 1_000_000 };
    const found = await read(file(HTML), { program: impostor(code), limits });
    expect(found.outcome).toBe(outcome);
    expect(found.reason).toBeTruthy();
  });

  it('keeps what it said before it died', async () => {
    const code =
      'writeSync(1, Buffer.from("\\x02\\0\\0\\0\\x01m\\x03\\0\\0\\0\\x02hi", "latin1")); process.abort();';
    expect(await read(file(HTML), { program: impostor(code) })).toMatchObject({
      outcome: 'too_large',
      texts: ['m|hi'],
    });
  });

  it('is killed when the scan is cancelled', async () => {
    const cancel = new AbortController();
    const reading = read(file(HTML), {
      program: impostor('setInterval(() => {}, 1000);'),
      signal: cancel.signal,
    });
    cancel.abort();
    expect(await reading).toMatchObject({ outcome: 'unreadable' });
  });

  it('is ended when the taker of text fails, and the failure is passed on', async () => {
    const code = 'for (;;) writeSync(1, Buffer.from("\\x05\\0\\0\\0\\x02abcd", "latin1"));';
    const failing = extractFd(
      file(HTML),
      () => {
        throw new Error('scanner');
      },
      { program: impostor(code) },
    );
    await expect(failing).rejects.toThrow('scanner');
  });
});

describe('the extractor of a scanner', () => {
  it('takes a deadline that is shorter than its own limit of time', async () => {
    const never = extractorWith({ wallMs: 240_000 });
    // On any machine: the child alone takes longer to start.
    const outcome = await never(file(HTML), 'name', () => undefined, undefined, 1);
    expect(outcome).toMatchObject({ outcome: 'time' });
  });
});
