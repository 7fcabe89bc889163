/** A table of customers and an index of it, for tests of protected data. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './agent-process.ts';

/** An IBAN of Germany with right check digits, by the definition: rotate, letters to numbers, 98 minus the rest of 97. */
export function iban(account: number): string {
  const body = `50010517${String(5_400_000_000 + account * 7919).padStart(10, '0')}`;
  const rest = BigInt(`${body}131400`) % 97n;
  return `DE${String(98n - rest).padStart(2, '0')}${body}`;
}

const NAMES = ['Ana Belmonte', 'Bruno Castaneda', 'Carla Dominguez', 'Dario Escribano', 'Elena Fuentes'];

export function customers(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${NAMES[at % 5]} ${at},${iban(at)}`);
}

export function sentinel(dataDir: string, ...args: string[]): { code: number | null; text: string } {
  const command = [join(ROOT, 'agent', 'main.ts'), ...args, '--data', dataDir];
  const run = spawnSync(process.execPath, command, { encoding: 'utf8', timeout: 120_000 });
  return { code: run.status, text: run.stdout + run.stderr };
}

/** Writes the table to `folder`/customers.csv and its index to where the agent of `dataDir` looks. */
export function protectCustomers(folder: string, dataDir: string, rows: readonly string[]): string {
  const table = join(folder, 'customers.csv');
  writeFileSync(table, `name,iban\n${rows.join('\n')}\n`);
  const schema = join(folder, 'schema.yml');
  writeFileSync(
    schema,
    `name: customers
fields:
  - {column: iban, role: primary, type: iban}
  - {column: name, role: secondary, type: words}
match: {secondary: 1, withinTokens: 24}
`,
  );
  mkdirSync(join(dataDir, 'dlp', 'indexes'), { recursive: true });
  const out = join(dataDir, 'dlp', 'indexes', 'customers.sdlp');
  const built = sentinel(dataDir, 'dlp', 'index', 'build', '--schema', schema, '--csv', table, '--out', out);
  if (built.code !== 0) throw new Error(built.text);
  return table;
}
