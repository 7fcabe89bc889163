/** The ATT&CK matrix of this machine: which techniques its rules are about, and which of them have matched. */
import type { RuleSummary } from '../../../agent/api/contract.ts';
import { TACTICS, TECHNIQUES, type Tactic } from './attack-table.ts';

export interface Cell {
  /** The technique without its sub-technique: T1059. */
  technique: string;
  name: string;
  /** Sub-techniques that rules name, with T1059 itself when one does. */
  parts: readonly string[];
  /** Rules that run here and name it. */
  rules: number;
  /** Events that matched. */
  fired: number;
}

export interface Column {
  /** `other`: techniques the table does not know. */
  tactic: Tactic | 'other';
  cells: Cell[];
}

export interface Matrix {
  columns: Column[];
  /** Techniques and sub-techniques that at least one rule names. */
  covered: number;
  fired: number;
}

const parentOf = (technique: string): string => technique.split('.')[0] ?? technique;

/** `counts`: matching events by technique, as the facet counts them. Rules that cannot run here cover nothing. */
export function matrixOf(rules: readonly RuleSummary[], counts: ReadonlyMap<string, number>): Matrix {
  const byParent = new Map<string, { parts: Set<string>; rules: Set<string> }>();
  const add = (technique: string): { parts: Set<string>; rules: Set<string> } => {
    const known = byParent.get(parentOf(technique)) ?? { parts: new Set(), rules: new Set() };
    byParent.set(parentOf(technique), known);
    known.parts.add(technique);
    return known;
  };
  for (const rule of rules) {
    if (rule.disabledReason !== undefined) continue;
    for (const technique of rule.attack) add(technique).rules.add(rule.id);
  }
  // A rule that has been removed may still have matched.
  for (const [technique, n] of counts) if (n > 0 && /^T\d{4}/.test(technique)) add(technique);
  const columns: Column[] = [...TACTICS, 'other' as const].map((tactic) => ({ tactic, cells: [] }));
  for (const [technique, { parts, rules: about }] of byParent) {
    const [name = technique, ...tactics] = TECHNIQUES[technique] ?? [];
    const names = [...parts].sort();
    const cell: Cell = {
      technique,
      name,
      parts: names,
      rules: about.size,
      fired: names.reduce((sum, part) => sum + (counts.get(part) ?? 0), 0),
    };
    const wanted: readonly string[] = tactics.length > 0 ? tactics : ['other'];
    for (const column of columns) if (wanted.includes(column.tactic)) column.cells.push(cell);
  }
  for (const { cells } of columns) cells.sort((a, b) => a.technique.localeCompare(b.technique));
  const all = [...byParent.values()].flatMap(({ parts }) => [...parts]);
  return {
    columns: columns.filter(({ cells }) => cells.length > 0),
    covered: all.length,
    fired: all.filter((technique) => (counts.get(technique) ?? 0) > 0).length,
  };
}
