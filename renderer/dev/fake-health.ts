/** A health snapshot of the made-up agent. */
import type { HealthLevel, HealthSnapshot } from '../../agent/api/contract.ts';

export function fakeHealth(
  level: HealthLevel,
  startedMs: number,
  total: number,
  rate: number,
): HealthSnapshot {
  const now = Date.now();
  const jitter = Math.sin(now / 4000) * 0.3 + 1;
  const ns = (ms: number): string => `${Math.round(ms)}000000`;
  return {
    level,
    sentence:
      level === 'ok'
        ? 'Recording everything · 0 gaps in 24 h · eBPF'
        : level === 'degraded'
          ? 'Recording with gaps · 3 gaps, 1,204 records lost in 24 h · eBPF, 2 hooks missing'
          : 'Not recording: the security log cannot be written',
    version: '0.1.0',
    startedNs: ns(startedMs),
    nowNs: ns(now),
    host: {
      hostname: 'workstation',
      kernel: '6.12.9-amd64',
      os: 'Debian GNU/Linux 12',
      bootId: '5b1f8a3e',
      deviceId: '9f2c1d7a4b',
    },
    dataDir: '/var/lib/sentinel',
    problems:
      level === 'ok'
        ? []
        : [
            {
              level,
              what:
                level === 'failed'
                  ? 'The security log failed twice in a row (EIO on segment 41)'
                  : '1,204 records were lost between 14:02:11 and 14:02:13',
              meaning:
                level === 'failed'
                  ? 'New security events are kept in memory only and will be lost when the agent stops.'
                  : 'What happened in those two seconds is not in the record. The gap itself is signed.',
              remedy:
                level === 'failed'
                  ? 'Check the disk that holds /var/lib/sentinel, then restart the service.'
                  : 'Raise sensor.ringBytes above 4 MiB if this happens again under the same load.',
            },
          ],
    sensor: {
      tier: 'ebpf',
      scope: 'host',
      hooks: [
        { name: 'sched_process_exec', attach: 'tp_btf', state: 'active', events: 48_211, lost: 0 },
        { name: 'sched_process_exit', attach: 'tp_btf', state: 'active', events: 48_019, lost: 0 },
        {
          name: 'sys_exit_openat',
          attach: 'tracepoint',
          state: 'active',
          events: 1_204_118,
          lost: level === 'ok' ? 0 : 1204,
        },
        {
          name: 'bprm_check_security',
          attach: 'lsm',
          state: 'replaced',
          detail: 'EPERM on this kernel; sched_process_exec is used',
          events: 0,
          lost: 0,
        },
        {
          name: '__fput',
          attach: 'fentry',
          state: 'missing',
          detail: 'kprobes are not allowed here',
          events: 0,
          lost: 0,
        },
      ],
      blindSpots: [
        {
          what: 'Files opened through int 0x80',
          why: '32-bit system calls bypass these tracepoints.',
          remedy: 'Boot with ia32_emulation=0.',
        },
      ],
      rings: [
        { name: 'rb_sec', usedBytes: 120_000 * jitter, sizeBytes: 4_194_304, lost: 0 },
        {
          name: 'rb_obs',
          usedBytes: 2_900_000 * jitter,
          sizeBytes: 8_388_608,
          lost: level === 'ok' ? 0 : 1204,
        },
      ],
    },
    rates: {
      security: rate * 3.1 * jitter,
      observability: rate * 20 * jitter,
      detections: level === 'ok' ? 0.2 : 1.4 * jitter,
    },
    totals: {
      security: total,
      observability: total * 6,
      detections: Math.floor(total / 50),
      rejected: level === 'ok' ? 0 : 2,
    },
    gaps24h: { count: level === 'ok' ? 0 : 3, lostRecords: level === 'ok' ? 0 : 1204 },
    wal: (['security', 'observability'] as const).map((lane) => ({
      lane,
      state: level === 'failed' && lane === 'security' ? 'failed' : 'ok',
      writer: 'native O_DIRECT|O_DSYNC',
      lastSeq: String(total),
      durableSeq: String(total - (level === 'failed' ? 912 : 0)),
      segments: 14,
      bytesOnDisk: 234_881_024,
      pendingBytes: level === 'failed' ? 812_000 : 0,
      flushP50Us: 59,
      flushP99Us: 117,
      failedWrites: level === 'failed' ? 2 : 0,
    })),
    observabilityLane: {
      state: 'NORMAL',
      bufferedBytes: 41_000 * jitter,
      maxBufferBytes: 8_388_608,
      dropped: { debug: level === 'ok' ? 0 : 312 },
      batchSize: 180,
      synthetic: 4,
    },
    sinks: [
      { name: 'timeline', lane: 'security', cursorSeq: String(total), lagRecords: 0 },
      {
        name: 'timeline',
        lane: 'observability',
        cursorSeq: String(total),
        lagRecords: level === 'ok' ? 0 : 1912,
      },
    ],
    latency: {
      kernelToDecision: { p50Us: 84, p99Us: 612, count: total },
      kernelToObserved: { p50Us: 24_000, p99Us: 49_000, count: total },
      kernelToDurable: { p50Us: 1904, p99Us: 5210, count: total },
      detect: { p50Us: 7.4, p99Us: 19, count: total * 7 },
    },
    agent: {
      pid: 4211,
      cpuPercent: 0.6 * jitter,
      rssBytes: 92_000_000,
      pssBytes: 57_000_000,
      heapBytes: 14_000_000,
    },
    api: {
      clients: 2,
      shed: 0,
      refused: level === 'ok' ? 0 : 3,
      refusedByReason: level === 'ok' ? {} : { console_origin: 3 },
    },
    rules: {
      loaded: 1912,
      failed: [{ file: 'lnx_broken.yml', reason: 'line 12: unknown modifier "containz"' }],
      indicators: 120_431,
    },
    errors: level === 'ok' ? {} : { api_bad_query: 12, hash_unreadable: 3 },
  };
}
