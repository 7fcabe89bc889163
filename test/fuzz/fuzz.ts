/**
 * Builds and runs a fuzz target of the native DLP code under ASan and UBSan: `node test/fuzz/fuzz.ts NAME --runs N`.
 * Inputs that fail are left in out/fuzz/NAME/.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..', '..');
const out = join(root, 'out', 'fuzz');
const source = join(root, 'native-addon', 'src');

/** Sources of each target besides its own. */
export const TARGETS: Readonly<Record<string, readonly string[]>> = {
  text: ['text.cc', 'text_judge.cc'],
  patterns: [
    'text.cc',
    'text_judge.cc',
    'automaton.cc',
    'patterns.cc',
    'patterns_context.cc',
    'patterns_secrets.cc',
    'validators.cc',
    'validators_national.cc',
  ],
  documents: [
    'text.cc',
    'text_judge.cc',
    'winnow.cc',
    'fold.cc',
    'edm_hash.cc',
    'document_build.cc',
    'document_detector.cc',
    'document_index.cc',
  ],
};

/** What stands in seeds, so that inputs get past the first checks. */
const SEEDS: readonly string[] = [
  'card 4111 1111 1111 1111, ssn 219-09-9998; GB82 WEST 1234 5698 7654 32',
  'AKIAIOSFODNN7EXAMPLE aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  'ghp_000000000000000000000000000000000000 eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x someone@example.com abbbc',
  '-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n',
  Array.from({ length: 40 }, (_, i) => `the plan of month ${(i * 7919) % 1000} says ${i}, `).join(''),
  '处理个人信息 für José Núñez ４１１１ паспорт 卡 \u2009 \u2010 11010519491231002X RSSMRA85T10A562S'.repeat(
    12,
  ),
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

function compile(command: string, args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr}`);
}

/** Newest change of what the target is made of. */
function changedMs(): number {
  const folders = [join(source, 'dlp'), import.meta.dirname];
  return Math.max(
    ...folders.flatMap((folder) => readdirSync(folder).map((name) => statSync(join(folder, name)).mtimeMs)),
  );
}

/** Path of the built target. @throws Error with the compiler's words. */
export function buildFuzzer(name: string): string {
  const parts = TARGETS[name];
  if (!parts) throw new Error(`no such target: ${name}; there are ${Object.keys(TARGETS).join(', ')}`);
  const binary = join(out, `${name}-fuzzer`);
  if ((statSync(binary, { throwIfNoEntry: false })?.mtimeMs ?? 0) > changedMs()) return binary;
  mkdirSync(out, { recursive: true });
  const objects: string[] = [];
  if (name === 'documents') {
    // Portable code: instrumented, and the same result.
    const off = [
      '-DBLAKE3_NO_SSE2',
      '-DBLAKE3_NO_SSE41',
      '-DBLAKE3_NO_AVX2',
      '-DBLAKE3_NO_AVX512',
      '-DBLAKE3_USE_NEON=0',
    ];
    for (const part of ['blake3', 'blake3_dispatch', 'blake3_portable']) {
      const object = join(out, `${part}.o`);
      compile('clang', ['-O1', '-g', ...off, '-c', join(source, 'blake3', `${part}.c`), '-o', object]);
      objects.push(object);
    }
  }
  compile('clang++', [
    '-O2',
    '-g',
    '-std=c++17',
    '-fsanitize=fuzzer,address,undefined',
    '-fno-sanitize-recover=all',
    '-I',
    source,
    '-I',
    import.meta.dirname,
    join(import.meta.dirname, `${name}.cc`),
    ...parts.map((part) => join(source, 'dlp', part)),
    ...objects,
    '-o',
    binary,
  ]);
  return binary;
}

/** Runs the target; the corpus grows in out/fuzz/NAME/corpus. */
export function runFuzzer(
  name: string,
  limits: { runs?: number; seconds?: number; maxLength?: number },
): { ok: boolean; runs: number; text: string } {
  const binary = buildFuzzer(name);
  const corpus = join(out, name, 'corpus');
  mkdirSync(corpus, { recursive: true });
  for (const [index, seed] of SEEDS.entries()) {
    writeFileSync(join(corpus, `seed-${index}`), seed);
    writeFileSync(join(corpus, `seed-${index}-utf16`), Buffer.from(seed, 'utf16le'));
  }
  const result = spawnSync(
    binary,
    [
      corpus,
      `-artifact_prefix=${join(out, name)}/`,
      `-max_len=${limits.maxLength ?? 4096}`,
      '-timeout=60',
      '-rss_limit_mb=1024',
      '-print_final_stats=1',
      ...(limits.runs === undefined ? [] : [`-runs=${limits.runs}`]),
      ...(limits.seconds === undefined ? [] : [`-max_total_time=${limits.seconds}`]),
    ],
    { encoding: 'utf8', maxBuffer: 256 << 20 },
  );
  const runs = Number(/stat::number_of_executed_units:\s*(\d+)/.exec(result.stderr)?.[1] ?? 0);
  return { ok: result.status === 0, runs, text: result.stderr };
}

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { runs: { type: 'string' }, seconds: { type: 'string' }, 'max-length': { type: 'string' } },
  });
  const [name] = positionals;
  const missing = missingFuzzer();
  if (missing !== undefined || name === undefined || !TARGETS[name]) {
    console.error(
      missing ??
        `say: node test/fuzz/fuzz.ts ${Object.keys(TARGETS).join('|')} [--runs N] [--seconds N] [--max-length BYTES]`,
    );
    return 2;
  }
  const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
  const runs =
    values.runs === undefined ? (seconds === undefined ? 100_000 : undefined) : Number(values.runs);
  const result = runFuzzer(name, {
    ...(runs !== undefined && { runs }),
    ...(seconds !== undefined && { seconds }),
  });
  console.log(result.text.split('\n').slice(-40).join('\n'));
  console.log(`${name}: ${result.runs} inputs, ${result.ok ? 'none failed' : 'FAILED'}`);
  return result.ok ? 0 : 1;
}

if (process.argv[1] === import.meta.filename) process.exitCode = main();
