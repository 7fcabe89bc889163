// `npm test`: everything a reviewer would run, then one closing line of totals.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { relative } from 'node:path';

/**
 * Tests with a browser and whole agents share two cores with the machine's other work: when no more than this many of
 * their files fail, those are run once more, and what then passes is named UNSTABLE. Nothing else gets a second run.
 */
const MAX_SECOND_RUNS = 3;
const UNSTABLE_FOLDER = /^test\/e2e\//;

const run = (command, args) =>
  spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1;

/** Runs vitest. `files`: its report, one entry a test file. */
function runTests(report, args) {
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const status = run('vitest', ['run', ...reporters, ...args]);
  try {
    return { status, files: JSON.parse(readFileSync(report, 'utf8')).testResults };
  } catch (error) {
    process.stderr.write(`test: no report was written: ${error.message}\n`);
    return { status: status || 1, files: [] };
  }
}

const nameOf = (file) => relative(process.cwd(), file.name);
const failuresOf = (file) => file.assertionResults.filter(({ status }) => status === 'failed');
const count = (files, statuses) =>
  files.flatMap((file) => file.assertionResults).filter(({ status }) => statuses.includes(status)).length;

mkdirSync('out', { recursive: true });
// Static checks first: they are quick and their failures are the cheapest to read.
const statics = run(process.execPath, ['build/check.mjs', 'format', 'lint', 'types', 'dead']);
let { status, files } = runTests('out/test-report.json', process.argv.slice(2));

const broken = files.filter((file) => file.status === 'failed');
const again = broken.length > 0 && broken.length <= MAX_SECOND_RUNS;
if (again && broken.every((file) => UNSTABLE_FOLDER.test(nameOf(file)))) {
  const second = runTests('out/test-report-second.json', broken.map(nameOf));
  for (const file of broken) {
    const passed = second.files.find(({ name, status: now }) => name === file.name && now === 'passed');
    if (passed === undefined) continue;
    for (const { fullName, failureMessages } of failuresOf(file)) {
      const why = failureMessages.join(' ').split('\n')[0];
      process.stdout.write(`UNSTABLE: ${fullName}: failed (${why}), passed when ${nameOf(file)} ran again\n`);
    }
    files = files.map((one) => (one === file ? passed : one));
  }
  status = second.status;
}

const SKIPPED = ['pending', 'skipped', 'todo'];
for (const test of files.flatMap((file) => file.assertionResults)) {
  if (SKIPPED.includes(test.status)) process.stdout.write(`SKIPPED: ${test.fullName}\n`);
}
// A file can fail without a test of its own failing: it did not load, or its set-up threw.
const brokenFiles = files.filter((file) => file.status === 'failed' && failuresOf(file).length === 0).length;
const passed = count(files, ['passed']);
const failed = count(files, ['failed']) + brokenFiles + (statics === 0 ? 0 : 1);
if (statics !== 0) process.stdout.write('FAILED: static checks (see above)\n');
process.stdout.write(`\n${passed} passed, ${failed} failed, ${count(files, SKIPPED)} skipped\n`);
process.exit(failed > 0 || status !== 0 || passed === 0 ? 1 : 0);
