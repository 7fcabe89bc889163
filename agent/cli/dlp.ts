/** `sentinel dlp`: build and inspect indexes of protected data, and scan for it. Needs no running agent. */
import { nearest } from '../config.ts';
import { UsageError } from '../errors.ts';
import type { Command } from './command.ts';
import { quarantineCommand } from './dlp-quarantine.ts';
import { scanCommand } from './dlp-scan.ts';

export const command: Command = {
  summary: 'find protected data in files',
  usage: scanCommand.usage,
  run: async (argv, output) => {
    const [name, ...rest] = argv;
    if (name === 'scan') return await scanCommand.run(rest, output);
    if (name === 'quarantine') return await quarantineCommand.run(rest, output);
    const meant = name === undefined ? undefined : nearest(name, ['scan', 'index', 'quarantine']);
    throw new UsageError(
      name === undefined
        ? 'say what: sentinel dlp scan'
        : `there is no command ${JSON.stringify(`dlp ${name}`)}`,
      meant ? `did you mean dlp ${meant}?` : 'see sentinel dlp --help',
    );
  },
};
