/** Cost of detection per event: rules against a naive evaluator, and indicators. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { stringify } from 'yaml';
import { findRuleFiles } from '../../agent/detect/cli-rules.ts';
import { Detector } from '../../agent/detect/detector.ts';
import { IndicatorSet } from '../../agent/detect/indicators/indicator-set.ts';
import { RarityModel } from '../../agent/detect/rarity.ts';
import { loadRules } from '../../agent/detect/rule-set.ts';
import type { RuleSource } from '../../agent/detect/rule-set.ts';
import type { SentinelEvent } from '../../agent/event.ts';
import { naiveMatch } from '../detect/naive-sigma.ts';
import type { NaiveRule } from '../detect/naive-sigma.ts';
import { PUBLIC_RULES, havePublicRules, parseRules, randomOf } from '../detect/public-rules.ts';
import { execEvents, mixedEvents } from '../detect/workload.ts';
import type { BenchOptions, Figure } from './figure.ts';

const BUNDLED = join(import.meta.dirname, '..', '..', 'rules');
const BENCH = 'detect';

/** The best of some rounds: other work on the machine only ever adds time. */
function nsPerItem(rounds: number, items: number, run: () => void): number {
  let best = Infinity;
  for (let i = 0; i < rounds; i += 1) {
    const start = process.hrtime.bigint();
    run();
    best = Math.min(best, Number(process.hrtime.bigint() - start));
  }
  return best / items;
}

async function readRules(): Promise<NaiveRule[]> {
  const files = await findRuleFiles(havePublicRules ? [PUBLIC_RULES] : [BUNDLED]);
  return files.flatMap((file) => parseRules(readFileSync(file, 'utf8'))).filter((rule) => rule['detection']);
}

/** A rule of the same shape that looks for other words; programs stay, as many rules share them. */
function variant(rule: NaiveRule, number: number, random: () => number): NaiveRule {
  const word = (): string => Math.floor(random() * 36 ** 4).toString(36);
  const change = (key: string, value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((item) => change(key, item));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, change(name, item)]));
    }
    const program = /^(Image|ParentImage|type|a0|exe|comm|condition)/.test(key) || key.includes('|re');
    return typeof value !== 'string' || program || random() < 0.2 ? value : value.replace(/[a-z]{3,}/i, word);
  };
  const { condition, ...searches } = rule['detection'] as Record<string, unknown>;
  const detection = { ...(change('', searches) as object), condition };
  return {
    ...rule,
    id: `${rule['id'] as string}-${number}`,
    title: `variant ${number}`,
    detection,
  } as NaiveRule;
}

function sourcesOf(rules: readonly NaiveRule[]): RuleSource[] {
  return rules.map((rule, i) => ({ path: `bench-${i}.yml`, text: stringify(rule), source: 'bench' }));
}

function flat(event: SentinelEvent): Record<string, unknown> {
  return {
    Image: event.process?.executable,
    CommandLine: event.process?.argv?.join(' '),
    CurrentDirectory: event.process?.cwd,
    User: event.process?.user,
    ParentImage: event.parent?.executable,
    ParentCommandLine: event.parent?.argv?.join(' '),
  };
}

function rulesFigures(rules: readonly NaiveRule[], quick: boolean): Figure[] {
  const random = randomOf(7);
  const shuffled = [...rules].sort(() => random() - 0.5);
  const first = shuffled.slice(0, 150);
  const many = Array.from({ length: 2000 }, (_, i) =>
    i < rules.length
      ? (shuffled[i] as NaiveRule)
      : variant(shuffled[i % rules.length] as NaiveRule, i, random),
  );
  const count = quick ? 2000 : 10_000;
  const rounds = quick ? 30 : 60;
  const figures: Figure[] = [];
  for (const [name, list, budgetUs] of [
    ['150 rules', first, 20],
    ['2,000 rules', many, 100],
  ] as const) {
    const set = loadRules(sourcesOf(list));
    const note = `${set.rules.length - set.notRunnable.length} run here, ${set.failed.length} failed`;
    for (const [kind, events] of [
      ['executions', execEvents(count)],
      ['mixed events', mixedEvents(count)],
    ] as const) {
      const detector = new Detector(set);
      let found = 0;
      const ns = nsPerItem(rounds, events.length, () => {
        for (const event of events) if (detector.evaluate(event)) found += 1;
      });
      const naiveUs =
        kind === 'executions' && list === first ? naiveNs(list, events.slice(0, 50)) / 1e3 : undefined;
      figures.push({
        bench: BENCH,
        metric: `${name}, ${kind}`,
        value: Number((ns / 1e3).toFixed(2)),
        unit: 'us/event',
        ...(naiveUs !== undefined && { peer: 'the naive evaluator', ratio: ns / 1e3 / naiveUs }),
        budget: `<= ${budgetUs} us`,
        ok: ns / 1e3 <= budgetUs,
        note: `${naiveUs === undefined ? '' : `naive ${naiveUs.toFixed(0)} us, `}${note}, ${((100 * found) / rounds / events.length).toFixed(1)} % of events matched`,
      });
    }
  }
  return figures;
}

function naiveNs(rules: readonly NaiveRule[], events: readonly SentinelEvent[]): number {
  const applicable = rules.filter(
    (rule) => (rule['logsource'] as Record<string, string>)['category'] === 'process_creation',
  );
  const objects = events.map(flat);
  return nsPerItem(2, objects.length, () => {
    for (const object of objects) for (const rule of applicable) naiveMatch(rule, object);
  });
}

/** What is left is held; without this, garbage of the set-up would count as memory of the set. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

const INDICATORS = 1_000_000;

function indicatorFigures(quick: boolean): Figure[] {
  collectGarbage();
  const before = process.memoryUsage();
  const set = new IndicatorSet(INDICATORS);
  const file = set.file('bench.csv') as number;
  const words = new Uint32Array(4);
  for (let i = 0; i < INDICATORS; i += 1) {
    if (i % 4 === 0) set.add({ kind: 'hash', value: i.toString(16).padStart(64, 'e') }, file, i);
    else if (i % 4 === 1) set.add({ kind: 'domain', value: `bad${i}.example` }, file, i);
    else {
      words[3] = (Math.imul(i, 0x9e3779b1) & 0xffffff00) >>> 0;
      if (i % 4 === 2) set.add({ kind: 'address', address: { v4: true, words } }, file, i);
      else set.add({ kind: 'network', network: { v4: true, words, prefix: 24 } }, file, i);
    }
  }
  collectGarbage();
  const after = process.memoryUsage();
  const grown = after.arrayBuffers - before.arrayBuffers + Math.max(0, after.heapUsed - before.heapUsed);
  const events = mixedEvents(quick ? 5000 : 20_000).map((event) =>
    event.process
      ? {
          ...event,
          process: { ...event.process, hashes: { sha256: 'ab'.repeat(32), blake3: 'cd'.repeat(32) } },
        }
      : event,
  );
  const ns = nsPerItem(quick ? 20 : 40, events.length, () => {
    for (const event of events) set.match(event);
  });
  const model = new RarityModel();
  const rarityNs = nsPerItem(quick ? 10 : 20, events.length, () => {
    for (const event of events) model.scoreAndObserve(event);
  });
  return [
    {
      bench: BENCH,
      metric: '1M indicators, mixed events',
      value: Math.round(ns),
      unit: 'ns/event',
      budget: '<= 2,000 ns',
      ok: ns <= 2000,
      note: `${set.size} distinct`,
    },
    {
      bench: BENCH,
      metric: '1M indicators, memory',
      value: Number((grown / 2 ** 20).toFixed(1)),
      unit: 'MB',
      budget: '<= 32 MB',
      ok: grown <= 32 * 2 ** 20,
      note: `${(set.bytes / 2 ** 20).toFixed(1)} MB in tables`,
    },
    {
      bench: BENCH,
      metric: 'rarity score and count, mixed events',
      value: Math.round(rarityNs),
      unit: 'ns/event',
      budget: '<= 5,000 ns',
      ok: rarityNs <= 5000,
    },
  ];
}

export async function run({ quick }: BenchOptions): Promise<Figure[]> {
  const rules = await readRules();
  return [...rulesFigures(rules, quick), ...indicatorFigures(quick)];
}
