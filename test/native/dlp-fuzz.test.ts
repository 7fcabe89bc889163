/** The same few seconds of every fuzz target each time; test/fuzz/fuzz.ts runs them for as long as one likes. */
import { expect, test } from 'vitest';
import { missingFuzzer, runFuzzer, TARGETS } from '../fuzz/fuzz.ts';

const missing = missingFuzzer();
if (missing !== undefined) console.warn(`SKIPPED: fuzzing the native DLP code: ${missing}`);

for (const name of TARGETS) {
  // The first one builds them all.
  test.skipIf(missing !== undefined)(
    `${name}: a short run under ASan and UBSan finds nothing`,
    { timeout: 600_000 },
    async () => {
      const result = await runFuzzer(name, { runs: 1000, seconds: 60, seed: 1 });
      expect(result.ok, result.text.split('\n').slice(-60).join('\n')).toBe(true);
      expect(result.runs).toBeGreaterThan(0);
    },
  );
}
