/**
 * The agent's pipeline on real kernel events: time from the event to the point where it is decided, at rest, at 1,000
 * and at 10,000 events a second; then 50,000 replayed records a second, with memory flat and no security record lost.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compile } from '../native/compile.ts';
import { cpuSeconds, makeReplay, memoryMb, round, startAgentUnderTest } from './agent-under-test.ts';
import type { BenchOptions, Figure } from './figure.ts';

const BENCH = 'pipeline';
const REPLAY_RATE = 50_000;

interface Level {
  name: string;
  rate: number;
  /** Percent of the events that come from starting programs. */
  execShare: number;
  p50BudgetMs?: number;
  p99BudgetMs?: number;
}

const LEVELS: readonly Level[] = [
  { name: 'at rest', rate: 60, execShare: 100, p50BudgetMs: 0.2, p99BudgetMs: 1 },
  { name: 'at 1,000 events/s', rate: 1_000, execShare: 50, p99BudgetMs: 5 },
  { name: 'at 10,000 events/s', rate: 10_000, execShare: 20, p99BudgetMs: 5 },
];

function run_(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.once('error', reject);
    child.once('exit', () => resolve(output));
  });
}

async function latencyAt(level: Level, seconds: number, paced: string): Promise<Figure[]> {
  const agent = await startAgentUnderTest(['--sensor', 'ebpf', '--scope', `pid:${process.pid}`]);
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-bench-files-'));
  try {
    await sleep(500);
    const before = await agent.health();
    const args = [String(level.rate), String(seconds), String(level.execShare), directory];
    const caused = Number(await run_(paced, args));
    await sleep(300);
    const health = await agent.health();
    const seen =
      health.totals.security +
      health.totals.observability -
      before.totals.security -
      before.totals.observability;
    const { p50Us, p99Us, count } = health.latency.kernelToDecision;
    const note = `${Math.round(caused / seconds)} events/s caused, ${seen} records, ${count} measured, gaps ${health.gaps24h.count}`;
    const figure = (metric: string, valueUs: number, budgetMs: number | undefined): Figure => ({
      bench: BENCH,
      metric: `kernel event to decision ${level.name}, ${metric}`,
      value: round(valueUs / 1000, 3),
      unit: 'ms',
      budget: budgetMs === undefined ? undefined : `<= ${budgetMs} ms`,
      ok: count > 0 && (budgetMs === undefined || valueUs / 1000 <= budgetMs),
      note,
    });
    const observed = health.latency.kernelToObserved;
    return [
      figure('p50', p50Us, level.p50BudgetMs),
      figure('p99', p99Us, level.p99BudgetMs),
      {
        bench: BENCH,
        metric: `kernel event to observed ${level.name}, ordinary events, p99`,
        value: round(observed.p99Us / 1000, 3),
        unit: 'ms',
        ok: true,
        note: `${observed.count} measured; they are handed over at most 50 ms late`,
      },
    ];
  } finally {
    await agent.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function burst(seconds: number): Promise<Figure[]> {
  const replay = makeReplay(REPLAY_RATE / 2);
  const loops = (seconds * REPLAY_RATE) / replay.records;
  const expected = replay.security * loops;
  const source = `replay:${replay.path}?rate=${REPLAY_RATE}&loops=${loops}`;
  const agent = await startAgentUnderTest(['--sensor', source]);
  try {
    const cpuBefore = cpuSeconds(agent.pid);
    const begun = performance.now();
    const memory: number[] = [];
    let health = await agent.health();
    const done = (): boolean => health.totals.security >= expected;
    while (!done() && performance.now() - begun < (seconds * 2 + 10) * 1000) {
      await sleep(250);
      memory.push(memoryMb(agent.pid).anonymous);
      health = await agent.health();
    }
    const elapsed = (performance.now() - begun) / 1000;
    const cpu = ((cpuSeconds(agent.pid) - cpuBefore) / elapsed) * 100;
    // Everything of the security lane must also become durable.
    for (let turn = 0; turn < 40; turn++) {
      health = await agent.health();
      const log = health.wal.find(({ lane }) => lane === 'security');
      if (log !== undefined && log.lastSeq === log.durableSeq) break;
      await sleep(50);
    }
    const log = health.wal.find(({ lane }) => lane === 'security');
    const pending = Number(log?.lastSeq ?? 0) - Number(log?.durableSeq ?? 0);
    const mean = (part: readonly number[]): number =>
      part.reduce((sum, value) => sum + value, 0) / part.length;
    // The first second is start-up: rules, caches and the heap settle.
    const settled = memory.slice(4);
    const quarter = Math.max(1, Math.floor(settled.length / 4));
    const [early, late] = [mean(settled.slice(0, quarter)), mean(settled.slice(-quarter))];
    const { dropped } = health.observabilityLane;
    const shed = Object.values(dropped).reduce((sum, value) => sum + value, 0);
    const note = `${round(elapsed)} s, agent CPU ${round(cpu)} % of a core, observability shed ${shed} of ${health.totals.observability}`;
    return [
      {
        bench: BENCH,
        metric: `security records lost at ${REPLAY_RATE} events/s for ${seconds} s`,
        value: expected - health.totals.security + pending,
        unit: `of ${expected} records`,
        budget: '0',
        ok: health.totals.security === expected && pending === 0,
        note,
      },
      {
        bench: BENCH,
        metric: `anonymous memory, last quarter of the ${seconds} s`,
        value: round(late),
        unit: 'MB',
        peer: `the first quarter (${round(early)} MB)`,
        ratio: round(late / early, 2),
        budget: 'flat: at most 1.2x plus 8 MB',
        ok: late <= early * 1.2 + 8,
        note: `highest ${round(Math.max(...memory))} MB`,
      },
    ];
  } finally {
    await agent.stop();
    replay.remove();
  }
}

export async function run(options: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = [];
  const refused = (metric: string, error: unknown): Figure => ({
    bench: BENCH,
    metric,
    value: 0,
    unit: '',
    ok: false,
    note: `could not be measured: ${(error as Error).message.split('\n')[0]}`,
  });
  try {
    const paced = compile(['test/bench/paced.c']);
    for (const level of LEVELS) figures.push(...(await latencyAt(level, options.quick ? 4 : 15, paced)));
  } catch (error) {
    figures.push(refused('kernel event to decision', error));
  }
  try {
    figures.push(...(await burst(options.quick ? 12 : 60)));
  } catch (error) {
    figures.push(refused(`${REPLAY_RATE} events/s replayed`, error));
  }
  return figures;
}
