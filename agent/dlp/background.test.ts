/** The priority of looks that nobody waits for, as the kernel tells it. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, readdirSync, rmSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadDlp } from '../../native-addon/index.ts';
import { createEngine } from './engine.ts';
import { createPatternSource } from './patterns.ts';
import { parsePatternRules } from './rules.ts';

/** Of a look that nobody waits for. */
const BACKGROUND = 5;
const canTell = process.getuid?.() === 0 && getPriority() < BACKGROUND;
if (!canTell)
  console.warn(
    'SKIPPED: a look lowers its priority only where it may be raised again and is not that low already',
  );

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sentinel-background-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Threads of this process with the priority of background work. */
function lowered(): number {
  return readdirSync('/proc/self/task').filter((thread) => {
    try {
      return getPriority(Number(thread)) === BACKGROUND;
    } catch {
      return false;
    }
  }).length;
}

describe.skipIf(!canTell || !loadDlp().ok)('a look', () => {
  it.each([
    [true, 1],
    [false, 0],
  ])('in the background: %s, leaves the processor to others until it ends', async (background, threads) => {
    const rules = parsePatternRules('name: r\nrules: [{id: w, kind: pattern, words: [secret]}]\n', 'r.yml');
    const engine = createEngine([createPatternSource(rules)]);
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    // The look lasts as long as somebody may still write.
    const writer = spawn('sh', ['-c', 'exec 3>"$0"; printf "a secret " >&3; read -r _', pipe], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const fd = openSync(pipe, 'r');
    try {
      const before = lowered();
      const looked = engine.scanFd(fd, pipe, { background });
      if (background)
        await vi.waitFor(() => expect(lowered() - before).toBe(threads), { timeout: 30_000, interval: 5 });
      else expect(lowered() - before).toBe(threads);
      writer.stdin.end('\n');
      expect((await looked).verdict).toBe('match');
      expect(lowered()).toBe(before);
    } finally {
      closeSync(fd);
      engine.close();
    }
  });
});
