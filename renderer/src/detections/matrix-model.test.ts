import { describe, expect, it } from 'vitest';
import type { RuleSummary } from '../../../agent/api/contract.ts';
import { TACTICS, TECHNIQUES } from './attack-table.ts';
import { matrixOf } from './matrix-model.ts';

const rule = (id: string, attack: string[], disabledReason?: string): RuleSummary => ({
  id,
  title: id,
  type: 'detection',
  level: 'low',
  attack,
  logsource: 'linux/process_creation',
  source: 'bundled',
  hits: 0,
  ...(disabledReason === undefined ? {} : { disabledReason }),
});

describe('the matrix', () => {
  const matrix = matrixOf(
    [rule('a', ['T1059.004', 'T1105']), rule('b', ['T1059.006']), rule('c', ['T1485'], 'no such field')],
    new Map([
      ['T1059.004', 3],
      ['T9999.001', 1],
    ]),
  );
  const cell = (tactic: string, technique: string) =>
    matrix.columns
      .find((column) => column.tactic === tactic)
      ?.cells.find((each) => each.technique === technique);
  it('joins sub-techniques under their technique and counts rules once', () => {
    expect(cell('execution', 'T1059')).toMatchObject({
      rules: 2,
      fired: 3,
      parts: ['T1059.004', 'T1059.006'],
    });
    expect(cell('command-and-control', 'T1105')).toMatchObject({ rules: 1, fired: 0 });
  });
  it('does not claim what a rule that cannot run would cover, and keeps what it does not know', () => {
    expect(cell('impact', 'T1485')).toBeUndefined();
    expect(cell('other', 'T9999')).toMatchObject({ rules: 0, fired: 1, name: 'T9999' });
    expect(matrix).toMatchObject({ covered: 4, fired: 2 });
  });
  it('lists every technique of the table under a tactic', () => {
    for (const [id, [name, ...tactics]] of Object.entries(TECHNIQUES)) {
      expect(id).toMatch(/^T\d{4}$/);
      expect(name.length).toBeGreaterThan(2);
      expect(tactics.length).toBeGreaterThan(0);
      for (const tactic of tactics) expect(TACTICS).toContain(tactic);
    }
  });
});
