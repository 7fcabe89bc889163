/** Compiles and runs the test driver of the native DLP detectors (dlp-driver.cc). */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const out = join(root, 'out', 'dlp-test');

export const canBuildDriver = spawnSync('g++', ['--version']).status === 0;

/** Path of the driver. @throws Error with the compiler's words. */
export function buildDlpDriver(): string {
  mkdirSync(out, { recursive: true });
  const driver = join(out, 'driver');
  const source = join(root, 'native-addon', 'src');
  const parts = ['text.cc', 'text_judge.cc', 'validators.cc', 'validators_national.cc'].map((name) =>
    join(source, 'dlp', name),
  );
  const main = join(import.meta.dirname, 'dlp-driver.cc');
  const args = ['-O1', '-g', '-std=c++17', '-Wall', '-Wextra', '-I', source, '-o', driver, main, ...parts];
  const result = spawnSync('g++', args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`g++ ${args.join(' ')}: ${result.stderr}`);
  return driver;
}

/** One input. `seed` draws the chunk sizes; 0 feeds it whole. */
export interface Frame {
  operation: number;
  seed: number;
  bytes: Uint8Array;
}

/** What the driver says of each frame. */
export function runDriver<T>(driver: string, frames: readonly Frame[]): T[] {
  const parts: Uint8Array[] = [];
  for (const frame of frames) {
    const head = Buffer.alloc(9);
    head[0] = frame.operation;
    head.writeUInt32LE(frame.seed, 1);
    head.writeUInt32LE(frame.bytes.length, 5);
    parts.push(head, frame.bytes);
  }
  const result = spawnSync(driver, [], { input: Buffer.concat(parts), maxBuffer: 1 << 30 });
  if (result.status !== 0)
    throw new Error(`driver ended with ${result.status ?? result.signal}: ${String(result.stderr)}`);
  return String(result.stdout)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}
