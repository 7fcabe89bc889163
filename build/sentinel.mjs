#!/usr/bin/env node
// The `sentinel` command of a checkout. `npm run sentinel` builds what is stale first; this only says so.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bundle = join(root, 'out', 'agent', 'sentinel.mjs');
const newest = (folder) =>
  Math.max(
    ...readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );

if (!existsSync(bundle)) {
  process.stderr.write('sentinel: this checkout is not built; run npm run build\n');
  process.exit(1);
}
if (newest(join(root, 'agent')) > statSync(bundle).mtimeMs)
  process.stderr.write('sentinel: warning: the sources are newer than this build; run npm run build\n');
await import(pathToFileURL(bundle).href);
