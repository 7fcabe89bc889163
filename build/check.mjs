// `npm run check`: format, lint, types, boundaries and unit tests, dead code. Stops at nothing, fails at the end.
import { spawnSync } from 'node:child_process';

const STEPS = [
  ['format', 'oxfmt', ['--check', '.']],
  ['lint', 'oxlint', ['--type-aware', '--deny-warnings', '.']],
  ['types (node)', 'tsc', ['-p', 'tsconfig.node.json']],
  ['types (dom)', 'tsc', ['-p', 'tsconfig.dom.json']],
  ['unit tests and boundaries', 'vitest', ['run', '--project', 'unit', '--reporter=dot']],
  ['dead code', 'knip', []],
];
const only = process.argv.slice(2);
const failed = [];
for (const [name, command, args] of STEPS) {
  if (only.length > 0 && !only.some((word) => name.startsWith(word))) continue;
  const started = Date.now();
  const result = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  process.stderr.write(
    `check: ${name} ${result.status === 0 ? 'ok' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`,
  );
  if (result.status !== 0) failed.push(name);
}
if (failed.length > 0) {
  process.stderr.write(`check: failed: ${failed.join(', ')}\n`);
  process.exit(1);
}
