/** What every command shares: options, output, exit codes (0 ok, 1 finding or failure, 2 usage). */
import { resolve } from 'node:path';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { nearest } from '../config.ts';
import { defaultDataDir } from '../data-dir.ts';
import { UsageError } from '../errors.ts';

export interface Output {
  out(text: string): void;
  err(text: string): void;
}

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** Shown by --help. */
  readonly usage: string;
  /** The same for a command below it, by what follows its name. */
  usageOf?(argv: readonly string[]): string;
  run(argv: readonly string[], output: Output): Promise<number>;
}

const COMMON = {
  data: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const satisfies ParseArgsOptionsConfig;

/** parseArgs with errors that name the flag and the nearest one there is. Every command has --data, --json, --help. */
export function parseCommand<T extends ParseArgsOptionsConfig>(argv: readonly string[], options: T) {
  const all = { ...COMMON, ...options };
  try {
    return parseArgs({ args: [...argv], options: all, allowPositionals: true, strict: true });
  } catch (error) {
    const message = (error as Error).message;
    const flag = /'(--?[^'\s=]+)/.exec(message)?.[1];
    if ((error as NodeJS.ErrnoException).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' && flag) {
      const meant = nearest(flag.replace(/^-+/, ''), Object.keys(all));
      throw new UsageError(
        `unknown flag ${flag}`,
        meant ? `did you mean --${meant}?` : 'see --help for the flags there are',
      );
    }
    throw new UsageError(message.split('\n')[0]?.replace(/\.$/, '') ?? 'bad arguments', 'see --help');
  }
}

/** The data folder a command works on. */
export function dataDirOf(values: { data?: string | undefined }): string {
  return resolve(values.data ?? process.env['SENTINEL_DATA'] ?? defaultDataDir());
}

/** A positive whole number given to a flag. */
export function positiveInt(text: string | undefined, flag: string, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[1-9][0-9]{0,8}$/.test(text))
    throw new UsageError(`${flag} is ${JSON.stringify(text)}`, 'give a whole number from 1');
  return Number(text);
}
