/** Compiles the native writer's test driver, whole or with one deliberate mistake, and the tracing library. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PORTABLE_BLAKE3 } from '../portable-blake3.ts';

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

const WRITER = [
  'writer.cc',
  'writer_append.cc',
  'writer_segments.cc',
  'segment_file.cc',
  'format.cc',
  'crc32c.cc',
] as const;

function newestMs(folder: string): number {
  return Math.max(...readdirSync(folder).map((name) => statSync(join(folder, name)).mtimeMs));
}

/** Compiles `path`, unless its object is newer than every source; the object's path. */
function objectOf(path: string, name: string, sourcesMs: number): string {
  const object = join(out, `${name}.o`);
  if ((statSync(object, { throwIfNoEntry: false })?.mtimeMs ?? 0) > sourcesMs) return object;
  const part = `${object}.${process.pid}`;
  const flags = ['-I', source, '-I', join(source, 'wal'), '-c', path, '-o', part];
  if (path.endsWith('.c')) compile('gcc', ['-O2', ...PORTABLE_BLAKE3, ...flags]);
  else compile('g++', ['-O1', '-std=c++17', '-pthread', ...flags]);
  renameSync(part, object);
  return object;
}

/** Path of the driver. A mistake costs the compilation of its own file. */
export function buildDriver(mutant?: Mutant): string {
  mkdirSync(out, { recursive: true });
  const sourcesMs = Math.max(
    newestMs(join(source, 'wal')),
    newestMs(join(source, 'blake3')),
    newestMs(import.meta.dirname),
  );
  const objects = WRITER.filter((name) => name !== mutant?.file).map((name) =>
    objectOf(join(source, 'wal', name), name, sourcesMs),
  );
  for (const name of ['blake3.c', 'blake3_dispatch.c', 'blake3_portable.c'])
    objects.push(objectOf(join(source, 'blake3', name), name, sourcesMs));
  objects.push(objectOf(join(import.meta.dirname, 'driver.cc'), 'driver', sourcesMs));
  if (mutant) {
    const text = readFileSync(join(source, 'wal', mutant.file), 'utf8');
    if (text.split(mutant.from).length !== 2) throw new Error(`mutant ${mutant.name}: its place moved`);
    const changed = join(out, `${mutant.name}.cc`);
    writeFileSync(changed, text.replace(mutant.from, mutant.to));
    objects.push(objectOf(changed, mutant.name, Infinity));
  }
  const driver = join(out, mutant ? `driver-${mutant.name}` : 'driver-whole');
  const part = `${driver}.${process.pid}`;
  compile('g++', ['-pthread', '-o', part, ...objects]);
  renameSync(part, driver);
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
