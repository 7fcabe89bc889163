/** Flags of `sentinel run` that stand for settings, and loading the configuration from them. */
import { existsSync } from 'node:fs';
import { loadConfig, type Config } from '../config.ts';
import type { OptionName } from '../config-options.ts';
import { UsageError } from '../errors.ts';

export const CONFIG_FLAGS = {
  config: { type: 'string' },
  scope: { type: 'string' },
  sensor: { type: 'string' },
  console: { type: 'string' },
  port: { type: 'string' },
  'log-level': { type: 'string' },
  set: { type: 'string', multiple: true },
} as const;

interface FlagValues {
  config?: string | undefined;
  scope?: string | undefined;
  sensor?: string | undefined;
  console?: string | undefined;
  port?: string | undefined;
  'log-level'?: string | undefined;
  set?: string[] | undefined;
}

const BY_FLAG: readonly (readonly [keyof FlagValues, OptionName])[] = [
  ['scope', 'scope'],
  ['sensor', 'sensor.prefer'],
  ['console', 'console.mode'],
  ['port', 'console.port'],
  ['log-level', 'log.level'],
];

const SYSTEM_FILE = '/etc/sentinel/sentinel.yaml';

/** Reads file ($SENTINEL_CONFIG or --config, else /etc/sentinel/sentinel.yaml if there), environment and flags. */
export function configFrom(values: FlagValues): Config {
  const flags = new Map<OptionName, { text: string; origin: string }>();
  for (const [flag, name] of BY_FLAG) {
    const text = values[flag];
    if (typeof text === 'string') flags.set(name, { text, origin: `--${flag}` });
  }
  for (const setting of values.set ?? []) {
    const at = setting.indexOf('=');
    if (at < 1)
      throw new UsageError(`--set ${setting} is not NAME=VALUE`, 'for example --set log.level=debug');
    flags.set(setting.slice(0, at) as OptionName, { text: setting.slice(at + 1), origin: '--set' });
  }
  const file =
    values.config ?? process.env['SENTINEL_CONFIG'] ?? (existsSync(SYSTEM_FILE) ? SYSTEM_FILE : undefined);
  return loadConfig({ file, environment: process.env, flags });
}
