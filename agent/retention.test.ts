import { mkdirSync, writeFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Retention } from './retention.ts';
import { CursorFile } from './wal/cursor.ts';
import { removeTemporaryFolders, temporaryFolder } from './wal/testing.ts';

afterAll(removeTemporaryFolders);

it('survives cursor files that cannot be written, says so once, and writes them when it can', () => {
  const dataDir = temporaryFolder();
  const folder = join(dataDir, 'cursors');
  // A file where the folder belongs: each write fails, as on a full disk.
  writeFileSync(folder, '');
  const warnings: string[] = [];
  const retention = new Retention({
    dataDir,
    logs: {
      cursors: {
        security: new CursorFile(join(folder, 'security')),
        observability: new CursorFile(join(folder, 'observability')),
      },
    },
    gaps: { record: () => undefined },
    maxBytes: 1e9,
    maxAgeDays: 1,
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: (_, text) => void warnings.push(text),
      error: () => undefined,
    },
  });
  retention.stored({ security: 5, observability: 9 });
  retention.tick();
  retention.tick();
  expect(warnings.filter((text) => text.includes('cursor'))).toHaveLength(1);
  rmSync(folder);
  mkdirSync(folder);
  retention.tick();
  expect(new CursorFile(join(folder, 'security')).read()).toBe(5);
  expect(new CursorFile(join(folder, 'observability')).read()).toBe(9);
});
