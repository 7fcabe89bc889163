/** Where files that ship with Sentinel are: beside the bundle when installed, in the project in a checkout. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

function first(candidates: readonly string[]): string | undefined {
  return candidates.find((path) => existsSync(path));
}

/** Folder of the bundled detection rules. */
export function rulesDir(): string | undefined {
  return first([join(here, '..', 'rules'), join(here, '..', '..', 'rules')]);
}

/** Folder of the starter policies. */
export function policiesDir(): string | undefined {
  return first([join(here, '..', 'policies'), join(here, '..', '..', 'policies')]);
}

/** Folder of the built console. */
export function consoleDir(): string | undefined {
  return first(
    [join(here, '..', 'renderer'), join(here, '..', 'out', 'renderer')].filter((path) =>
      existsSync(join(path, 'assets')),
    ),
  );
}

/** File of a worker program: `NAME.mjs` beside the bundle, else `NAME.ts` beside this source. */
export function workerFile(name: string): string {
  return first([join(here, `${name}.mjs`), join(here, `${name}.ts`)]) ?? join(here, `${name}.mjs`);
}
