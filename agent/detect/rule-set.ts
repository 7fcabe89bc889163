/**
 * Rule files -> rules: documents of all kinds (detection, correlation, filter, old-style collections), each loaded or
 * listed with the reason why not. Nothing is dropped silently.
 */
import { parseCorrelation } from './correlation-rule.ts';
import type { CorrelationRule } from './correlation-rule.ts';
import { appliesTo, parseFilter } from './filter.ts';
import type { FilterRule } from './filter.ts';
import type { Placeholders } from './placeholders.ts';
import { DetectionError, RuleError } from './rule-error.ts';
import { parseMeta, parseRule } from './rule.ts';
import type { DetectionRule } from './rule.ts';
import { whyNotRunnable } from './runnable.ts';
import { isYamlMap, readDocuments, yamlText } from './yaml-source.ts';
import type { SourceDocument, YamlMap, YamlValue } from './yaml-source.ts';

export interface RuleSource {
  /** Shown in errors; also the fallback for a rule's id. */
  path: string;
  text: string;
  /** bundled, imported, … */
  source: string;
}

export interface LoadOptions {
  /** Values for `expand`, by placeholder name. */
  placeholders?: Placeholders;
}

/** A detection rule with what surrounds it in its set. */
export interface LoadedRule extends DetectionRule {
  /** Position in `RuleSet.rules`. */
  index: number;
  filters: FilterRule[];
  /** Reported on its own; false for a rule that only feeds correlations. */
  standalone: boolean;
}

export interface LoadFailure {
  file: string;
  line?: number;
  /** Path of keys to the fault. */
  field?: string;
  /** What is wrong and what to do about it. */
  reason: string;
  id?: string;
}

export interface RuleSet {
  rules: LoadedRule[];
  correlations: CorrelationRule[];
  filters: FilterRule[];
  failed: LoadFailure[];
  /** Loaded, but unable to match what this sensor sees: the log source or a field is not there. */
  notRunnable: NotRunnable[];
  /** Loaded, but worth a look: deprecated or unsupported status, filters that name no rule. */
  warnings: LoadFailure[];
}

export interface NotRunnable {
  id: string;
  file: string;
  reason: string;
}

interface Collection {
  /** Set by `action: global`: merged into the documents after it. */
  global: YamlMap | undefined;
  previous: YamlMap | undefined;
}

/** Loads rule files. Never throws for what a file holds. */
export function loadRules(sources: readonly RuleSource[], options: LoadOptions = {}): RuleSet {
  const set: RuleSet = {
    rules: [],
    correlations: [],
    filters: [],
    failed: [],
    notRunnable: [],
    warnings: [],
  };
  const ids = new Map<string, { file: string; line: number }>();
  for (const source of sources) {
    const { documents, errors } = readDocuments(source.path, source.text);
    const before = set.rules.length + set.correlations.length + set.filters.length + set.failed.length;
    for (const error of errors) set.failed.push(failureOf(error));
    const collection: Collection = { global: undefined, previous: undefined };
    for (const [i, document] of documents.entries()) {
      const value = collected(document, collection, set);
      if (value) loadDocument(document, value, i, source, options, set, ids);
    }
    const after = set.rules.length + set.correlations.length + set.filters.length + set.failed.length;
    if (after === before) {
      set.failed.push({
        file: source.path,
        reason: 'holds no rule; give it a title, a logsource and a detection',
      });
    }
  }
  connect(set);
  for (const rule of set.rules) {
    const reason = whyNotRunnable(rule);
    if (reason !== undefined) set.notRunnable.push({ id: rule.id, file: rule.file, reason });
  }
  listIdleCorrelations(set);
  return set;
}

function failureOf(error: RuleError): LoadFailure {
  const { file, line, field } = error.place;
  const reason = `${field === undefined ? '' : `${field}: `}${error.reason}; ${error.remedy}`;
  return { file, line, field, reason };
}

/** Applies `action: global | reset | repeat`; undefined for a document that is no rule by itself. */
function collected(document: SourceDocument, collection: Collection, set: RuleSet): YamlMap | undefined {
  const { value } = document;
  if (!isYamlMap(value)) {
    const reason = 'is not a map of fields';
    set.failed.push(
      failureOf(new RuleError({ file: document.file, line: document.line }, reason, 'write a Sigma rule')),
    );
    return undefined;
  }
  const action = value['action'];
  if (action === 'global') {
    collection.global = merge({}, value);
    delete collection.global['action'];
    return undefined;
  }
  if (action === 'reset') {
    collection.global = undefined;
    return undefined;
  }
  if (action === 'repeat') {
    collection.previous = merge(collection.previous ?? {}, value);
    delete collection.previous['action'];
    return collection.previous;
  }
  if (action !== undefined) {
    const place = { file: document.file, line: document.lineOf(['action']), field: 'action' };
    set.failed.push(
      failureOf(new RuleError(place, `"${yamlText(action)}" is unknown`, 'use global, reset or repeat')),
    );
    return undefined;
  }
  collection.previous = collection.global ? merge(collection.global, value) : value;
  return collection.previous;
}

function merge(base: YamlMap, over: YamlMap): YamlMap {
  const result = Object.assign(Object.create(null) as YamlMap, base);
  for (const [key, value] of Object.entries(over)) {
    const known: YamlValue | undefined = result[key];
    result[key] = isYamlMap(known) && isYamlMap(value) ? merge(known, value) : value;
  }
  return result;
}

function loadDocument(
  document: SourceDocument,
  value: YamlMap,
  index: number,
  source: RuleSource,
  options: LoadOptions,
  set: RuleSet,
  ids: Map<string, { file: string; line: number }>,
): void {
  const { file } = document;
  let id: string | undefined = typeof value['id'] === 'string' ? value['id'] : undefined;
  try {
    const meta = parseMeta(value, file, document.line, index, source.source);
    id = meta.id;
    const placeholders = options.placeholders ?? {};
    const first = ids.get(meta.id);
    // The parts of an old-style collection share the id that their global part gives.
    const sameCollection = first?.file === file && value['id'] !== undefined && document.value !== value;
    if (first && !sameCollection) {
      throw new DetectionError(
        ['id'],
        `"${meta.id}" is already used at ${first.file}:${first.line}`,
        'give each rule an id of its own',
      );
    }
    if (value['correlation'] !== undefined) set.correlations.push(parseCorrelation(value, meta));
    else if (value['filter'] !== undefined) set.filters.push(parseFilter(value, meta, placeholders));
    else {
      const rule = parseRule(value, meta, placeholders);
      set.rules.push({ ...rule, index: set.rules.length, filters: [], standalone: true });
    }
    if (!first) ids.set(meta.id, { file, line: document.line });
    if (meta.status === 'deprecated' || meta.status === 'unsupported') {
      set.warnings.push({
        file,
        line: document.lineOf(['status']),
        reason: `status is ${meta.status}`,
        id: meta.id,
      });
    }
  } catch (error) {
    if (!(error instanceof DetectionError)) throw error;
    const place = { file, line: document.lineOf(error.path), field: error.path.join('.') };
    set.failed.push({ ...failureOf(new RuleError(place, error.message, error.remedy)), id });
  }
}

/** Attaches filters to the rules they name, and correlations to those they refer to. */
function connect(set: RuleSet): void {
  for (const filter of set.filters) {
    const targets = set.rules.filter((rule) => appliesTo(filter, rule));
    for (const rule of targets) rule.filters.push(filter);
    if (targets.length === 0) {
      const { file, line, id } = filter;
      set.warnings.push({
        file,
        line,
        reason: 'the filter names no rule of this set with a fitting log source',
        id,
      });
    }
  }
  connectCorrelations(set);
}

function connectCorrelations(set: RuleSet): void {
  // A correlation of a correlation that failed fails too, hence the loop.
  for (let again = true; again;) {
    again = false;
    const checked = set.correlations;
    set.correlations = [];
    for (const correlation of checked) {
      const missing = correlation.references.find(
        (reference) => !set.rules.some(named(reference)) && !checked.some(named(reference)),
      );
      if (missing === undefined) {
        set.correlations.push(correlation);
        continue;
      }
      const { file, line, id } = correlation;
      const reason = `correlation.rules: no rule has the id or name "${missing}"; load that rule too`;
      set.failed.push({ file, line, field: 'correlation.rules', reason, id });
      again = true;
    }
  }
  for (const correlation of set.correlations) {
    if (correlation.generate) continue;
    for (const rule of set.rules)
      if (correlation.references.some((name) => named(name)(rule))) rule.standalone = false;
    for (const other of set.correlations) {
      if (correlation.references.some((name) => named(name)(other))) other.standalone = false;
    }
  }
}

/** A correlation of rules that cannot run cannot run either; a temporal one needs all of its rules. */
function listIdleCorrelations(set: RuleSet): void {
  const idle = new Set(set.notRunnable.map(({ id }) => id));
  for (const { id, file, type, expression, references } of set.correlations) {
    const cannot = (reference: string): boolean =>
      set.rules.some((rule) => named(reference)(rule) && idle.has(rule.id));
    const all = type.startsWith('temporal') && expression === undefined;
    const blocking = all ? references.filter(cannot) : references.every(cannot) ? references : [];
    if (blocking.length === 0) continue;
    const reason = `cannot run here: needs ${blocking.join(', ')}, which cannot run here`;
    set.notRunnable.push({ id, file, reason });
  }
}

/** Rules are referred to by id or by name. */
export function named(reference: string): (rule: { id: string; name: string | undefined }) => boolean {
  return (rule) => rule.id === reference || rule.name === reference;
}
