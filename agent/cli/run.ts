/** `sentinel run`: the agent in the foreground, until SIGTERM or Ctrl-C. */
import { writeFileSync, renameSync } from 'node:fs';
import { startAgent } from '../agent.ts';
import { fromSystemError, UsageError } from '../errors.ts';
import { dataDirOf, parseCommand, type Command } from './command.ts';
import { configFrom, CONFIG_FLAGS } from './config-flags.ts';
import { openBrowser } from './open-browser.ts';

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

function writeReady(path: string, ready: { pid: number; consoleUrl?: string; sensorTier: string }): void {
  try {
    writeFileSync(`${path}.tmp`, `${JSON.stringify(ready)}\n`, { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  } catch (error) {
    throw fromSystemError(error, 'write the ready file', path);
  }
}

export const command: Command = {
  summary: 'run the agent in the foreground',
  usage: `usage: sentinel run [--data DIR] [--sensor auto|ebpf|proc|replay:FILE] [--scope host|cgroup:PATH|pid:N]
                    [--console on|off] [--port N] [--open] [--ready-file FILE] [--config FILE]
                    [--log-level LEVEL] [--set NAME=VALUE]...

Records what the machine does until SIGTERM or Ctrl-C. A fresh install only monitors; nothing is blocked.
--ready-file gets {pid, consoleUrl, sensorTier} once the agent serves. --open opens the console in a browser.
Settings: sentinel config show.
`,
  run: async (argv, output) => {
    const { values, positionals } = parseCommand(argv, {
      ...CONFIG_FLAGS,
      'ready-file': { type: 'string' },
      open: { type: 'boolean', default: false },
    });
    if (positionals.length > 0)
      throw new UsageError(`run takes no ${JSON.stringify(positionals[0])}`, 'see sentinel run --help');
    // What the agent stores is for its own user; the socket is opened to its group on purpose.
    if (process.platform !== 'win32') process.umask(0o077);
    const config = configFrom(values);
    const agent = await startAgent({ dataDir: dataDirOf(values), config });
    const stopped = new Promise<string>((resolve) => {
      for (const signal of STOP_SIGNALS) process.once(signal, () => resolve(signal));
    });
    try {
      const health = agent.health();
      output.err(`sentinel: ${health.sentence}\n`);
      for (const problem of health.problems) {
        output.err(
          `sentinel: ${problem.level}: ${problem.what}\n  ${problem.meaning}\n  remedy: ${problem.remedy}\n`,
        );
      }
      output.err(`sentinel: data in ${health.dataDir}\n`);
      // What a service prints ends up in logs that more people read than may change the agent. A terminal, a browser of
      // ours and the ready file (0600) are for our own user.
      const printed = agent.consoleUrl(process.stdout.isTTY ? 'privileged' : 'read');
      if (printed) {
        output.out(`console: ${printed}\n`);
        const own = values.open ? agent.consoleUrl('privileged') : undefined;
        if (own && !openBrowser(own))
          output.err('sentinel: no display here: open the address above in a browser on this machine\n');
      }
      if (values['ready-file'])
        writeReady(values['ready-file'], {
          pid: process.pid,
          consoleUrl: agent.consoleUrl('privileged'),
          sensorTier: agent.sensorTier,
        });
      const signal = await stopped;
      output.err(`sentinel: stopping (${signal})\n`);
    } finally {
      await agent.stop();
    }
    return 0;
  },
};
