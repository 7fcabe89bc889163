// `npm test`: everything a reviewer would run, then one closing line of totals.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';

const report = 'out/test-report.json';
mkdirSync('out', { recursive: true });
rmSync(report, { force: true });
const run = (command, args) =>
  spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1;

// Static checks first: they are quick and their failures are the cheapest to read.
const statics = run(process.execPath, ['build/check.mjs', 'format', 'lint', 'types', 'dead']);
const tests = run('vitest', [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
]);

let totals = {
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  numFailedTestSuites: 0,
  testResults: [],
};
try {
  totals = JSON.parse(readFileSync(report, 'utf8'));
} catch (error) {
  process.stderr.write(`test: no report was written: ${error.message}\n`);
}
for (const file of totals.testResults) {
  for (const test of file.assertionResults) {
    if (test.status === 'pending' || test.status === 'skipped' || test.status === 'todo') {
      process.stdout.write(`SKIPPED: ${test.fullName}\n`);
    }
  }
}
const brokenFiles = totals.testResults.filter(
  (file) => file.status === 'failed' && file.assertionResults.length === 0,
).length;
const failed = totals.numFailedTests + brokenFiles + (statics === 0 ? 0 : 1);
if (statics !== 0) process.stdout.write('FAILED: static checks (see above)\n');
process.stdout.write(
  `\n${totals.numPassedTests} passed, ${failed} failed, ${totals.numPendingTests + totals.numTodoTests} skipped\n`,
);
process.exit(failed > 0 || tests !== 0 || totals.numPassedTests === 0 ? 1 : 0);
