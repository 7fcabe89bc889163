/** Entry of the `sentinel` command. */
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runCli } from './cli/cli.ts';
import { RESIDENT_FLAGS, startAnew } from './resident.ts';

const argv = process.argv.slice(2);
if (argv[0] === 'run') {
  // Same process id, same streams: only the program starts over, with its flags.
  startAnew(fileURLToPath(import.meta.url));
  // Where that cannot be: what can still be changed, for the heap as it grows and for threads started later.
  for (const flag of RESIDENT_FLAGS) setFlagsFromString(flag);
}
process.exitCode = await runCli(argv);
