/** Whether a rule can ever match what this sensor sees, and if not, what is missing. */
import { covers } from './filter.ts';
import { OP_ANY, OP_EXISTS, OP_NULL, testText } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import { testsOf } from './rule.ts';
import type { DetectionRule, LogSource, RuleNode } from './rule.ts';
import type { FieldTest, Search } from './search.ts';
import { fold } from './text.ts';
import { VIEWS } from './views.ts';
import type { EventView } from './views.ts';

/** Undefined if the rule can match here, else the reason for a person. */
export function whyNotRunnable(rule: DetectionRule): string | undefined {
  const views = VIEWS.filter((view) => covers(rule.logsource, view.logsource));
  if (views.length === 0) return `cannot run here: needs the log source ${describeLogSource(rule.logsource)}`;
  if (views.some((view) => canMatch(rule.root, view))) return undefined;
  const absent = new Set<string>();
  const values = new Set<string>();
  for (const test of testsOf(rule.root)) {
    if (views.every((view) => view.view.accessor(test.field) === undefined)) absent.add(test.field);
    else if (
      views.every((view) => view.view.accessor(test.field) === undefined || !testCanMatch(test, view))
    ) {
      for (const { pattern } of test.values.flat()) values.add(`${test.field}: ${pattern}`);
    }
  }
  const list = [...absent, ...values].slice(0, 8).join(', ');
  const what = list === '' ? 'a combination of fields' : list;
  return `cannot run here: needs ${what}, which no event of ${describeLogSource(rule.logsource)} here has`;
}

export function describeLogSource({ product, category, service }: LogSource): string {
  return [product, category, service].filter((part) => part !== undefined).join('/');
}

/** False if the tree needs a field or value that no event has in this view. */
export function canMatch(node: RuleNode, view: EventView): boolean {
  switch (node.kind) {
    case 'selection':
      return searchCanMatch(node.search, view);
    case 'not':
      // What is negated may always be false, unless it is a test that holds for every event; that is the author's slip.
      return true;
    case 'and':
      return node.children.every((child) => canMatch(child, view));
    case 'or':
      return node.children.some((child) => canMatch(child, view));
    case 'atLeast':
      return node.children.filter((child) => canMatch(child, view)).length >= node.count;
  }
}

function searchCanMatch(search: Search, view: EventView): boolean {
  if (search.kind === 'test') return testCanMatch(search, view);
  if (search.kind === 'and') return search.children.every((child) => searchCanMatch(child, view));
  return search.children.some((child) => searchCanMatch(child, view));
}

function testCanMatch(test: FieldTest, view: EventView): boolean {
  if (test.negated) return true;
  const present = view.view.accessor(test.field) !== undefined;
  const possible = view.possible[test.field];
  const one = (predicate: Predicate): boolean => {
    if (predicate.op === OP_NULL) return true;
    if (predicate.op === OP_EXISTS) return predicate.expected ? present : true;
    if (!present) return false;
    if (!possible || predicate.op === OP_ANY) return true;
    return possible.some((value) => testText(predicate, value, fold(value)));
  };
  return test.all ? test.values.every((group) => group.some(one)) : test.values.flat().some(one);
}
