/** `sentinel config show [--origin]`: every setting, its value and where it came from. */
import { parseDocument } from 'yaml';
import { environmentName, OPTIONS, type OptionName } from '../config-options.ts';
import { UsageError } from '../errors.ts';
import { parseCommand, type Command } from './command.ts';
import { configFrom, CONFIG_FLAGS } from './config-flags.ts';

export const command: Command = {
  summary: 'show the settings',
  usage: `usage: sentinel config show [--config FILE] [--origin] [--json]

Prints every setting as YAML, ready to be saved and edited. --origin adds where each value came from:
default, FILE:LINE, $VARIABLE or --flag.
`,
  run: async (argv, output) => {
    const { values, positionals } = parseCommand(argv, {
      ...CONFIG_FLAGS,
      origin: { type: 'boolean', default: false },
    });
    if (positionals.length !== 1 || positionals[0] !== 'show')
      throw new UsageError('say: sentinel config show');
    const config = configFrom(values);
    const names = Object.keys(OPTIONS) as OptionName[];
    if (values.json) {
      const settings = names.map((name) => ({
        name,
        value: config.values[name],
        origin: config.origins[name],
        default: OPTIONS[name].default,
        environment: environmentName(name),
        help: OPTIONS[name].help,
      }));
      output.out(`${JSON.stringify({ settings }, null, 2)}\n`);
      return 0;
    }
    const document = parseDocument('{}');
    document.contents = null;
    for (const name of names) document.setIn(name.split('.'), config.values[name]);
    if (!values.origin) {
      output.out(document.toString());
      return 0;
    }
    const width = Math.max(...names.map((name) => name.length));
    for (const name of names) {
      output.out(
        `${name.padEnd(width)}  ${JSON.stringify(config.values[name])}  (${config.origins[name]})\n`,
      );
    }
    return 0;
  },
};
