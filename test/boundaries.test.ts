import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allViolations, sourceFiles, violationsIn } from './boundaries.ts';

const root = join(import.meta.dirname, '..');

describe('import table', () => {
  it('reads a real number of files', () => {
    expect(sourceFiles(root).length).toBeGreaterThan(5);
  });

  it.each([
    ['agent/detect/x.ts', "import { a } from '../wal/types.ts';", 'detect may not import wal'],
    ['agent/store/x.ts', "import type { A } from '../sensors/types.ts';", 'store may not import sensors'],
    ['renderer/src/x.ts', "import { b } from '../../agent/event.ts';", 'renderer may not import event'],
    ['renderer/src/x.ts', "import fs from 'node:fs';", 'renderer may not import node:fs'],
    ['agent/agent.ts', "import { app } from 'electron';", 'agent-root may not import electron'],
    ['agent/wal/x.ts', "const y = await import('../lanes/z.ts');", 'wal may not import lanes'],
    ['agent/api/x.ts', "export { q } from '../store/q.ts';", 'api may not import store'],
    ['stray/x.ts', '', 'belongs to no zone'],
  ])('catches a violation seeded in %s', (path, source, message) => {
    expect(violationsIn(path, source).join('\n')).toContain(message);
  });

  it('allows what the table allows', () => {
    expect(violationsIn('agent/lanes/x.ts', "import { r } from '../wal/types.ts';")).toEqual([]);
    expect(
      violationsIn('renderer/src/x.ts', "import type { EventJson } from '../../agent/api/contract.ts';"),
    ).toEqual([]);
  });

  it('holds for the whole project', () => {
    expect(allViolations(root)).toEqual([]);
  });
});
