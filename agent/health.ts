/**
 * The agent's state in one snapshot. The state sentence is the first thing a person reads, so it is derived here, in
 * one place, from the facts below it; it never says more than they do.
 */
import type { DlpHealthJson, HealthLevel, HealthSnapshot } from './api/contract.ts';

type Problem = HealthSnapshot['problems'][number];

const TIER_NAMES: Readonly<Record<string, string>> = {
  lsm: 'eBPF + LSM',
  tracepoint: 'eBPF',
  'proc-connector': 'proc connector',
  'proc-poll': '/proc polling',
  replay: 'replay',
};

/** Facts the level and the sentence derive from. */
export interface HealthFacts {
  tier: string;
  scope: string;
  hooks: readonly { name: string; state: string; detail?: string }[];
  blindSpots: readonly { what: string; why: string; remedy?: string }[];
  /** Reasons why better tiers were refused. */
  refusedTiers: readonly { tier: string; reason: string }[];
  wal: HealthSnapshot['wal'];
  gaps24h: { count: number; lostRecords: number };
  timelineRunning: boolean;
  laneState: string;
  /** What keeps the timeline from taking records, and what to do; absent while it takes them. */
  timelineProblem?: { what: string; remedy: string } | undefined;
  disk?: { freeBytes: number; totalBytes: number } | undefined;
  lastRefusal?: HealthSnapshot['api']['lastRefusal'] | undefined;
  nowNs: bigint;
  rulesFailed: number;
  /** What somebody did to the kernel's side of enforcement. */
  enforcementTroubles?: readonly { kind: string; detail: string }[] | undefined;
  rulesLoaded: number;
  dlp?: DlpHealthJson | undefined;
}

/** A hook for something the kernel was built without misses nothing. */
const ABSENT_FEATURE = /this kernel has no/;
/** Better where they are allowed; what they see is also seen without them. */
const OPTIONAL_HOOK = /^(lsm|fentry|fexit)\//;

function sensorProblems(facts: HealthFacts): Problem[] {
  if (facts.tier === 'tracepoint' || facts.tier === 'lsm') {
    const missing = facts.hooks.filter(
      (hook) =>
        hook.state === 'missing' && !OPTIONAL_HOOK.test(hook.name) && !ABSENT_FEATURE.test(hook.detail ?? ''),
    );
    if (missing.length === 0) return [];
    return [
      {
        level: 'degraded',
        what: `${missing.length} of ${facts.hooks.length} kernel hooks are missing`,
        meaning: `not seen: ${missing.map((hook) => `${hook.name}${hook.detail ? ` (${hook.detail})` : ''}`).join(', ')}`,
        remedy: 'see the hook table; a newer kernel has them all',
      },
    ];
  }
  if (facts.tier === 'replay') {
    return [
      {
        level: 'degraded',
        what: 'replaying recorded events',
        meaning: 'nothing that happens on this machine is being recorded',
        remedy: 'start without --sensor replay to watch this machine',
      },
    ];
  }
  const unseen = facts.blindSpots.map((spot) => spot.what);
  const refused = facts.refusedTiers.map(({ tier, reason }) => `${tier}: ${reason}`);
  const remedies = facts.blindSpots.flatMap((spot) => spot.remedy ?? []);
  return [
    {
      level: 'degraded',
      what: `the ${TIER_NAMES[facts.tier] ?? facts.tier} sensor is in use (${refused.join('; ') || 'by choice'})`,
      meaning: `not seen: ${unseen.join('; ') || 'nothing known'}`,
      remedy: [...new Set(remedies)].join('; ') || 'run as root on a kernel with BTF',
    },
  ];
}

function walProblems(facts: HealthFacts): Problem[] {
  const problems: Problem[] = [];
  for (const log of facts.wal) {
    if (log.state === 'failed') {
      problems.push({
        level: 'failed',
        what: `the ${log.lane} log cannot be written`,
        meaning: 'new records of this lane are not durable and are counted as lost',
        remedy: 'check the disk for space and errors, then restart the agent',
      });
    } else if (log.state === 'degraded') {
      problems.push(degradedLog(log));
    }
  }
  return problems;
}

const DISK_SHORT = /^disk_(full|low)\b/;

function degradedLog(log: HealthFacts['wal'][number]): Problem {
  const { lane, reason = '', failedWrites } = log;
  if (!DISK_SHORT.test(reason)) {
    return {
      level: 'degraded',
      what: `the ${lane} log had to move on (${reason || `${failedWrites} failed writes`})`,
      meaning: 'nothing was lost: the records went to a spare segment',
      remedy: 'check the disk for errors (dmesg, smartctl)',
    };
  }
  return {
    level: 'degraded',
    what: `there is no space for the next segment of the ${lane} log`,
    meaning:
      lane === 'observability'
        ? 'once its last segment is full, ordinary events are shed, each counted in a gap; the space left is for security events'
        : 'security events are recorded until the last segment is full; after that they are lost and counted',
    remedy: FREE_SPACE,
  };
}

const FREE_SPACE =
  'free some space on the disk of the data folder, or lower wal.maxBytes and timeline.maxBytes';
/** With less, an agent starts with small logs (log-space.ts): the reserve of 256 MiB and three segments of 16 MiB. */
const LOW_DISK_BYTES = 304 * 1024 * 1024;
/** Fewer refusals in a minute are strangers at the door, not a flood. */
const FLOOD_REFUSALS = 100;
const FLOOD_MEMORY_NS = 60_000_000_000n;

function surroundingProblems(facts: HealthFacts): Problem[] {
  const problems: Problem[] = [];
  const { disk, timelineProblem, lastRefusal } = facts;
  if (disk && disk.freeBytes < LOW_DISK_BYTES) {
    problems.push({
      level: 'degraded',
      what: `only ${Math.floor(disk.freeBytes / 1048576)} MiB are free in the data folder`,
      meaning:
        'ordinary events give way first, each loss counted in a gap; what is left is for security events',
      remedy: FREE_SPACE,
    });
  }
  if (timelineProblem) {
    problems.push({
      level: 'degraded',
      what: timelineProblem.what,
      meaning: 'recording goes on in the logs; queries do not show what is new until the timeline takes it',
      remedy: timelineProblem.remedy,
    });
  }
  if (
    lastRefusal &&
    lastRefusal.inLastMinute >= FLOOD_REFUSALS &&
    facts.nowNs - BigInt(lastRefusal.tsNs) < FLOOD_MEMORY_NS
  ) {
    problems.push({
      level: 'degraded',
      what: `${lastRefusal.inLastMinute} requests to the agent were refused within a minute (last: ${lastRefusal.reason})`,
      meaning:
        'a program of this machine, or a web page in its browser, tries doors it may not open; recording is not affected',
      remedy:
        'find it in the timeline (type:network direction:inbound), or start the agent with --console off',
    });
  }
  return problems;
}

function enforcementProblems({ enforcementTroubles = [] }: HealthFacts): Problem[] {
  return enforcementTroubles.map(({ kind, detail }): Problem => {
    const repaired = kind === 'map_changed';
    return {
      level: 'failed',
      what: `enforcement was tampered with: ${detail}`,
      meaning: repaired
        ? 'the entries were restored at once; in between, something denied may have passed'
        : 'what depends on this hook is no longer seen or stopped',
      remedy: repaired
        ? 'find who called bpf (type:module action:bpf) and end it'
        : 'restart the agent, and find who called bpf (type:module action:bpf)',
    };
  });
}

/** Files that were left out are a matter for as long. */
const SKIPPED_MEMORY_NS = 3_600_000_000_000n;

function dlpProblems({ dlp, nowNs }: HealthFacts): Problem[] {
  if (dlp === undefined) return [];
  const problems = dlp.problems.map(({ what, remedy }): Problem => ({
    level: 'degraded',
    what: `not in force for protected data: ${what}`,
    meaning:
      dlp.state === 'failed'
        ? 'no protected data is looked for'
        : 'what it holds may not be looked for; the other indexes and rules are in force',
    remedy: remedy === '' ? 'build it again with sentinel dlp index build' : remedy,
  }));
  if (dlp.lastSkippedNs !== undefined && nowNs - BigInt(dlp.lastSkippedNs) < SKIPPED_MEMORY_NS) {
    problems.push({
      level: 'degraded',
      what: `${dlp.totals.skipped.toLocaleString('en')} ${dlp.totals.skipped === 1 ? 'file was' : 'files were'} not looked at for protected data: too many waited`,
      meaning: 'data may have left in them; how many, and where to, is on record',
      remedy:
        'sentinel events "type:dlp action:skipped" lists them; raise dlp.queueFiles, or scan the folder now',
    });
  }
  return problems;
}

/** Everything that keeps the level from being ok, worst first. */
export function problemsOf(facts: HealthFacts): Problem[] {
  const problems = [
    ...walProblems(facts),
    ...enforcementProblems(facts),
    ...surroundingProblems(facts),
    ...sensorProblems(facts),
    ...dlpProblems(facts),
  ];
  if (!facts.timelineRunning) {
    problems.push({
      level: 'degraded',
      what: 'the timeline is not running',
      meaning: 'recording goes on in the logs; the timeline catches up once it runs',
      remedy: 'restart the agent',
    });
  }
  const { count, lostRecords } = facts.gaps24h;
  if (lostRecords > 0) {
    problems.push({
      level: 'degraded',
      what: `${lostRecords.toLocaleString('en')} records were lost in ${count.toLocaleString('en')} ${count === 1 ? 'gap' : 'gaps'} within 24 h`,
      meaning:
        'the record has holes there; each is a signed entry of the timeline that says how many, of what, when and why',
      remedy:
        'sentinel events "type:integrity_gap last:1d" lists them; look at what was so busy at that time',
    });
  }
  if (facts.laneState !== 'NORMAL') {
    problems.push({
      level: 'degraded',
      what: `the observability lane is overloaded (${facts.laneState})`,
      meaning: 'low-priority records may be shed, each counted in a gap; the security lane is not touched',
      remedy: 'raise observability.maxBufferBytes or find what is so busy',
    });
  }
  if (facts.rulesFailed > 0) {
    problems.push({
      level: 'degraded',
      what: `${facts.rulesFailed} rule ${facts.rulesFailed === 1 ? 'file' : 'files'} did not load`,
      meaning: `the other ${facts.rulesLoaded} rules are in force`,
      remedy: 'see the list below, or run sentinel rules check',
    });
  }
  const rank: Record<HealthLevel, number> = { failed: 0, degraded: 1, ok: 2 };
  return problems.sort((a, b) => rank[a.level] - rank[b.level]);
}

/** The worst level of any problem. */
export function levelOf(problems: readonly Problem[]): HealthLevel {
  if (problems.some((problem) => problem.level === 'failed')) return 'failed';
  return problems.length > 0 ? 'degraded' : 'ok';
}

/** "Recording everything · 0 gaps in 24 h · eBPF". */
export function sentenceOf(facts: HealthFacts): string {
  const failed = facts.wal.some((log) => log.state === 'failed' && log.lane === 'security');
  const kernelTier = facts.tier === 'tracepoint' || facts.tier === 'lsm';
  let verb = 'Recording everything';
  if (failed) verb = 'NOT recording: the security log cannot be written';
  else if (facts.tier === 'replay') verb = 'Replaying recorded events';
  else if (!kernelTier) verb = 'Recording with blind spots';
  else if (facts.scope !== 'host') verb = `Recording ${facts.scope}`;
  else if (facts.wal.some((log) => log.lane === 'observability' && log.state === 'failed'))
    verb = 'Recording security events only';
  // What was lost is not "everything", for as long as the sentence counts it.
  else if (facts.gaps24h.lostRecords > 0) verb = 'Recording';
  const { count, lostRecords } = facts.gaps24h;
  const concerns = concernsOf(facts);
  const lost = lostRecords > 0 ? ` (${lostRecords.toLocaleString('en')} records lost)` : '';
  const gaps = `${count.toLocaleString('en')} ${count === 1 ? 'gap' : 'gaps'} in 24 h${lost}`;
  return `${verb}${concerns} · ${gaps} · ${TIER_NAMES[facts.tier] ?? facts.tier}`;
}

/** What a person must know although recording goes on. */
function concernsOf(facts: HealthFacts): string {
  const concerns: string[] = [];
  const short = facts.wal.filter((log) => log.state === 'degraded' && DISK_SHORT.test(log.reason ?? ''));
  if (short.length > 0) concerns.push(`no space for the ${short.map((log) => log.lane).join(' and ')} log`);
  else if (facts.disk && facts.disk.freeBytes < LOW_DISK_BYTES) concerns.push('disk nearly full');
  if (!facts.timelineRunning || facts.timelineProblem) concerns.push('the timeline is behind');
  return concerns.map((concern) => ` · ${concern}`).join('');
}

/** Events per second over the last few seconds, from running totals. */
export class RateMeter {
  readonly #samples: { atMs: number; total: number }[] = [];
  readonly #spanMs: number;

  constructor(spanMs = 5000) {
    this.#spanMs = spanMs;
  }

  /** Adds the total so far; returns the rate per second over the span. */
  sample(total: number, nowMs: number): number {
    this.#samples.push({ atMs: nowMs, total });
    while (this.#samples.length > 2 && nowMs - (this.#samples[1]?.atMs ?? nowMs) >= this.#spanMs)
      this.#samples.shift();
    const first = this.#samples[0];
    if (!first || nowMs <= first.atMs) return 0;
    return Math.round(((total - first.total) / (nowMs - first.atMs)) * 10_000) / 10;
  }
}
