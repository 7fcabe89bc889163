/** `npm run bench -- NAME [--quick] [--json]`: runs one bench, or all; exit 1 if a figure misses its budget. */
import { existsSync, readdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { BenchOptions, Figure } from './figure.ts';

const available = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.bench.ts'))
  .map((name) => name.slice(0, -'.bench.ts'.length));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
const names = positionals.length > 0 ? positionals : available;
const unknown = names.filter((name) => !existsSync(join(import.meta.dirname, `${name}.bench.ts`)));
if (unknown.length > 0) {
  process.stderr.write(`bench: no bench named ${unknown.join(', ')}; there are: ${available.join(', ')}\n`);
  process.exit(2);
}

// Called without npm, nothing has built the agent that some benches run: an old one would answer in its place.
if (process.env['npm_lifecycle_event'] !== 'bench') {
  const bootstrap = join(import.meta.dirname, '..', '..', 'build', 'bootstrap.mjs');
  if (spawnSync(process.execPath, [bootstrap], { stdio: ['ignore', 2, 2] }).status !== 0) process.exit(1);
}

let missed = 0;
for (const name of names) {
  const module = (await import(`./${name}.bench.ts`)) as {
    run: (options: BenchOptions) => Promise<Figure[]>;
  };
  for (const figure of await module.run({ quick: values.quick })) {
    if (!figure.ok) missed += 1;
    if (values.json) {
      process.stdout.write(`${JSON.stringify(figure)}\n`);
      continue;
    }
    const peer = figure.peer === undefined ? '' : `  (${figure.ratio?.toFixed(2) ?? '?'}x ${figure.peer})`;
    const budget = figure.budget === undefined ? '' : `  budget ${figure.budget}`;
    const note = figure.note === undefined ? '' : `  [${figure.note}]`;
    const mark = figure.ok ? 'ok  ' : 'MISS';
    process.stdout.write(
      `${mark} ${figure.bench}: ${figure.metric} = ${figure.value} ${figure.unit}${peer}${budget}${note}\n`,
    );
  }
}
process.exit(missed > 0 ? 1 : 0);
