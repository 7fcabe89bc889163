/** The console says in Spanish what the agent says in words: every text of problems, doctor, hooks and blind spots is known. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { clockCheck, kernelCheck, permissionCheck } from '../agent/doctor-machine.ts';
import { machineChecks } from '../agent/doctor.ts';
import { type HealthFacts, problemsOf } from '../agent/health.ts';
import { ebpfBlindSpots } from '../agent/sensors/ebpf-blind-spots.ts';
import { connectorBlindSpots } from '../agent/sensors/proc-connector.ts';
import { pollBlindSpots } from '../agent/sensors/proc-poll.ts';
import { setLocale } from '../renderer/src/i18n/i18n.ts';
import { AGENT_ES } from '../renderer/src/i18n/es/agent.ts';
import { isKnownText, sayAgent } from '../renderer/src/i18n/say-agent.ts';

const NOW = 1_800_000_000_000_000_000n;
const hook = (name: string, detail?: string) => ({
  name,
  attach: 'tp_btf',
  state: 'missing' as const,
  detail,
  events: 0,
  lost: 0,
});
const wal = (state: string, lane: string, reason?: string) => ({ state, lane, reason, failedWrites: 2 });
const SOUND = {
  tier: 'tracepoint',
  hooks: [],
  blindSpots: [],
  refusedTiers: [],
  wal: [],
  timelineRunning: true,
  gaps24h: { count: 0, lostRecords: 0 },
  laneState: 'NORMAL',
  rulesFailed: 0,
  rulesLoaded: 10,
  nowNs: NOW,
};
const facts = (change: object): HealthFacts => ({ ...SOUND, ...change }) as unknown as HealthFacts;
/** Texts of other programs (an error of the kernel, a path) are not the agent's words. */
const CASES: readonly HealthFacts[] = [
  facts({ hooks: [hook('tp_btf/sched_process_exec'), hook('sys_exit_open', 'not found')] }),
  facts({ tier: 'replay' }),
  facts({ tier: 'proc-poll', blindSpots: pollBlindSpots('because') }),
  facts({
    tier: 'proc-connector',
    blindSpots: connectorBlindSpots(undefined),
    refusedTiers: [{ tier: 'lsm', reason: 'not allowed' }],
  }),
  facts({
    wal: [
      wal('failed', 'security'),
      wal('degraded', 'security', 'EIO'),
      wal('degraded', 'observability', 'disk_full'),
      wal('degraded', 'security', 'disk_low'),
    ],
  }),
  facts({ disk: { freeBytes: 5, totalBytes: 10 }, timelineRunning: false, laneState: 'SHED' }),
  facts({ gaps24h: { count: 2, lostRecords: 1204 }, rulesFailed: 1 }),
  facts({ gaps24h: { count: 1, lostRecords: 1 }, rulesFailed: 3 }),
  facts({ lastRefusal: { inLastMinute: 500, reason: 'bad_host', tsNs: String(NOW) } }),
  facts({
    dlp: {
      state: 'watching',
      problems: [
        {
          what: 'the index a.sdlp was made with another key (the key 12ab)',
          remedy: 'give that key with --key',
        },
        { what: 'rules.yml of dlp.rules is not there', remedy: 'put the file there, or correct dlp.rules' },
        { what: 'the signature of the index a.sdlp is false', remedy: '' },
      ],
      totals: { skipped: 1 },
      lastSkippedNs: String(NOW),
    },
  }),
  facts({
    dlp: {
      state: 'failed',
      problems: [{ what: 'k is no key file', remedy: 'build it again' }],
      totals: { skipped: 1200 },
      lastSkippedNs: String(NOW),
    },
  }),
  facts({
    enforcementTroubles: [
      { kind: 'map_changed', detail: 'pol_exe' },
      { kind: 'hook_gone', detail: 'exec' },
    ],
  }),
];

function unknownIn(texts: readonly (string | undefined)[]): string[] {
  return [...new Set(texts)].filter((text) => text !== undefined && !isKnownText(text)) as string[];
}

it('knows every problem with its meaning and remedy', () => {
  const problems = CASES.flatMap((each) => problemsOf(each));
  expect(problems.length).toBeGreaterThanOrEqual(15);
  expect(unknownIn(problems.flatMap(({ what, meaning, remedy }) => [what, meaning, remedy]))).toEqual([]);
});

it('knows what the machine is asked and answers, and each blind spot', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-texts-'));
  chmodSync(folder, 0o777);
  const open = permissionCheck(folder);
  chmodSync(folder, 0o755);
  const checks = [
    ...machineChecks(folder),
    ...machineChecks('/nonexistent/folder/of/a/test'),
    open,
    permissionCheck(folder),
    kernelCheck('4.9.0'),
    clockCheck([], 0),
    clockCheck([folder], Date.now() - 3_600_000),
  ].filter((check) => check !== undefined);
  rmSync(folder, { recursive: true });
  // A version, a path or a time alone is nobody's language.
  const bare = /^(Node )?[\dTZ:.\-/\w+~]*$/;
  const details = checks
    .map(({ detail }) => detail)
    .filter((detail) => !bare.test(detail) || /^[a-z]+$/.test(detail));
  const texts = [...checks.flatMap(({ name, remedy }) => [name, remedy]), ...details];
  expect(
    unknownIn(
      texts.filter(
        (text) =>
          !['cgroup v2', 'mount -t cgroup2 none /sys/fs/cgroup/unified', 'npm run build'].includes(
            text ?? '',
          ) && !(text ?? '').startsWith('chmod '),
      ),
    ),
  ).toEqual([]);
  const spots = [
    ...ebpfBlindSpots([hook('sys_exit_open')], false),
    ...ebpfBlindSpots([{ ...hook('fentry/security_path_rename'), state: 'active' }], true),
    ...pollBlindSpots(undefined),
    ...connectorBlindSpots('why'),
  ];
  expect(unknownIn(spots.flatMap(({ what, why, remedy }) => [what, why, remedy]))).toEqual([]);
});

it('fills in what differs, says parts in turn, and leaves what it does not know', () => {
  setLocale('es');
  try {
    expect(sayAgent('1,204 records were lost in 2 gaps within 24 h')).toBe(
      'se perdieron 1,204 apuntes en 2 huecos en 24 h',
    );
    expect(sayAgent('not seen: only connect is recorded; nobody knows')).toBe(
      'no se ve: solo se registra connect; nobody knows',
    );
    expect(sayAgent('something new')).toBe('something new');
    expect(sayAgent(`not seen: ${'x; '.repeat(100_000)}`)).toMatch(/^not seen/);
  } finally {
    setLocale('en');
  }
  expect(sayAgent('only connect is recorded')).toBe('only connect is recorded');
});

it('has the same blanks on both sides', () => {
  const blanks = (text: string): string[] =>
    [...text.matchAll(/\{\w+\*?\}/g)].map(([blank]) => blank).toSorted();
  expect(AGENT_ES.filter(([en, es]) => blanks(en).join() !== blanks(es).join())).toEqual([]);
});
