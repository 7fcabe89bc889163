/** Shared by the tests of this folder: files made by python3's own libraries, and what is read out of them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExtractResult } from './extraction.ts';
import { withDefaults, type ExtractLimits } from './limits.ts';
import { readPdf } from './pdf.ts';
import { bufferSource } from './source.ts';
import { extractSource } from './visit.ts';

export interface Extracted extends ExtractResult {
  /** Text by member. */
  texts: Map<string, string>;
  /** All of it. */
  all: string;
}

/** Reads a file in this process. */
export async function extract(bytes: Buffer, limits: Partial<ExtractLimits> = {}): Promise<Extracted> {
  const pieces = new Map<string, Buffer[]>();
  const result = await extractSource(
    bufferSource(bytes),
    withDefaults(limits),
    (member, chunk) => {
      const known = pieces.get(member);
      if (known) known.push(Buffer.from(chunk));
      else pieces.set(member, [Buffer.from(chunk)]);
    },
    { pdf: readPdf },
  );
  const texts = new Map([...pieces].map(([member, list]) => [member, Buffer.concat(list).toString('utf8')]));
  return { ...result, texts, all: [...texts.values()].join('\n') };
}

/** Runs a python3 program that writes files into its working directory; returns them by name. */
export function python(program: string, ...names: string[]): Buffer[] {
  const directory = mkdtempSync(join(tmpdir(), 'extract-'));
  try {
    const result = spawnSync('python3', ['-c', program], { cwd: directory, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`python3: ${result.stderr}`);
    return names.map((name) => readFileSync(join(directory, name)));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Values to plant: sixteen digits each, no two alike. */
export function planted(count: number, salt = 0): string[] {
  return Array.from(
    { length: count },
    (_, index) => `4${String(salt).padStart(3, '0')}${String(index * 7919 + 13).padStart(12, '0')}`,
  );
}

/** The last record of a zip (APPNOTE 4.3.16): how many entries its directory has, how long it is and where it begins. */
export function zipEnd(count: number, size: number, offset: number): Buffer {
  const record = Buffer.alloc(22);
  record.writeUInt32LE(0x06054b50, 0);
  record.writeUInt16LE(count, 8);
  record.writeUInt16LE(count, 10);
  record.writeUInt32LE(size, 12);
  record.writeUInt32LE(offset, 16);
  return record;
}
