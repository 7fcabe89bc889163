import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { eventFromJson, eventToJson } from './event-json.ts';
import type { SentinelEvent } from './event.ts';
import { interpolateMetrics, MetricsStream } from './metrics.ts';

/** The same machine twice; figures chosen by hand so that every rate is known. */
const FIRST: Readonly<Record<string, string>> = {
  '/proc/stat': 'cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3 4\nctxt 1000\nprocesses 10\nprocs_running 2\n',
  '/proc/meminfo': 'MemTotal:       2048 kB\nMemAvailable:   1024 kB\nHugePages_Total:       0\n',
  '/proc/net/dev':
    'Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n' +
    '  eth0: 1000 10 0 0 0 0 0 0 500 5 0 0 0 0 0 0\n    lo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n',
  '/proc/loadavg': '0.52 0.58 0.59 1/977 12345\n',
  '/proc/pressure/cpu': 'some avg10=1.00 avg60=1.00 avg300=0.00 total=1000000\n',
  '/proc/self/smaps_rollup': 'Rss:                 200 kB\nPss:                  96 kB\nPss_Anon:  64 kB\n',
  '/proc/self/status': 'VmRSS:\t  100 kB\nRssAnon:\t    64 kB\n',
};
const SECOND: Readonly<Record<string, string>> = {
  ...FIRST,
  '/proc/stat': 'cpu  150 0 75 875 50 0 0 0 0 0\nctxt 900\nprocesses 30\nprocs_running 3\n',
  '/proc/net/dev': '  eth0: 3000 30 0 0 0 0 0 0 500 5 0 0 0 0 0 0\n',
};

describe.runIf(process.platform === 'linux')('metrics', () => {
  it('turns counters into shares and rates, and leaves out a counter that went backwards', async () => {
    let files = FIRST;
    // Before the first reading, which has its time within.
    const started = performance.now();
    const stream = new MetricsStream({
      intervalMs: 1000,
      dataDir: tmpdir(),
      onSample: () => {},
      read: (path) => files[path],
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    files = SECOND;
    const { metrics = {} } = stream.sample();
    const seconds = (performance.now() - started) / 1000;
    expect(metrics['cpu.user_percent']).toBeCloseTo(100 / 3, 2);
    expect(metrics['cpu.system_percent']).toBeCloseTo(100 / 6, 2);
    expect(metrics['cpu.idle_percent']).toBe(50);
    expect(metrics['cpu.runnable']).toBe(3);
    expect(metrics['memory.available_bytes']).toBe(1_048_576);
    expect(metrics['load.15m']).toBe(0.59);
    expect(metrics['agent.anonymous_bytes']).toBe(65_536);
    expect(stream.own().pssBytes).toBe(98_304);
    expect(metrics['pressure.cpu_some_percent']).toBe(0);
    expect(metrics).not.toHaveProperty('cpu.context_switches_per_s');
    expect(metrics).not.toHaveProperty('network.lo.receive_bytes_per_s');
    const forks = metrics['cpu.forks_per_s'] ?? 0;
    const received = metrics['network.eth0.receive_bytes_per_s'] ?? 0;
    // Same interval behind both, and no shorter than the wait.
    expect(received / forks).toBeCloseTo(100, 0);
    expect(forks).toBeLessThanOrEqual(20 / 0.045);
    expect(forks).toBeGreaterThanOrEqual(20 / seconds - 1);
  });

  it('agrees with the kernel and the tools on the real machine', () => {
    const stream = new MetricsStream({ intervalMs: 1000, dataDir: tmpdir(), onSample: () => {} });
    let spin = 0;
    const until = performance.now() + 60;
    while (performance.now() < until) spin += 1;
    const { metrics = {} } = stream.sample();
    expect(spin).toBeGreaterThan(0);
    const shares = Object.entries(metrics).filter(([name]) => /^cpu\..*_percent$/.test(name));
    expect(shares.length).toBe(8);
    expect(shares.reduce((sum, [, value]) => sum + value, 0)).toBeCloseTo(100, 1);
    expect(metrics['agent.cpu_percent']).toBeGreaterThan(0);
    const [, free] = execFileSync('df', ['--output=avail', '-B1', tmpdir()], { encoding: 'utf8' }).split(
      '\n',
    );
    expect(Math.abs((metrics['data_dir.available_bytes'] ?? 0) - Number(free))).toBeLessThan(2 ** 30);
    const total = /MemTotal:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
    expect(metrics['memory.total_bytes']).toBe(Number(total) * 1024);
    expect(Object.entries(metrics).filter(([, value]) => !(value >= 0))).toEqual([]);
  });

  it('samples on its own, as events of the observability lane', async () => {
    const events: SentinelEvent[] = [];
    const stream = new MetricsStream({
      intervalMs: 20,
      dataDir: tmpdir(),
      onSample: (event) => {
        events.push(event);
        if (events.length === 3) stream.stop();
      },
    });
    stream.start();
    await expect.poll(() => events.length, { timeout: 10_000 }).toBe(3);
    for (const event of events) {
      expect(event).toMatchObject({ type: 'metric', action: 'sample', lane: 'observability' });
      expect(event.synthetic).toBeUndefined();
    }
    expect(stream.own().rssBytes).toBeGreaterThan(1_000_000);
  });
});

describe('interpolated metrics', () => {
  const payload = (metrics: Record<string, number>): Buffer =>
    Buffer.from(
      JSON.stringify(
        eventToJson({
          eventId: 0,
          type: 'metric',
          action: 'sample',
          lane: 'observability',
          tsNs: 5n,
          severity: 'info',
          metrics,
        }),
      ),
    );

  it('lie on the line between the neighbours, hold only what both have, and say they are synthetic', () => {
    const made = interpolateMetrics(
      payload({ a: 0, b: 10, gone: 1 }),
      payload({ a: 10, b: 30, new: 2 }),
      0.25,
      77n,
    );
    const event = eventFromJson(JSON.parse(Buffer.from(made ?? []).toString()) as Record<string, unknown>);
    expect(event).toMatchObject({ synthetic: true, tsNs: 77n, type: 'metric', metrics: { a: 2.5, b: 15 } });
    expect(Object.keys(event.metrics ?? {})).toEqual(['a', 'b']);
  });

  it('are not made from something that is not a metric', () => {
    expect(interpolateMetrics(Buffer.from('nonsense'), payload({ a: 1 }), 0.5, 1n)).toBeUndefined();
  });
});
