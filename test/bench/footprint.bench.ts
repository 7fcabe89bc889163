/**
 * What the whole agent costs: CPU at rest and under a steady stream, anonymous memory and proportional set size. The
 * peer is a bare Node that does nothing, in the same run. The stream is replayed, so the sensor's own reading of the
 * kernel rings is not part of it (the capture bench measures that) and the replay's copying is.
 */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, makeReplay, memoryMb, round, startAgentUnderTest } from './agent-under-test.ts';
import type { BenchOptions, Figure } from './figure.ts';

const BENCH = 'footprint';

interface Level {
  rate: number;
  cpuBudgetPercent: number;
}

const LEVELS: readonly Level[] = [
  { rate: 0, cpuBudgetPercent: 0.3 },
  { rate: 1_000, cpuBudgetPercent: 1 },
  { rate: 10_000, cpuBudgetPercent: 3 },
  { rate: 50_000, cpuBudgetPercent: 8 },
];
const ANONYMOUS_BUDGET_MB = 20;
const PSS_BUDGET_MB = 60;

interface Use {
  cpuPercent: number;
  anonymous: number;
  pss: number;
}

/** Mean use of a process over `seconds`; memory is its highest. */
async function useOf(pid: number, seconds: number): Promise<Use> {
  const before = cpuSeconds(pid);
  const begun = performance.now();
  let anonymous = 0;
  let pss = 0;
  while (performance.now() - begun < seconds * 1000) {
    await sleep(500);
    const memory = memoryMb(pid);
    anonymous = Math.max(anonymous, memory.anonymous);
    pss = Math.max(pss, memory.pss);
  }
  const cpuPercent = ((cpuSeconds(pid) - before) / ((performance.now() - begun) / 1000)) * 100;
  return { cpuPercent, anonymous, pss };
}

async function bareNode(seconds: number): Promise<Use> {
  const child = spawn(process.execPath, ['-e', 'setInterval(()=>{},1000)'], { stdio: 'ignore' });
  try {
    await sleep(700);
    return await useOf(child.pid ?? 0, seconds);
  } finally {
    child.kill('SIGKILL');
  }
}

async function agentAt(rate: number, seconds: number, settleMs: number): Promise<Use & { sensor: string }> {
  if (rate === 0) {
    // Nothing happens in the scope of a process that sleeps; the sensor is the best this machine has.
    const quiet = spawn('sleep', ['120'], { stdio: 'ignore' });
    const agent = await startAgentUnderTest(['--scope', `pid:${quiet.pid}`]);
    try {
      await sleep(settleMs);
      return { ...(await useOf(agent.pid, seconds)), sensor: agent.tier };
    } finally {
      await agent.stop();
      quiet.kill('SIGKILL');
    }
  }
  const replay = makeReplay(Math.min(rate, 20_000));
  const loops = Math.ceil(((seconds + 10 + settleMs / 1000) * rate) / replay.records);
  const agent = await startAgentUnderTest(['--sensor', `replay:${replay.path}?rate=${rate}&loops=${loops}`]);
  try {
    await sleep(settleMs);
    return { ...(await useOf(agent.pid, seconds)), sensor: agent.tier };
  } finally {
    await agent.stop();
    replay.remove();
  }
}

function figuresOf(level: Level, use: Use & { sensor: string }, bare: Use): Figure[] {
  const at = level.rate === 0 ? 'at rest' : `at ${level.rate} events/s`;
  const memory = (what: string, value: number, peer: number, budget: number): Figure => ({
    bench: BENCH,
    metric: `${what} ${at}`,
    value: round(value),
    unit: 'MB',
    peer: `bare node (${round(peer)} MB)`,
    ratio: round(value / peer, 2),
    budget: `< ${budget} MB`,
    ok: value < budget,
  });
  return [
    {
      bench: BENCH,
      metric: `agent CPU ${at}`,
      value: round(use.cpuPercent, 2),
      unit: '% of a core',
      budget: `<= ${level.cpuBudgetPercent} %`,
      ok: use.cpuPercent <= level.cpuBudgetPercent,
      note: `sensor ${use.sensor}, timeline ingestion included; bare node ${round(bare.cpuPercent, 2)} %`,
    },
    memory('anonymous memory', use.anonymous, bare.anonymous, ANONYMOUS_BUDGET_MB),
    memory('PSS', use.pss, bare.pss, PSS_BUDGET_MB),
  ];
}

export async function run(options: BenchOptions): Promise<Figure[]> {
  const seconds = options.quick ? 4 : 15;
  // An agent runs for weeks; in its first seconds the engine compiles what is used, which costs as much as the work.
  const settleMs = options.quick ? 2500 : 20_000;
  const figures: Figure[] = [];
  const bare = await bareNode(options.quick ? 2 : 5);
  for (const level of LEVELS) {
    try {
      figures.push(...figuresOf(level, await agentAt(level.rate, seconds, settleMs), bare));
    } catch (error) {
      const note = `could not be measured: ${(error as Error).message.split('\n')[0]}`;
      figures.push({
        bench: BENCH,
        metric: `agent at ${level.rate} events/s`,
        value: 0,
        unit: '',
        ok: false,
        note,
      });
    }
  }
  return figures;
}
