/**
 * A policy over what this machine has recorded. The timeline worker reads and evaluates in slices, so that queries and
 * ingestion go on between them; whoever asked adds the slices up, can see how far it is, and can stop.
 */
import type { PolicyExample, PolicySimulation, TriageLabel } from './api/contract.ts';
import type { SentinelEvent } from './event.ts';
import { canHold } from './policy/applicable.ts';
import { inScope } from './policy/engine.ts';
import { parsePolicies, type LoadedPolicy } from './policy/parse.ts';
import type { Policy } from './policy/types.ts';
import { policyCompiler } from './policy-compiler.ts';
import { printable } from './printable.ts';
import { parseQuery } from './store/query-parser.ts';
import type { Timeline } from './store/timeline.ts';
import type { TriageIndex } from './triage.ts';

/** One slice: the texts to evaluate, from where. */
export interface SliceRequest {
  text: string;
  /** Of the version that is active, to compare with. */
  activeText?: string;
  before?: string;
  fromNs?: string;
}

interface Caught {
  example: PolicyExample;
  /** By the text, and by the active one. */
  now: boolean;
  before: boolean;
}

export interface SliceResult {
  evaluated: number;
  matched: number;
  newlyCaught: number;
  noLongerCaught: number;
  /** The newest of what was caught by both, newly, or is not any more. */
  caught: Caught[];
  labels: PolicySimulation['labels'];
  oldestNs?: string;
  newestNs?: string;
  /** In the first slice, how many events there are. */
  total?: number;
  older?: string;
}

const PAGE = 1000;
const BUDGET_MS = 60;
const EXAMPLES = 20;
const MAX_TEXT = 200;
/** Share of events on which a canary of a policy without known false positives begins. */
const DEFAULT_PERCENT = 10;

const SUBJECTS: Readonly<Record<string, string>> = {
  deny_exec: 'type:process action:exec',
  deny_connect: 'type:network (action:connect or action:send)',
  deny_open: 'type:file (action:open or action:create)',
  quarantine: 'type:dlp or type:file (action:write or action:rename)',
};
const KINDS: readonly (readonly [type: string, actions: readonly string[]])[] = [
  ['process', ['exec', 'fork', 'exit', 'ptrace', 'setuid', 'io_uring']],
  ['file', ['open', 'create', 'write', 'rename', 'unlink', 'chmod']],
  ['network', ['connect', 'accept', 'listen', 'send']],
  ['dns', ['query']],
  ['dlp', ['match', 'unscannable', 'skipped']],
];

/** What to read for a policy: only kinds of events that it can hold for. */
export function subjectQuery({ policy, when }: LoadedPolicy): string {
  const subject = SUBJECTS[policy.action];
  if (subject !== undefined) return subject;
  const types = KINDS.filter(([type, actions]) => actions.some((action) => canHold(when.root, type, action)));
  if (types.length === KINDS.length || types.length === 0) return '*';
  return types.map(([type]) => `type:${type}`).join(' or ');
}

const compile = policyCompiler();
/** Texts of the simulation that runs; each slice has them again. */
const parsed = new Map<string, LoadedPolicy | undefined>();

function parse(text: string): LoadedPolicy | undefined {
  if (!parsed.has(text)) {
    if (parsed.size >= 8) parsed.clear();
    parsed.set(text, parsePolicies('policy', text, compile).policies[0]);
  }
  return parsed.get(text);
}

function holds(loaded: LoadedPolicy, event: SentinelEvent): boolean {
  const { when, exceptions, policy } = loaded;
  if (when.test(event) !== true || !inScope(loaded, event)) return false;
  const nowMs = Number(event.tsNs / 1_000_000n);
  return !exceptions.some(
    (exception, index) =>
      (policy.exceptions[index]?.expiresMs ?? 0) >= nowMs && exception.test(event) === true,
  );
}

/** Runs in the worker: as many pages as fit the time, newest first. */
export function simulateSlice(
  timeline: Pick<Timeline, 'query' | 'histogram' | 'counts'>,
  triage: Pick<TriageIndex, 'list'>,
  request: SliceRequest,
): SliceResult {
  const target = parse(request.text);
  const active = request.activeText === undefined ? undefined : parse(request.activeText);
  const result: SliceResult = {
    evaluated: 0,
    matched: 0,
    newlyCaught: 0,
    noLongerCaught: 0,
    caught: [],
    labels: { truePositive: 0, falsePositive: 0, benign: 0 },
  };
  if (!target) return result;
  const node = parseQuery(subjectQuery(target));
  const fromNs = BigInt(request.fromNs ?? '0');
  if (request.before === undefined) {
    const { oldestNs = 0n, newestNs = 0n } = timeline.counts();
    const start = oldestNs > fromNs ? oldestNs : fromNs;
    if (newestNs >= start) {
      const counted = timeline.histogram(node, start, newestNs + 1n, 1);
      result.total = counted.buckets.flat().reduce((sum, count) => sum + count, 0);
    }
  }
  /** Of each kind, so that what many events have in common does not crowd out what few do. */
  const kept = [0, 0, 0];
  const deadline = performance.now() + BUDGET_MS;
  let before = request.before;
  do {
    const page = timeline.query(node, { limit: PAGE, before });
    for (const event of page.events) {
      if (event.tsNs < fromNs) return result;
      result.newestNs ??= event.tsNs.toString();
      result.oldestNs = event.tsNs.toString();
      result.evaluated += 1;
      const now = holds(target, event);
      const was = active !== undefined && holds(active, event);
      if (!now && !was) continue;
      if (now) result.matched += 1;
      if (active && now && !was) result.newlyCaught += 1;
      if (was && !now) result.noLongerCaught += 1;
      const label = labelOf(triage, event);
      if (now && label === 'true_positive') result.labels.truePositive += 1;
      if (now && label === 'false_positive') result.labels.falsePositive += 1;
      if (now && label === 'benign_true_positive') result.labels.benign += 1;
      const kind = now && was ? 0 : now ? 1 : 2;
      if (kept[kind]! >= EXAMPLES) continue;
      kept[kind]! += 1;
      result.caught.push({ example: exampleOf(event, label), now, before: was });
    }
    before = page.older;
  } while (before !== undefined && performance.now() < deadline);
  if (before !== undefined) result.older = before;
  return result;
}

function exampleOf(event: SentinelEvent, label: TriageLabel | undefined): PolicyExample {
  const example: PolicyExample = {
    eventId: String(event.eventId),
    tsNs: event.tsNs.toString(),
    text: textOf(event),
  };
  if (label !== undefined) example.label = label;
  return example;
}

function labelOf(triage: Pick<TriageIndex, 'list'>, event: SentinelEvent): TriageLabel | undefined {
  return triage.list({ eventIds: [String(event.eventId)], limit: 1 }).decisions[0]?.label;
}

function textOf({ process, action, file, network, dns }: SentinelEvent): string {
  const who = process?.executable ?? process?.name ?? 'unknown process';
  const what =
    file?.path ??
    dns?.query ??
    (network ? `${network.dstIp ?? ''}:${network.dstPort ?? ''}` : process?.argv?.join(' '));
  return printable(`${who} ${action} ${what ?? ''}`.trim().slice(0, MAX_TEXT));
}

/** A simulation that nobody has begun yet. */
export function newSimulation(
  { id, version, hash, action }: Policy,
  active: Policy | undefined,
): PolicySimulation {
  const simulation: PolicySimulation = {
    id,
    version,
    hash,
    action,
    done: false,
    cancelled: false,
    evaluated: 0,
    matched: 0,
    matchRate: 0,
    examples: [],
    labels: { truePositive: 0, falsePositive: 0, benign: 0 },
    recommendedCanaryPercent: DEFAULT_PERCENT,
  };
  if (active)
    simulation.difference = {
      version: active.version,
      newlyCaught: 0,
      noLongerCaught: 0,
      newExamples: [],
      lostExamples: [],
    };
  return simulation;
}

/** Adds a slice to what is known so far. */
export function addSlice(simulation: PolicySimulation, slice: SliceResult): void {
  simulation.evaluated += slice.evaluated;
  simulation.matched += slice.matched;
  simulation.matchRate = simulation.evaluated === 0 ? 0 : simulation.matched / simulation.evaluated;
  if (slice.total !== undefined) simulation.total = slice.total;
  if (slice.newestNs !== undefined) simulation.toNs ??= slice.newestNs;
  if (slice.oldestNs !== undefined) simulation.fromNs = slice.oldestNs;
  const { labels, difference } = simulation;
  labels.truePositive += slice.labels.truePositive;
  labels.falsePositive += slice.labels.falsePositive;
  labels.benign += slice.labels.benign;
  const add = (list: PolicyExample[], example: PolicyExample): void => {
    if (list.length < EXAMPLES) list.push(example);
  };
  for (const { example, now, before } of slice.caught) {
    if (now) add(simulation.examples, example);
    if (difference && now && !before) add(difference.newExamples, example);
    if (difference && before && !now) add(difference.lostExamples, example);
  }
  if (difference) {
    difference.newlyCaught += slice.newlyCaught;
    difference.noLongerCaught += slice.noLongerCaught;
  }
  const labelled = labels.truePositive + labels.falsePositive + labels.benign;
  if (labelled > 0) simulation.falsePositiveRate = (labels.falsePositive + labels.benign) / labelled;
  simulation.recommendedCanaryPercent = recommend(simulation);
}

/** Small where it would act often or was often wrong, all where it would never have acted wrongly and rarely at all. */
function recommend({ matched, evaluated, falsePositiveRate = 0 }: PolicySimulation): number {
  if (falsePositiveRate > 0.2) return 1;
  if (falsePositiveRate > 0.05) return 5;
  if (matched === 0) return 50;
  const rate = evaluated === 0 ? 0 : matched / evaluated;
  if (rate > 0.01) return 1;
  if (rate > 0.001) return 5;
  return falsePositiveRate > 0 || matched > 1000 ? DEFAULT_PERCENT : 25;
}
