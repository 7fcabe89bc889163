import { afterEach, describe, expect, it } from 'vitest';
import { type HealthFacts, sentenceOf } from '../../../agent/health.ts';
import { setLocale } from '../i18n/i18n.ts';
import { sayState, unknownParts } from './say-state.ts';

type Log = HealthFacts['wal'][number];
const log = (lane: Log['lane'], state: Log['state'], reason?: string): Log => ({
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
  ...(reason === undefined ? {} : { reason }),
});

/** Every combination of what the sentence derives from. */
function* facts(): Generator<HealthFacts> {
  const logs = [
    ['ok', undefined],
    ['degraded', 'disk_full: no space left'],
    ['failed', 'write_failed'],
  ] as const;
  const gaps = [
    { count: 0, lostRecords: 0 },
    { count: 1, lostRecords: 0 },
    { count: 16, lostRecords: 1_234_567 },
  ];
  for (const tier of ['tracepoint', 'lsm', 'proc-connector', 'proc-poll', 'replay'])
    for (const scope of ['host', 'pid:7', 'cgroup:/sys/fs/cgroup/a · b'])
      for (const [security, why] of logs)
        for (const [observability, reason] of logs)
          for (const gaps24h of gaps)
            for (const freeBytes of [1e6, 1e12])
              for (const timelineRunning of [true, false])
                yield {
                  tier,
                  scope,
                  hooks: [],
                  blindSpots: [],
                  refusedTiers: [],
                  wal: [log('security', security, why), log('observability', observability, reason)],
                  gaps24h,
                  timelineRunning,
                  laneState: 'NORMAL',
                  disk: { freeBytes, totalBytes: 1e13 },
                  nowNs: 0n,
                  rulesFailed: 0,
                  rulesLoaded: 1,
                };
}

afterEach(() => setLocale('en'));

describe('the state sentence in the console', () => {
  it('is the agent’s own in English, whatever the state', () => {
    for (const each of facts()) expect(sayState(sentenceOf(each))).toBe(sentenceOf(each));
  });

  it('has every part in Spanish', () => {
    setLocale('es');
    for (const each of facts()) {
      const said = sentenceOf(each);
      if (!each.scope.includes('·')) expect(unknownParts(said)).toEqual([]);
      expect(sayState(said)).not.toMatch(/\b(gaps?|records|lost|disk|timeline|space|events)\b/i);
    }
    expect(sayState('Recording · 16 gaps in 24 h (1,204 records lost) · eBPF')).toBe(
      'Se registra · 16 huecos en 24 h (1204 registros perdidos) · eBPF',
    );
  });

  it('keeps what it does not know as the agent said it', () => {
    setLocale('es');
    expect(sayState('Recording everything · the moon is full · eBPF')).toBe(
      'Se registra todo · the moon is full · eBPF',
    );
  });
});
