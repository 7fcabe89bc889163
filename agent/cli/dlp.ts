/** `sentinel dlp`: build and inspect indexes of protected data, and scan for it. Needs no running agent. */
import { nearest } from '../config.ts';
import { UsageError } from '../errors.ts';
import type { Command } from './command.ts';
import { dlpUsage } from './dlp-help.ts';

export const command: Command = {
  summary: 'find protected data in files',
  usage: dlpUsage([]),
  usageOf: dlpUsage,
  run: async (argv, output) => {
    const [name, ...rest] = argv;
    // Each loads on its own: building needs the identity, scanning does not.
    if (name === 'scan') return await (await import('./dlp-scan.ts')).scanCommand.run(rest, output);
    if (name === 'index') return await (await import('./dlp-index.ts')).indexCommand.run(rest, output);
    if (name === 'quarantine')
      return await (await import('./dlp-quarantine.ts')).quarantineCommand.run(rest, output);
    const meant = name === undefined ? undefined : nearest(name, ['scan', 'index', 'quarantine']);
    throw new UsageError(
      name === undefined
        ? 'say what: dlp index, dlp scan or dlp quarantine'
        : `there is no command ${JSON.stringify(`dlp ${name}`)}`,
      meant ? `did you mean dlp ${meant}?` : 'see sentinel dlp --help',
    );
  },
};
