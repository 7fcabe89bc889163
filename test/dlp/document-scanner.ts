/** Document indexes whose choice of windows is the test's: key and salt are given, nothing is signed. */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NativeDlpScanner, NativeDocumentBuilder } from '../../native-addon/dlp.ts';
import { loadDlp } from '../../native-addon/index.ts';

const native = loadDlp();
if (!native.ok) throw new Error(native.reason);
const { addon } = native;
const KEY = Buffer.alloc(32, 7);

export type AddText = (text: string, name?: string) => void;

/** What `fill` adds, ready to be looked for, and how many windows of each document protect. */
export async function documentScanner(
  salt: Buffer,
  fill: (add: AddText) => void,
): Promise<{ scanner: NativeDlpScanner; kept: number[] }> {
  const builder = new addon.DlpDocumentBuilder(KEY, salt);
  fill((text, name) => {
    builder.begin(name);
    builder.feed(Buffer.from(text));
    builder.endStream();
  });
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-documents-'));
  try {
    const path = join(folder, 'index');
    const kept = writeSealed(builder, path);
    const opened = await addon.openDocuments(path, KEY);
    if (!opened.source) throw new Error(opened.error);
    return { scanner: new addon.DlpScanner([opened.source]), kept };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function writeSealed(builder: NativeDocumentBuilder, path: string): number[] {
  const fd = openSync(path, 'w+');
  try {
    const { error, each } = builder.write(fd, 1);
    if (error !== '') throw new Error(error);
    const header = Buffer.alloc(256);
    readSync(fd, header, 0, header.length, 0);
    addon.sealIndexHeader(header, KEY);
    writeSync(fd, header, 0, header.length, 0);
    return each.map((one) => one.kept);
  } finally {
    closeSync(fd);
  }
}
