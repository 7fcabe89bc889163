/** The rules an agent runs: the bundled pack, what was imported into its data folder, and what the settings name. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RuleSummary } from './api/contract.ts';
import type { ConfigValues } from './config-options.ts';
import { readRuleFiles } from './detect/cli-rules.ts';
import { Detector } from './detect/detector.ts';
import { IndicatorStore } from './detect/indicators/indicator-store.ts';
import { loadRules, named, type LoadFailure, type RuleSource } from './detect/rule-set.ts';
import { describeError } from './errors.ts';
import { rulesDir } from './resources.ts';

export interface RulesInForce {
  loaded: number;
  failed: { file: string; reason: string }[];
  indicators: number;
}

/** Where `sentinel rules import` puts rules. */
export function importedRulesDir(dataDir: string): string {
  return join(dataDir, 'rules');
}

/** Where indicator lists may be dropped; they are read again when they change. */
export function indicatorsDir(dataDir: string): string {
  return join(dataDir, 'indicators');
}

const INDICATOR_POLL_MS = 10_000;

export class AgentRules {
  readonly #indicators: IndicatorStore;
  readonly #dataDir: string;
  readonly #settings: ConfigValues;
  #detector: Detector;
  #failed: LoadFailure[] = [];

  private constructor(dataDir: string, settings: ConfigValues) {
    this.#dataDir = dataDir;
    this.#settings = settings;
    this.#detector = new Detector(loadRules([]));
    const folder = indicatorsDir(dataDir);
    mkdirSync(folder, { recursive: true, mode: 0o750 });
    this.#indicators = new IndicatorStore({ paths: [folder, ...settings['rules.indicators']] });
  }

  /** Loads everything; a file that cannot be used is listed, never fatal. */
  static async load(dataDir: string, settings: ConfigValues): Promise<AgentRules> {
    const rules = new AgentRules(dataDir, settings);
    await rules.reload();
    rules.#indicators.watch(INDICATOR_POLL_MS);
    return rules;
  }

  get detector(): Detector {
    return this.#detector;
  }

  /** Reads all rules again. Hit counters go on; what correlations had collected begins anew. */
  async reload(): Promise<Detector> {
    const places: [path: string, source: string][] = [];
    const bundled = rulesDir();
    if (this.#settings['rules.bundled'] && bundled) places.push([bundled, 'bundled']);
    const imported = importedRulesDir(this.#dataDir);
    if (existsSync(imported)) places.push([imported, 'imported']);
    for (const path of this.#settings['rules.paths']) places.push([path, 'configured']);
    const sources: RuleSource[] = [];
    const failed: LoadFailure[] = [];
    for (const [path, source] of places) {
      try {
        const read = await readRuleFiles([path], source);
        sources.push(...read.sources);
        failed.push(...read.failed);
      } catch (error) {
        failed.push({ file: path, reason: describeError(error) });
      }
    }
    const set = loadRules(sources);
    this.#failed = [...failed, ...set.failed];
    await this.#indicators.reload();
    const before = this.#detector;
    this.#detector = new Detector(set, { indicators: this.#indicators });
    for (const [id, hits] of before.hits) this.#detector.hits.set(id, hits);
    for (const filter of set.filters) {
      const known = before.rules.filters.find(({ id }) => id === filter.id);
      if (!known) continue;
      filter.hits = known.hits;
      filter.lastHitMs = known.lastHitMs;
    }
    return this.#detector;
  }

  inForce(): RulesInForce {
    const { rules } = this.#detector;
    const problems = this.#indicators.report.problems.map(({ file, line, reason }) => ({
      file: `${file}:${line}`,
      reason,
    }));
    return {
      loaded: rules.rules.length + rules.correlations.length,
      failed: [...this.#failed.map(({ file, reason }) => ({ file, reason })), ...problems],
      indicators: this.#indicators.size,
    };
  }

  /** Ends watching the indicator lists. */
  close(): void {
    this.#indicators.stop();
  }

  list(): RuleSummary[] {
    const { rules, notRunnable, hits } = this.#detector;
    const reasons = new Map(notRunnable.map(({ id, reason }) => [id, reason] as const));
    const detections = rules.rules.map((rule) => ({
      id: rule.id,
      title: rule.title,
      type: 'detection',
      level: rule.level,
      attack: rule.attack,
      logsource: [rule.logsource.product, rule.logsource.category, rule.logsource.service]
        .filter(Boolean)
        .join('/'),
      source: rule.source,
      hits: hits.get(rule.id) ?? 0,
      disabledReason: reasons.get(rule.id),
    }));
    const known = [...rules.rules, ...rules.correlations];
    const correlations = rules.correlations.map((rule) => ({
      id: rule.id,
      title: rule.title,
      type: rule.type,
      level: rule.level,
      attack: rule.attack,
      logsource: '',
      source: rule.source,
      hits: hits.get(rule.id) ?? 0,
      disabledReason: reasons.get(rule.id),
      uses: rule.references.flatMap((name) => known.filter(named(name)).map(({ id }) => id)),
    }));
    return [...detections, ...correlations];
  }
}
