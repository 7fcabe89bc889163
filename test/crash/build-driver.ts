/** Compiles the native writer's test driver, whole or with one deliberate mistake, and the tracing library. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const source = join(root, 'native-addon', 'src');
const out = join(root, 'out', 'crash');

/** A mistake in the writer's source: the text that is replaced must be there exactly once. */
export interface Mutant {
  name: string;
  file: 'writer.cc' | 'segment_file.cc';
  from: string;
  to: string;
}

export const canBuild = spawnSync('g++', ['--version']).status === 0;

function compile(command: string, args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr}`);
}

/** Path of the driver. */
export function buildDriver(mutant?: Mutant): string {
  const folder = join(out, mutant?.name ?? 'real');
  mkdirSync(join(folder, 'src'), { recursive: true });
  cpSync(join(source, 'wal'), join(folder, 'src', 'wal'), { recursive: true });
  cpSync(join(source, 'blake3'), join(folder, 'src', 'blake3'), { recursive: true });
  if (mutant) {
    const path = join(folder, 'src', 'wal', mutant.file);
    const text = readFileSync(path, 'utf8');
    if (text.split(mutant.from).length !== 2) throw new Error(`mutant ${mutant.name}: its place moved`);
    writeFileSync(path, text.replace(mutant.from, mutant.to));
  }
  const objects = join(out, 'blake3.o');
  const blake3 = join(folder, 'src', 'blake3');
  if (!existsSync(objects)) {
    // Portable code is enough here and builds everywhere.
    const flags = [
      '-DBLAKE3_NO_SSE2',
      '-DBLAKE3_NO_SSE41',
      '-DBLAKE3_NO_AVX2',
      '-DBLAKE3_NO_AVX512',
      '-DBLAKE3_USE_NEON=0',
    ];
    const parts = ['blake3.c', 'blake3_dispatch.c', 'blake3_portable.c'].map((name) => join(blake3, name));
    compile('gcc', ['-O2', '-r', '-nostdlib', ...flags, '-o', objects, ...parts]);
  }
  const driver = join(folder, 'driver');
  const names = ['writer.cc', 'writer_append.cc', 'writer_segments.cc', 'segment_file.cc', 'format.cc'];
  const parts = [...names, 'crc32c.cc'].map((name) => join(folder, 'src', 'wal', name));
  const main = join(import.meta.dirname, 'driver.cc');
  compile('g++', [
    '-O1',
    '-std=c++17',
    '-pthread',
    '-I',
    join(folder, 'src'),
    '-o',
    driver,
    main,
    ...parts,
    objects,
  ]);
  return driver;
}

/** Path of the LD_PRELOAD library. */
export function buildTracer(): string {
  mkdirSync(out, { recursive: true });
  const library = join(out, 'trace.so');
  compile('gcc', [
    '-O1',
    '-shared',
    '-fPIC',
    '-w',
    '-o',
    library,
    join(import.meta.dirname, 'trace.c'),
    '-ldl',
  ]);
  return library;
}
