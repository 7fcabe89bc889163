/**
 * The agent with a clock of the test's own for the life of policies: agent-on-a-clock.ts DATA CGROUP
 * [SETTING=VALUE, as in the environment]. Each line on its standard input moves that clock forward by so many minutes. Prints `ready`, then `+N` for each move.
 */
import { createInterface } from 'node:readline';
import { startAgent } from '../../agent/agent.ts';
import { loadConfig } from '../../agent/config.ts';

const [dataDir = '', cgroup = '', ...more] = process.argv.slice(2);
let aheadMs = 0;
process.umask(0o077);
const agent = await startAgent({
  dataDir,
  config: loadConfig({
    environment: {
      SENTINEL_SCOPE: `cgroup:${cgroup}`,
      SENTINEL_CONSOLE_MODE: 'off',
      ...Object.fromEntries(more.map((setting) => setting.split('='))),
    },
  }),
  policyClock: {
    wallMs: () => Date.now() + aheadMs,
    monotonicMs: () => performance.now() + aheadMs,
  },
});
process.stdout.write('ready\n');
const lines = createInterface({ input: process.stdin });
lines.on('line', (minutes) => {
  aheadMs += Number(minutes) * 60_000;
  process.stdout.write(`+${minutes}\n`);
});
const stop = (): void => void agent.stop().then(() => process.exit(0));
// The test ended, however it did.
lines.once('close', stop);
process.once('SIGTERM', stop);
