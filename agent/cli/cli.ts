/** Dispatches `sentinel COMMAND`. Commands load on demand, so that one does not pay for another's libraries. */
import { nearest } from '../config.ts';
import { describeError, SentinelError, UsageError } from '../errors.ts';
import { VERSION } from '../version.ts';
import type { Command, Output } from './command.ts';

const COMMANDS: Readonly<Record<string, { summary: string; load: () => Promise<Command> }>> = {
  run: { summary: 'run the agent in the foreground', load: async () => (await import('./run.ts')).command },
  status: { summary: 'how the agent is doing', load: async () => (await import('./status.ts')).command },
  events: { summary: 'query the timeline', load: async () => (await import('./events.ts')).command },
  tree: {
    summary: 'a process, its ancestors and children',
    load: async () => (await import('./tree.ts')).command,
  },
  console: {
    summary: 'open the console of the running agent',
    load: async () => (await import('./console.ts')).command,
  },
  rules: {
    summary: 'check, test and import detection rules',
    load: async () => (await import('./rules.ts')).command,
  },
  policy: {
    summary: 'check policies and take them through their life',
    load: async () => (await import('./policy.ts')).command,
  },
  dlp: { summary: 'find protected data in files', load: async () => (await import('./dlp.ts')).command },
  wal: { summary: 'verify the write-ahead logs', load: async () => (await import('./wal.ts')).command },
  audit: {
    summary: 'export evidence, and verify it without an agent',
    load: async () => (await import('./audit.ts')).command,
  },
  config: {
    summary: 'show the settings and where they come from',
    load: async () => (await import('./config-show.ts')).command,
  },
  doctor: {
    summary: 'what this machine allows, and how to fix what it does not',
    load: async () => (await import('./doctor.ts')).command,
  },
};

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `usage: sentinel COMMAND [--data DIR] [--json]\n\n${lines.join('\n')}\n\nsentinel COMMAND --help says more; sentinel --version prints the version.\n`;
}

/** Runs one command line; never throws. Returns the exit code. */
export async function runCli(argv: readonly string[], output: Output = processOutput()): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    output.out(help());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    output.out(`sentinel ${VERSION}\n`);
    return 0;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (!entry) {
      const meant = nearest(name, Object.keys(COMMANDS));
      throw new UsageError(
        `there is no command ${JSON.stringify(name)}`,
        meant ? `did you mean ${meant}?` : 'see sentinel --help',
      );
    }
    const command = await entry.load();
    if (rest.includes('--help') || rest.includes('-h')) {
      output.out(command.usageOf?.(rest) ?? command.usage);
      return 0;
    }
    return await command.run(rest, output);
  } catch (error) {
    output.err(`sentinel: ${describeError(error)}\n`);
    if (!(error instanceof SentinelError) && process.env['SENTINEL_TEST_STACK'])
      output.err(`${(error as Error).stack}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** Standard streams; a reader that goes away (`| head`) ends the command quietly. */
function processOutput(): Output {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`sentinel: cannot write what was found (${error.code ?? error.message})\n`);
    process.exit(2);
  });
  return { out: (text) => void process.stdout.write(text), err: (text) => void process.stderr.write(text) };
}
