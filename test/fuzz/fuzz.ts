/**
 * Builds and runs fuzz targets of the native DLP code under ASan and UBSan: `node test/fuzz/fuzz.ts all --runs N`.
 * Inputs that fail are left in out/fuzz/NAME/, the corpus in out/fuzz/NAME/corpus; `--minimize` keeps of the corpus what
 * reaches code that nothing else reaches.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PORTABLE_BLAKE3 } from '../portable-blake3.ts';
import { dictionaryOf, seedsOf } from './seeds.ts';

const root = join(import.meta.dirname, '..', '..');
const out = join(root, 'out', 'fuzz');
const source = join(root, 'native-addon', 'src');

/** Each is the source of this name beside this file. */
export const TARGETS = [
  'text',
  'patterns',
  'automaton',
  'documents',
  'rows',
  'escapes',
  'csv',
  'index',
] as const;
export type Target = (typeof TARGETS)[number];

const FLAGS = [
  '-O1',
  '-g',
  '-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION',
  '-fsanitize=fuzzer-no-link,address,undefined',
  '-fno-sanitize-recover=all',
];

/** Undefined when clang and its fuzzer are there, else what is missing. */
export function missingFuzzer(): string | undefined {
  if (spawnSync('clang++', ['--version']).status !== 0) return 'no clang++ (apt-get install clang)';
  mkdirSync(out, { recursive: true });
  const probe = join(out, 'probe.cc');
  writeFileSync(
    probe,
    'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n',
  );
  const built = spawnSync('clang++', [
    '-fsanitize=fuzzer,address,undefined',
    probe,
    '-o',
    join(out, 'probe'),
  ]);
  return built.status === 0 ? undefined : 'clang++ has no libFuzzer (apt-get install clang libclang-rt-dev)';
}

function compile(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ${args.join(' ')}: ${said}`)),
    );
  });
}

function changedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function namesIn(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name));
}

/** Compiles what is older than its source or any header; returns the objects of everything the targets are made of. */
async function buildObjects(): Promise<string[]> {
  const folder = join(out, 'objects');
  mkdirSync(folder, { recursive: true });
  const dlp = join(source, 'dlp');
  const headersMs = Math.max(
    ...[...namesIn(dlp, /\.(h|inc)$/), ...namesIn(import.meta.dirname, /\.h$/)].map(changedMs),
    changedMs(import.meta.filename),
  );
  const files = [
    ...namesIn(dlp, /\.cc$/).filter((path) => !path.endsWith('binding.cc')),
    ...TARGETS.map((name) => join(import.meta.dirname, `${name}.cc`)),
    ...['blake3', 'blake3_dispatch', 'blake3_portable'].map((name) => join(source, 'blake3', `${name}.c`)),
  ];
  const objectOf = (path: string): string =>
    join(
      folder,
      `${path
        .slice(root.length + 1)
        .replaceAll('/', '-')
        .replace(/\.cc?$/, '')}.o`,
    );
  const stale = files.filter((path) => changedMs(objectOf(path)) < Math.max(headersMs, changedMs(path)));
  const worker = async (): Promise<void> => {
    for (let path = stale.pop(); path !== undefined; path = stale.pop()) {
      const object = objectOf(path);
      const c = path.endsWith('.c');
      // Under another name until it is whole: two runs at once do not read each other's halves.
      const part = `${object}.${process.pid}`;
      await compile(c ? 'clang' : 'clang++', [
        ...FLAGS,
        ...(c ? PORTABLE_BLAKE3 : ['-std=c++17', '-I', source, '-I', import.meta.dirname]),
        '-c',
        path,
        '-o',
        part,
      ]);
      renameSync(part, object);
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, worker));
  return files.map(objectOf);
}

/** Path of the built target. @throws Error with the compiler's words. */
async function buildFuzzer(name: Target): Promise<string> {
  const objects = await buildObjects();
  const others = new Set(TARGETS.filter((other) => other !== name).map((other) => `test-fuzz-${other}.o`));
  const parts = objects.filter((path) => !others.has(path.slice(path.lastIndexOf('/') + 1)));
  const binary = join(out, `${name}-fuzzer`);
  if (parts.every((path) => changedMs(path) < changedMs(binary))) return binary;
  await compile('clang++', ['-fsanitize=fuzzer,address,undefined', ...parts, '-o', binary]);
  return binary;
}

interface FuzzResult {
  ok: boolean;
  runs: number;
  perSecond: number;
  /** Code reached: edges. */
  covered: number;
  text: string;
}

interface FuzzLimits {
  runs?: number;
  seconds?: number;
  maxLength?: number;
  minimize?: boolean;
  /** Starts from the seeds alone and draws the same inputs each time; else from what earlier runs found. */
  seed?: number;
}

/** Runs the target; its corpus grows in out/fuzz/NAME/corpus. */
export async function runFuzzer(name: Target, limits: FuzzLimits): Promise<FuzzResult> {
  const binary = await buildFuzzer(name);
  const folder = join(out, name);
  const corpus = join(folder, limits.seed === undefined ? 'corpus' : 'corpus-seeded');
  if (limits.seed !== undefined) rmSync(corpus, { recursive: true, force: true });
  mkdirSync(corpus, { recursive: true });
  for (const [index, seed] of seedsOf(name).entries()) writeFileSync(join(corpus, `seed-${index}`), seed);
  const words = join(folder, 'words');
  writeFileSync(words, dictionaryOf(name));
  if (limits.minimize) {
    const before = join(folder, 'corpus-before');
    rmSync(before, { recursive: true, force: true });
    renameSync(corpus, before);
    mkdirSync(corpus);
    spawnSync(binary, ['-merge=1', corpus, before], { stdio: 'ignore' });
    rmSync(before, { recursive: true, force: true });
  }
  const result = spawnSync(
    binary,
    [
      corpus,
      `-artifact_prefix=${folder}/`,
      `-dict=${words}`,
      `-max_len=${limits.maxLength ?? 4096}`,
      // Seconds of one input: what takes so long is a way to hold up every scan.
      `-timeout=${limits.seed === undefined ? 20 : 120}`,
      '-rss_limit_mb=1024',
      '-print_final_stats=1',
      ...(limits.seed === undefined ? [] : [`-seed=${limits.seed}`]),
      ...(limits.runs === undefined ? [] : [`-runs=${limits.runs}`]),
      ...(limits.seconds === undefined ? [] : [`-max_total_time=${limits.seconds}`]),
    ],
    { encoding: 'utf8', maxBuffer: 256 << 20 },
  );
  const stat = (what: string): number =>
    Number(new RegExp(`stat::${what}:\\s*(\\d+)`).exec(result.stderr)?.[1] ?? 0);
  return {
    ok: result.status === 0,
    runs: stat('number_of_executed_units'),
    perSecond: stat('average_exec_per_sec'),
    covered: Number([...result.stderr.matchAll(/ cov: (\d+)/g)].at(-1)?.[1] ?? 0),
    text: result.stderr,
  };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string' },
      seconds: { type: 'string' },
      'max-length': { type: 'string' },
      minimize: { type: 'boolean' },
    },
  });
  const [name = ''] = positionals;
  const names = name === 'all' ? TARGETS : TARGETS.filter((target) => target === name);
  const missing = missingFuzzer();
  if (missing !== undefined || names.length === 0) {
    console.error(
      missing ??
        `say: node test/fuzz/fuzz.ts ${TARGETS.join('|')}|all [--runs N] [--seconds N] [--max-length BYTES] [--minimize]`,
    );
    return 2;
  }
  const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
  const runs =
    values.runs === undefined ? (seconds === undefined ? 100_000 : undefined) : Number(values.runs);
  let failed = 0;
  for (const target of names) {
    const result = await runFuzzer(target, {
      ...(runs !== undefined && { runs }),
      ...(seconds !== undefined && { seconds }),
      ...(values['max-length'] !== undefined && { maxLength: Number(values['max-length']) }),
      minimize: values.minimize === true,
    });
    if (!result.ok) {
      failed += 1;
      console.log(result.text.split('\n').slice(-40).join('\n'));
    }
    console.log(
      `${target}: ${result.runs} inputs, ${result.perSecond} a second, ${result.covered} edges, ${result.ok ? 'none failed' : 'FAILED'}`,
    );
  }
  return failed > 0 ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) process.exitCode = await main();
