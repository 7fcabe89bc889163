/** Entry of the `sentinel` command. */
import { fileURLToPath } from 'node:url';
import { runCli } from './cli/cli.ts';
import { becomeResident } from './resident.ts';

const argv = process.argv.slice(2);
if (argv[0] === 'run') becomeResident(fileURLToPath(import.meta.url));
process.exitCode = await runCli(argv);
