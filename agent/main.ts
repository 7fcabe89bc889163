/** Entry of the `sentinel` command. */
import { setFlagsFromString } from 'node:v8';
import { runCli } from './cli/cli.ts';

const argv = process.argv.slice(2);
if (argv[0] === 'run') {
  // A resident agent on somebody's machine: a small heap that is collected often. Under 50,000 events/s this halves
  // memory and keeps it flat, and costs no CPU (test/bench, footprint). Threads started later inherit it.
  setFlagsFromString('--max-semi-space-size=1');
  setFlagsFromString('--optimize-for-size');
}
process.exitCode = await runCli(argv);
