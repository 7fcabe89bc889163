/** Runs one `sentinel` command line in a worker thread, where a process of its own cannot be had (see run-command.ts). */
import { parentPort, workerData } from 'node:worker_threads';
import { runCli } from './cli/cli.ts';

const said = { stdout: '', stderr: '' };
const code = await runCli(workerData as string[], {
  out: (text) => void (said.stdout += text),
  err: (text) => void (said.stderr += text),
});
parentPort?.postMessage({ code, ...said });
