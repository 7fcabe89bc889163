/** What else could look for known values: Hyperscan, yara, ripgrep; and the limits: BLAKE3, reading memory. */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { loadCore } from '../../native-addon/index.ts';
import type { Corpus } from './dlp-corpora.ts';

const PACKAGES = ['libhyperscan-dev', 'yara', 'ripgrep'];

/** Installs what is missing, as root on Debian; returns what is still missing. */
export function installPeers(): string[] {
  const have = (): string[] => {
    const { stdout } = spawnSync('dpkg-query', ['-W', '-f=${Package} ${db:Status-Status}\n', ...PACKAGES], {
      encoding: 'utf8',
    });
    return PACKAGES.filter((name) => !(stdout ?? '').includes(`${name} installed`));
  };
  const missing = have();
  if (missing.length === 0 || process.getuid?.() !== 0) return missing;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], {
    env,
    stdio: 'ignore',
  });
  return have();
}

/** MB per CPU second of a command, its start and the reading of the values taken off by a run over nothing. */
function cpuOf(command: string, args: string[], file: string): number {
  const time = (path: string): number => {
    const script = 'TIMEFORMAT="%U %S"; time "$@" >/dev/null 2>&1';
    const { stderr } = spawnSync('bash', ['-c', script, 'bash', command, ...args, path], {
      encoding: 'utf8',
    });
    const [user, system] = stderr.trim().split(/\s+/).map(Number);
    return (user ?? 0) + (system ?? 0);
  };
  return Math.max(time(file) - time('/dev/null'), 0.001);
}

/** A running Hyperscan with the values of a list; it compiles once and is asked for one scan at a time. */
export interface Hyperscan {
  /** CPU seconds of the compilation, and memory after it. */
  compileSeconds: number;
  residentBytes: number;
  /** MB per CPU second of one scan of a file that is in its memory. */
  speed(corpus: Corpus): Promise<number>;
  end(): void;
}

/** Undefined when it cannot be built, or does not get ready in time. */
export async function startHyperscan(
  dir: string,
  listPath: string,
  readyWithinMs: number,
): Promise<Hyperscan | undefined> {
  const program = join(dir, 'dlp-hyperscan');
  const source = join(import.meta.dirname, 'dlp-hyperscan.cc');
  if (spawnSync('g++', ['-O2', '-o', program, source, '-lhs'], { stdio: 'ignore' }).status !== 0)
    return undefined;
  const child = spawn(program, [listPath], { stdio: ['pipe', 'pipe', 'ignore'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), readyWithinMs);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<number[] | undefined> => {
    const { value, done } = await lines.next();
    return done ? undefined : value.split(' ').map(Number);
  };
  const ready = await next();
  clearTimeout(timer);
  if (ready === undefined) return undefined;
  return {
    compileSeconds: ready[0] ?? 0,
    residentBytes: (ready[1] ?? 0) * 1024,
    async speed(corpus) {
      child.stdin.write(`${corpus.path}\n`);
      const [seconds = 0] = (await next()) ?? [];
      return seconds > 0 ? corpus.bytes / 1e6 / seconds : 0;
    },
    end: () => void child.kill('SIGKILL'),
  };
}

export function ripgrep(listPath: string, corpus: Corpus): number {
  return corpus.bytes / 1e6 / cpuOf('rg', ['-a', '-F', '-c', '-j1', '-f', listPath], corpus.path);
}

export function yara(dir: string, listPath: string, corpus: Corpus): number {
  const rules = join(dir, 'values.yar');
  const values = readFileSync(listPath, 'utf8').trim().split('\n').slice(0, 10_000);
  const strings = values.map((value, nth) => `    $v${nth} = "${value}"`).join('\n');
  writeFileSync(rules, `rule values {\n  strings:\n${strings}\n  condition:\n    any of them\n}\n`);
  return corpus.bytes / 1e6 / cpuOf('yara', ['--max-strings-per-rule=20000', rules], corpus.path);
}

/** MB per CPU second of a call over the bytes. */
function cpuSpeed(bytes: Buffer, call: () => void): number {
  const before = process.cpuUsage();
  call();
  const { user, system } = process.cpuUsage(before);
  return bytes.length / Math.max(user + system, 1);
}

export function blake3Speed(bytes: Buffer): number {
  const core = loadCore();
  return core.ok ? cpuSpeed(bytes, () => void core.addon.blake3(bytes)) : 0;
}

/** Searching ones for a zero: as fast as memory is read. */
export function memorySpeed(ones: Buffer): number {
  return cpuSpeed(ones, () => void ones.indexOf(0));
}
