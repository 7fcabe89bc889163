/**
 * What recording costs and whether it is complete, on real kernel events: a storm of fork+exec, one of files, one of
 * TCP connections.
 *
 *   complete   the storm runs as fast as it can in a cgroup; what it did = what was captured + what was stated lost
 *   cost       a fixed amount of such work (files of one byte on disk, connections that carry nothing) with no sensor,
 *              with ours and with auditd under equivalent rules, in interleaved rounds; CPU and wall time of the
 *              workload, best of many short goes. The same with more work a turn is told beside it, not judged,
 *              and left out of a quick run.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SensorScope } from '../../agent/sensors/types.ts';
import { compile, workloadBinary } from '../native/compile.ts';
import { cgroup2, whyNot } from '../native/recorder.ts';
import { type AuditPeer, auditUnavailable, startAudit } from './audit-peer.ts';
import type { CollectorReport, CollectorRequest } from './capture-collector.ts';
import { type Storm, storms } from './capture-storms.ts';
import type { BenchOptions, Figure } from './figure.ts';

class Collector {
  readonly #child: ChildProcess;
  constructor() {
    this.#child = fork(join(import.meta.dirname, 'capture-collector.ts'), { stdio: 'inherit' });
  }
  ask<T>(request: CollectorRequest): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('message', (answer) => {
        this.#child.off('error', reject);
        resolve(answer as T);
      });
      this.#child.send(request);
    });
  }
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    await this.ask('stop');
    await ended;
  }
}

/** Goes of a fixed, small amount of work in one round, of which the best counts: some of many short ones are undisturbed. */
const SAMPLES = 14;
const AUDIT_SAMPLES = 4;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a command, in `cgroup` if given; resolves with what it printed. */
function execute(command: readonly string[], cgroup?: string): Promise<string> {
  const args =
    cgroup === undefined
      ? ['-c', 'exec "$@"', 'sh']
      : ['-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', cgroup];
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', [...args, ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('close', (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${command.join(' ')} ended with ${code}`)),
    );
  });
}

async function complete(storm: Storm, ms: number, cgroup: string): Promise<Figure[]> {
  const collector = new Collector();
  await collector.ask({ scope: { kind: 'cgroup', path: cgroup } satisfies SensorScope });
  await collector.ask('mark');
  const workers = storm.name === 'fork+exec' ? 2 : 1;
  const printed = await Promise.all(Array.from({ length: workers }, () => execute(storm.forMs(ms), cgroup)));
  const report = await collector.ask<CollectorReport>('report');
  await collector.stop();
  const turns = printed.reduce((sum, text) => sum + Number(text), 0);
  const perSecond = Math.round((turns * 1000) / ms);
  let expected = 0;
  let captured = 0;
  let unaccounted = 0;
  let lostTotal = 0;
  const hooks = new Set(storm.records.map(({ hook }) => hook));
  for (const { action, each } of storm.records) {
    // Beside the storm's own turns each worker is executed and ends itself, and its shell writes cgroup.procs.
    const own = { exec: workers, exit: workers, write: workers }[action] ?? 0;
    expected += turns * each + own;
    captured += report.counts[action] ?? 0;
  }
  for (const hook of hooks) lostTotal += report.lost[hook] ?? 0;
  unaccounted = expected - captured - lostTotal;
  const events = captured + lostTotal;
  const rate = `${perSecond}/s for ${ms / 1000} s: ${captured} captured of ${expected}`;
  const bench = 'capture';
  return [
    {
      bench,
      metric: `${storm.name}: records neither captured nor stated missing`,
      value: unaccounted,
      unit: 'records',
      budget: '0',
      ok: unaccounted === 0,
      note: rate,
    },
    {
      bench,
      metric: `${storm.name}: records stated missing`,
      value: lostTotal,
      unit: 'records',
      budget: `0 up to ${Math.round(storm.ratePerSecond)} turns/s`,
      ok: lostTotal === 0 || perSecond > storm.ratePerSecond,
      note: rate,
    },
    {
      bench,
      metric: `${storm.name}: collector CPU`,
      value: Number((report.cpuUs / Math.max(1, events)).toFixed(2)),
      unit: 'us/event',
      ok: true,
      note: `read and decoded, ${Math.round(events / Math.max(1, report.batches))} events a batch`,
    },
  ];
}

interface Cost {
  wallUs: number;
  cpuUs: number;
}

/** The least that a fixed amount of the storm took, in `samples` goes. */
async function measure(storm: Storm, workload: string, samples: number): Promise<Cost> {
  const costs: Cost[] = [];
  // One more go at first: caches are cold and, in the collector, code is not compiled yet.
  for (let sample = 0; sample <= samples; sample++) {
    const cost = JSON.parse(await execute([workload, 'timed', ...storm.fixed(storm.turns)])) as Cost;
    if (sample > 0) costs.push(cost);
  }
  return best(costs);
}

function best(costs: readonly Cost[]): Cost {
  return {
    wallUs: Math.min(...costs.map(({ wallUs }) => wallUs)),
    cpuUs: Math.min(...costs.map(({ cpuUs }) => cpuUs)),
  };
}

/** Waits until the hooks of a stopped sensor are out of the kernel: their keeper holds them. */
async function detached(): Promise<void> {
  const holding = (): boolean =>
    readdirSync('/proc').some((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('sentinel-hooks');
      } catch {
        return false;
      }
    });
  for (let waited = 0; waited < 20_000 && holding(); waited += 100) await sleep(100);
}

async function compareCosts(list: readonly Storm[], workload: string, rounds: number): Promise<Figure[]> {
  const costs = new Map<
    string,
    { none: Cost[]; ours: Cost[]; auditd: Cost[]; collector: number[]; audit: number[] }
  >();
  for (const { name } of list) costs.set(name, { none: [], ours: [], auditd: [], collector: [], audit: [] });
  const unavailable = auditUnavailable();
  for (let round = 0; round < rounds; round++) {
    await detached();
    for (const storm of list) costs.get(storm.name)?.none.push(await measure(storm, workload, SAMPLES));
    const collector = new Collector();
    await collector.ask({ scope: { kind: 'host' } });
    for (const storm of list) {
      await collector.ask('mark');
      costs.get(storm.name)?.ours.push(await measure(storm, workload, SAMPLES));
      const report = await collector.ask<CollectorReport>('report');
      costs.get(storm.name)?.collector.push(report.cpuUs / (SAMPLES + 1));
    }
    await collector.stop();
    await detached();
    for (const storm of list) costs.get(storm.name)?.none.push(await measure(storm, workload, SAMPLES));
    if (unavailable !== undefined) continue;
    const audit: AuditPeer = await startAudit();
    try {
      for (const storm of list) {
        audit.mark();
        costs.get(storm.name)?.auditd.push(await measure(storm, workload, AUDIT_SAMPLES));
        await sleep(300);
        costs.get(storm.name)?.audit.push(audit.cpuUs() / (AUDIT_SAMPLES + 1));
      }
    } finally {
      await audit.stop();
    }
  }
  const figures: Figure[] = [];
  for (const storm of list) {
    const cost = costs.get(storm.name);
    if (cost === undefined) continue;
    const none = best(cost.none);
    const ours = best(cost.ours);
    const cpu = ours.cpuUs / none.cpuUs;
    const judged = storm.cpuBudget !== undefined;
    const peer = cost.auditd.length > 0 ? best(cost.auditd) : undefined;
    const bench = 'capture';
    figures.push({
      bench,
      metric: `${storm.name}: workload CPU with the sensor`,
      value: Number(cpu.toFixed(3)),
      unit: 'x no sensor',
      ...(peer ? { peer: 'auditd', ratio: cpu / (peer.cpuUs / none.cpuUs) } : {}),
      ...(storm.cpuBudget === undefined ? {} : { budget: `<= ${storm.cpuBudget}` }),
      ok: storm.cpuBudget === undefined || cpu <= storm.cpuBudget,
      note: `wall ${(ours.wallUs / none.wallUs).toFixed(2)}x; ${(ours.cpuUs / storm.turns).toFixed(2)} us a turn, ${(none.cpuUs / storm.turns).toFixed(2)} without`,
    });
    if (peer === undefined) {
      figures.push({
        bench,
        metric: `${storm.name}: auditd as peer`,
        value: 0,
        unit: '',
        ok: true,
        note: `not measured: ${unavailable}`,
      });
      continue;
    }
    const added = (other: Cost): number => other.cpuUs - none.cpuUs;
    const share = added(ours) / Math.max(1, added(peer));
    figures.push(
      {
        bench,
        metric: `${storm.name}: CPU added to the workload`,
        value: Number(share.toFixed(2)),
        unit: 'x auditd',
        peer: 'auditd',
        ratio: share,
        ...(judged ? { budget: '<= 0.5' } : {}),
        ok: !judged || share <= 0.5,
        note: `auditd: CPU ${(peer.cpuUs / none.cpuUs).toFixed(2)}x, wall ${(peer.wallUs / none.wallUs).toFixed(2)}x`,
      },
      {
        bench,
        metric: `${storm.name}: collector CPU a turn`,
        value: Number((Math.min(...cost.collector) / storm.turns).toFixed(2)),
        unit: 'us',
        peer: 'auditd and kauditd',
        ratio: Math.min(...cost.collector) / Math.max(1, Math.min(...cost.audit)),
        ok: true,
      },
    );
  }
  return figures;
}

/** Capture bench; see the head of this file. Needs root and cgroup v2. */
export async function run(options: BenchOptions): Promise<Figure[]> {
  const reason = whyNot();
  if (reason !== undefined) {
    return [{ bench: 'capture', metric: 'not run', value: 0, unit: '', ok: true, note: reason }];
  }
  const workload = workloadBinary();
  const tiny = compile(['test/native/tiny.c'], ['-nostdlib']);
  const memory = mkdtempSync('/dev/shm/sentinel-bench-');
  const disk = mkdtempSync(join(tmpdir(), 'sentinel-bench-'));
  const cgroup = join(cgroup2() as string, `sentinel-bench-${process.pid}`);
  mkdirSync(cgroup);
  try {
    const list = storms(workload, tiny, memory, disk);
    const figures: Figure[] = [];
    for (const storm of list.filter(({ onlyCost }) => !onlyCost))
      figures.push(...(await complete(storm, options.quick ? 1000 : 10_000, cgroup)));
    // A quick run leaves out what is not judged.
    const compared = options.quick ? list.filter(({ cpuBudget }) => cpuBudget !== undefined) : list;
    figures.push(...(await compareCosts(compared, workload, options.quick ? 1 : 3)));
    return figures;
  } finally {
    for (const directory of [memory, disk]) rmSync(directory, { recursive: true, force: true });
    rmdirSync(cgroup);
  }
}
