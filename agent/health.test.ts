import { describe, expect, it } from 'vitest';
import { levelOf, problemsOf, RateMeter, sentenceOf, type HealthFacts } from './health.ts';

const wal = (
  lane: 'security' | 'observability',
  state: 'ok' | 'degraded' | 'failed',
): HealthFacts['wal'][number] => ({
  lane,
  state,
  writer: 'native',
  lastSeq: '1',
  durableSeq: '1',
  segments: 1,
  bytesOnDisk: 1,
  pendingBytes: 0,
  flushP50Us: 1,
  flushP99Us: 1,
  failedWrites: 0,
});
const good: HealthFacts = {
  tier: 'tracepoint',
  scope: 'host',
  hooks: [{ name: 'sched_process_exec', state: 'active' }],
  blindSpots: [],
  refusedTiers: [],
  wal: [wal('security', 'ok'), wal('observability', 'ok')],
  gaps24h: { count: 0, lostRecords: 0 },
  timelineRunning: true,
  laneState: 'NORMAL',
  nowNs: 0n,
  rulesFailed: 0,
  rulesLoaded: 60,
};

describe('state sentence', () => {
  it.each([
    [{}, 'Recording everything · 0 gaps in 24 h · eBPF', 'ok'],
    [
      { gaps24h: { count: 1, lostRecords: 1204 } },
      'Recording · 1 gap in 24 h (1,204 records lost) · eBPF',
      'degraded',
    ],
    [{ gaps24h: { count: 1, lostRecords: 0 } }, 'Recording everything · 1 gap in 24 h · eBPF', 'ok'],
    [{ scope: 'pid:7' }, 'Recording pid:7 · 0 gaps in 24 h · eBPF', 'ok'],
    [{ tier: 'proc-poll' }, 'Recording with blind spots · 0 gaps in 24 h · /proc polling', 'degraded'],
    [
      { wal: [wal('security', 'failed'), wal('observability', 'ok')] },
      'NOT recording: the security log cannot be written · 0 gaps in 24 h · eBPF',
      'failed',
    ],
    [
      { wal: [wal('security', 'ok'), wal('observability', 'failed')] },
      'Recording security events only · 0 gaps in 24 h · eBPF',
      'failed',
    ],
    [
      {
        wal: [
          wal('security', 'ok'),
          { ...wal('observability', 'degraded'), reason: 'disk_full: free space' },
        ],
      },
      'Recording everything · no space for the observability log · 0 gaps in 24 h · eBPF',
      'degraded',
    ],
    [
      { disk: { freeBytes: 100 * 1024 * 1024, totalBytes: 1e9 } },
      'Recording everything · disk nearly full · 0 gaps in 24 h · eBPF',
      'degraded',
    ],
    [
      { timelineProblem: { what: 'the timeline cannot be written', remedy: 'free some space' } },
      'Recording everything · the timeline is behind · 0 gaps in 24 h · eBPF',
      'degraded',
    ],
    [
      { lastRefusal: { reason: 'console_host', tsNs: '0', inLastMinute: 500 } },
      'Recording everything · 0 gaps in 24 h · eBPF',
      'degraded',
    ],
    [
      { lastRefusal: { reason: 'console_host', tsNs: '0', inLastMinute: 500 }, nowNs: 61_000_000_000n },
      'Recording everything · 0 gaps in 24 h · eBPF',
      'ok',
    ],
    [{ tier: 'replay' }, 'Replaying recorded events · 0 gaps in 24 h · replay', 'degraded'],
  ] as const)('%o', (change, sentence, level) => {
    const facts: HealthFacts = { ...good, ...change } as HealthFacts;
    expect(sentenceOf(facts)).toBe(sentence);
    expect(levelOf(problemsOf(facts))).toBe(level);
  });

  it('names cause, meaning and remedy of everything that is wrong with the disk', () => {
    const problems = problemsOf({
      ...good,
      wal: [wal('security', 'ok'), { ...wal('observability', 'degraded'), reason: 'disk_full: free space' }],
      disk: { freeBytes: 100 * 1024 * 1024, totalBytes: 1e9 },
      timelineProblem: { what: 'the timeline cannot be written (disk full)', remedy: 'free some space' },
    });
    expect(problems.map(({ what }) => what)).toEqual([
      'there is no space for the next segment of the observability log',
      'only 100 MiB are free in the data folder',
      'the timeline cannot be written (disk full)',
    ]);
    for (const { meaning, remedy } of problems) {
      expect(meaning).not.toBe('');
      expect(remedy).toMatch(/free some space/);
    }
  });

  it('says what a lesser sensor does not see, why, and the remedy', () => {
    const [problem] = problemsOf({
      ...good,
      tier: 'proc-poll',
      blindSpots: [{ what: 'programs that end between two polls', why: 'polling', remedy: 'run as root' }],
      refusedTiers: [{ tier: 'ebpf', reason: 'not root' }],
    });
    expect(problem).toMatchObject({
      meaning: 'not seen: programs that end between two polls',
      remedy: 'run as root',
    });
    expect(problem?.what).toContain('ebpf: not root');
  });
});

it('measures a rate over its span only', () => {
  const meter = new RateMeter(5000);
  expect(meter.sample(0, 0)).toBe(0);
  for (let second = 1; second <= 10; second++) meter.sample(second * 100, second * 1000);
  expect(meter.sample(1000, 11_000)).toBeLessThan(100);
  expect(meter.sample(1000, 17_000)).toBe(0);
});

describe('protected data', () => {
  const totals = { seen: 9, looked: 9, clean: 8, matched: 1, unscannable: 0, gone: 0, skipped: 0, cached: 0 };
  const dlp: NonNullable<HealthFacts['dlp']> = {
    state: 'watching',
    indexes: 1,
    ruleFiles: 0,
    problems: [],
    queue: { waiting: 0, running: 0, max: 10 },
    totals,
    bytes: 1,
    tookMs: 1,
  };

  it('is no problem while it is off or everything is in force', () => {
    expect(problemsOf({ ...good, dlp })).toEqual([]);
    expect(problemsOf({ ...good, dlp: { ...dlp, state: 'off' } })).toEqual([]);
  });

  it('says what is not in force, what that means and what to do', () => {
    const problems = [{ what: 'the index a.sdlp is cut off', remedy: 'copy it again' }];
    const [some] = problemsOf({ ...good, dlp: { ...dlp, problems } });
    expect(some).toMatchObject({ level: 'degraded', remedy: 'copy it again' });
    expect(some?.what).toContain('a.sdlp is cut off');
    const [all] = problemsOf({ ...good, dlp: { ...dlp, state: 'failed', problems } });
    expect(all?.meaning).toBe('no protected data is looked for');
  });

  it('tells for an hour of files that were left out', () => {
    const skipping = { ...dlp, totals: { ...totals, skipped: 3 }, lastSkippedNs: '1' };
    expect(problemsOf({ ...good, dlp: skipping })[0]?.what).toMatch(/^3 files were not looked at/);
    expect(problemsOf({ ...good, dlp: skipping, nowNs: 3_700_000_000_000n })).toEqual([]);
  });
});
