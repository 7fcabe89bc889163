import { defineConfig } from 'vitest/config';

// A loaded machine takes its time, and what is waited for is a condition: polls may last, in both.
// `unit` runs beside the code and must stay under a minute; `system` starts kernels, agents and browsers one at a time.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles: ['test/seed.ts'],
          include: [
            '{agent,native-addon,proto,electron,renderer,build,rules}/**/*.test.{ts,tsx}',
            'test/*.test.ts',
          ],
          exclude: ['**/node_modules/**', 'native-addon/build/**'],
          testTimeout: 60_000,
          expect: { poll: { timeout: 15_000 } },
        },
      },
      {
        test: {
          name: 'system',
          setupFiles: ['test/seed.ts'],
          include: ['test/{native,crash,e2e}/**/*.{test,spec}.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 15_000 } },
          fileParallelism: false,
          pool: 'forks',
        },
      },
    ],
  },
});
