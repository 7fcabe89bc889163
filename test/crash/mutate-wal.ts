/** The log's TypeScript with one deliberate mistake, as a module of its own: the checkers must notice it. */
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WalReader } from '../../agent/wal/reader.ts';
import type { recover } from '../../agent/wal/recovery.ts';
import type { verifyWal } from '../../agent/wal/verify.ts';

const root = join(import.meta.dirname, '..', '..');

export interface WalMutant {
  name: string;
  /** Of agent/wal; the text that is replaced must be there exactly once. */
  file: string;
  from: string;
  to: string;
}

/** What the checkers use of the log. */
export interface WalModules {
  WalReader: typeof WalReader;
  recover: typeof recover;
  verifyWal: typeof verifyWal;
}

/** The modules as they are, or with the mistake. */
export async function walModules(mutant?: WalMutant): Promise<WalModules> {
  const dir = mutant ? mutated(mutant) : join(root, 'agent', 'wal');
  const load = (name: string): Promise<unknown> => import(/* @vite-ignore */ join(dir, name));
  const [reader, recovery, verify] = await Promise.all(['reader.ts', 'recovery.ts', 'verify.ts'].map(load));
  return Object.assign({}, reader, recovery, verify) as WalModules;
}

function mutated(mutant: WalMutant): string {
  const folder = join(root, 'out', 'crash', `wal-${mutant.name}`);
  rmSync(folder, { recursive: true, force: true });
  const dir = join(folder, 'agent', 'wal');
  mkdirSync(dir, { recursive: true });
  symlinkSync(join(root, 'native-addon'), join(folder, 'native-addon'));
  for (const name of readdirSync(join(root, 'agent', 'wal'))) {
    if (!name.endsWith('.test.ts')) cpSync(join(root, 'agent', 'wal', name), join(dir, name));
  }
  const path = join(dir, mutant.file);
  const text = readFileSync(path, 'utf8');
  if (text.split(mutant.from).length !== 2) throw new Error(`mutant ${mutant.name}: its place moved`);
  writeFileSync(
    path,
    text.replace(mutant.from, () => mutant.to),
  );
  return dir;
}
