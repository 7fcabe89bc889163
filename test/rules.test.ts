/** The bundled rules: each loads, names its ATT&CK technique, and has events that it must and must not match. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadRulePaths } from '../agent/detect/cli-rules.ts';
import { Detector } from '../agent/detect/detector.ts';
import { FlatMatcher, matchFlat } from '../agent/detect/flat-match.ts';

const folder = join(import.meta.dirname, '..', 'rules');
const set = await loadRulePaths([folder], 'bundled');

interface Example {
  expect: boolean;
  event: Record<string, string>;
}

describe('bundled rules', () => {
  it('all load, without a warning, with ids of their own, and can run on this sensor', () => {
    expect(set.failed).toEqual([]);
    expect(set.warnings).toEqual([]);
    expect(new Set(set.rules.map((rule) => rule.id)).size).toBe(set.rules.length);
    expect(new Detector(set).notRunnable).toEqual([]);
  });

  it('cover at least forty techniques', () => {
    expect(new Set(set.rules.flatMap((rule) => rule.attack)).size).toBeGreaterThanOrEqual(40);
    for (const rule of set.rules) expect(rule.attack.length, rule.file).toBeGreaterThan(0);
  });

  it('leave no example without a rule', () => {
    const names = new Set(set.rules.map((rule) => basename(rule.file, '.yml')));
    for (const name of readdirSync(join(folder, 'tests'))) expect(names).toContain(basename(name, '.ndjson'));
  });

  it.each(set.rules.map((rule) => [basename(rule.file, '.yml'), rule] as const))('%s', async (name, rule) => {
    const path = join(folder, 'tests', `${name}.ndjson`);
    expect(existsSync(path), `${path} holds the rule's examples`).toBe(true);
    const examples = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Example);
    expect(new Set(examples.map((example) => example.expect))).toEqual(new Set([true, false]));
    // What only correlations use is not reported by itself, so it is tried without them.
    const tried = rule.standalone ? set : await loadRulePaths([rule.file], 'alone');
    for (const { expect: matches, event } of examples) {
      expect(matchFlat(tried, rule.logsource, event).includes(rule.id), JSON.stringify(event)).toBe(matches);
    }
  });

  it('tell a machine that is looked over by hand from one command of that kind, or many equal ones', () => {
    const commands = ['whoami', 'id', 'uname -a', 'ip addr', 'ss -antp', 'ps aux', 'lscpu', 'w'];
    const seen = (CommandLine: string, second: number, ParentProcessGuid: string): string[] =>
      matcher.match({
        Image: `/usr/bin/${CommandLine.split(' ')[0]}`,
        CommandLine,
        ParentProcessGuid,
        timestamp: 1_700_000_000 + second,
      });
    const { id } = set.correlations.find((rule) => rule.file.endsWith('disc_command_burst.yml'))!;
    const matcher = new FlatMatcher(set, { product: 'linux', category: 'process_creation' });
    const reports = (parent: string, lines: string[], step: number): number =>
      lines.filter((line, index) => seen(line, index * step, parent).includes(id)).length;
    expect(reports('a', commands, 2)).toBeGreaterThan(0);
    expect(reports('b', commands, 30)).toBe(0);
    expect(reports('c', Array<string>(40).fill('whoami'), 1)).toBe(0);
    expect(commands.filter((line, index) => seen(line, 5_000 + index, `d${index}`).includes(id))).toEqual([]);
  });
});
