/** Opens an index in a process of its own, scans a file, prints {openMs, openBytes, scanBytes}: what both cost in memory. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createEngine } from '../../agent/dlp/engine.ts';
import { openIndex } from '../../agent/dlp/index-open.ts';

const [indexPath = '', keyPath = '', filePath = ''] = process.argv.slice(2);
const resident = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) * 1024;

async function scan(engine: ReturnType<typeof createEngine>): Promise<void> {
  const fd = openSync(filePath, 'r');
  await engine.scanFd(fd, filePath);
  closeSync(fd);
}

// The scanner itself (code, first buffers) is there before anything is opened.
await scan(createEngine([]));
const key = Buffer.from(readFileSync(keyPath, 'latin1').trim(), 'hex');
globalThis.gc?.();
const before = resident();
const startedMs = performance.now();
const source = await openIndex({ path: indexPath, keys: [key] });
const openMs = performance.now() - startedMs;
const opened = resident();
await scan(createEngine([source]));
const scanned = resident();
process.stdout.write(
  `${JSON.stringify({ openMs, openBytes: opened - before, scanBytes: scanned - before })}\n`,
);
