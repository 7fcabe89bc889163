/** Compiles the C programs of the kernel tests and benches once, into out/cache/native. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const cache = join(root, 'out', 'cache', 'native');

/** Name of a C compiler, if there is one. */
export function compiler(): string | undefined {
  return ['gcc', 'clang', 'cc'].find((name) => spawnSync(name, ['--version']).status === 0);
}

/**
 * Static binary made of `sources` (paths from the project root; headers among them are only watched). Compiled again when a source, a header of the sensor or the flags change.
 * @throws Error with the compiler's words.
 */
export function compile(sources: readonly string[], flags: readonly string[] = []): string {
  const cc = compiler();
  if (cc === undefined) throw new Error('no C compiler: apt install gcc');
  const paths = sources.map((source) => join(root, source));
  const hash = createHash('sha256').update(JSON.stringify([cc, flags]));
  const include = join(root, 'native-addon', 'src', 'linux');
  const headers = readdirSync(include).filter((name) => name.endsWith('.h') && !name.endsWith('.bpf.h'));
  for (const path of [...paths, ...headers.map((name) => join(include, name))])
    hash.update(readFileSync(path));
  const name = basename(sources[0] as string, '.c');
  const output = join(cache, `${name}-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(output)) return output;
  mkdirSync(cache, { recursive: true });
  const temporary = `${output}.${process.pid}`;
  const result = spawnSync(
    cc,
    [
      '-O2',
      '-static',
      '-pthread',
      '-I',
      include,
      '-o',
      temporary,
      ...paths.filter((path) => path.endsWith('.c')),
      ...flags,
    ],
    { encoding: 'utf8' },
  );
  if (result.status !== 0) throw new Error(`${sources.join(' ')} did not compile: ${result.stderr}`);
  renameSync(temporary, output);
  return output;
}

/** The program of workload.c and its parts. */
export function workloadBinary(): string {
  const parts = [
    'workload',
    'workload-process',
    'workload-file',
    'workload-network',
    'workload-rare',
    'workload-evade',
  ];
  return compile([...parts.map((part) => `test/native/${part}.c`), 'test/native/workload.h']);
}
