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
