/**
 * From a kernel event to a decision to its effect, by the agent guardian: a program of the bench is ended each time it
 * starts, at rest, at 1,000 other events a second, and on a disk that takes 50 ms for every flush. Sensor, log, lane
 * and enforcer are the agent's; the condition is one comparison; what conditions cost is measured apart. The kernel
 * guardian has no latency to measure: a denied program either ran an instruction or it did not.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuardianEnforcer } from '../../agent/enforce/enforcer.ts';
import { createEnforcer } from '../../agent/enforcement.ts';
import type { SentinelEvent } from '../../agent/event.ts';
import { resyncWallClock, wallNowNs } from '../../agent/host-info.ts';
import { SecurityLane } from '../../agent/lanes/security.ts';
import { type Decision, NO_KERNEL_SETS } from '../../agent/policy/types.ts';
import { decodeRecord, recordLength } from '../../agent/sensors/decode.ts';
import { createEbpfSensor } from '../../agent/sensors/ebpf-sensor.ts';
import type { Sensor, SensorBatch } from '../../agent/sensors/types.ts';
import { openWal } from '../../agent/wal/open.ts';
import { RecordType, Schema, type WalFs, type WalRecordInput } from '../../agent/wal/types.ts';
import { realFs } from '../../agent/wal/wal-fs.ts';
import { loadCore } from '../../native-addon/index.ts';
import { compile } from '../native/compile.ts';
import { cgroup2 } from '../native/recorder.ts';
import { round } from './agent-under-test.ts';
import { conditionFigures } from './conditions.ts';
import type { BenchOptions, Figure } from './figure.ts';

const BENCH = 'decisions';
const SLOW_FLUSH_MS = 50;
/** Longest wait of an effect for its record. */
const DEADLINE_MS = 8;

/** A disk that takes its time over every flush. */
const slowFs: WalFs = {
  ...realFs,
  async create(path) {
    const file = await realFs.create(path);
    return {
      ...file,
      async datasync() {
        await sleep(SLOW_FLUSH_MS);
        await file.datasync();
      },
    };
  },
};

interface Sample {
  decisionMs: number;
  /** From the decision to the signal's delivery. */
  effectMs: number;
  /** Of that, what the effect waited for its record. */
  waitedMs: number;
  ahead: boolean;
  applied: boolean;
}

interface Setting {
  name: string;
  /** Other events a second. */
  rate: number;
  slow: boolean;
}

/** What stands for a policy: the event of the program's start is decided, released by the lane, and acted on. */
class Loop {
  readonly samples: Sample[] = [];
  readonly #enforcer: GuardianEnforcer;
  readonly #lane: SecurityLane;
  readonly #victim: string;

  constructor(enforcer: GuardianEnforcer, lane: SecurityLane, victim: string) {
    this.#enforcer = enforcer;
    this.#lane = lane;
    this.#victim = victim;
  }

  onBatch(batch: SensorBatch): void {
    if (batch.lane !== 'security') return;
    const { bytes, wallOffsetNs } = batch;
    const firstSeq = batch.firstSeq === 0 ? this.#append(batch) : batch.firstSeq;
    let offset = 0;
    for (let index = 0; index < batch.count; index++) {
      const event = decodeRecord(bytes, offset, wallOffsetNs);
      offset += recordLength(bytes, offset);
      if (event?.action !== 'exec' || event.process?.executable !== this.#victim) continue;
      this.#decide(event, firstSeq + index);
    }
  }

  #append({ bytes, count, wallOffsetNs }: SensorBatch): number {
    const records: WalRecordInput[] = [];
    for (let index = 0, at = 0; index < count; index++) {
      const length = recordLength(bytes, at);
      const payload = bytes.subarray(at, at + length);
      records.push({ type: RecordType.sensor, schema: Schema.sensorV1, wallNs: wallOffsetNs, payload });
      at += length;
    }
    return this.#lane.append(records, true);
  }

  #decide(event: SentinelEvent, seq: number): void {
    const decidedNs = wallNowNs();
    const decision = { action: 'kill', wouldBe: false } as Decision;
    this.#lane.release(
      seq,
      ({ aheadOfRecord, waitedUs }) => {
        const effect = this.#enforcer.act(decision, event);
        this.samples.push({
          decisionMs: Number(decidedNs - event.tsNs) / 1e6,
          effectMs: Number(wallNowNs() - decidedNs) / 1e6,
          waitedMs: waitedUs / 1000,
          ahead: aheadOfRecord,
          applied: effect.state === 'applied',
        });
      },
      undefined,
    );
  }
}

interface Stage {
  directory: string;
  cgroup: string;
  victim: string;
  start(program: string, ...args: string[]): Promise<string>;
}

async function withStage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
  const mount = cgroup2();
  if (mount === undefined) throw new Error('there is no cgroup v2 mount');
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-bench-decisions-'));
  const cgroup = join(mount, `sentinel-bench-${process.pid}-${Date.now()}`);
  mkdirSync(cgroup);
  const victim = join(directory, 'victim');
  copyFileSync(compile(['test/native/attempt.c']), victim);
  try {
    return await work({
      directory,
      cgroup,
      victim,
      start: (program, ...args) =>
        new Promise((resolve, reject) => {
          const join_ = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
          const child = spawn('/bin/sh', ['-c', join_, cgroup, program, ...args]);
          let output = '';
          child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
          child.once('error', reject);
          child.once('close', () => resolve(output));
        }),
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
    for (let attempt = 0; attempt < 50; attempt++) {
      try {
        rmdirSync(cgroup);
        break;
      } catch {
        await sleep(20);
      }
    }
  }
}

function enforcerOf(sensor: Sensor, stage: Stage): GuardianEnforcer {
  const core = loadCore();
  return createEnforcer({
    core: core.ok ? core.addon : undefined,
    sensor,
    scope: { kind: 'cgroup', path: stage.cgroup },
    dataDir: stage.directory,
    nowNs: wallNowNs,
    onAct: () => {},
  });
}

/** Starts the victim now and then beside other load; each start is to be ended. */
async function measure(setting: Setting, count: number): Promise<Sample[]> {
  return await withStage(async (stage) => {
    const dir = join(stage.directory, 'log');
    mkdirSync(dir);
    const { writer } = await openWal({
      dir,
      lane: 'security',
      deviceId: 'bench',
      epoch: 1,
      ...(setting.slow ? { fs: slowFs } : {}),
    });
    const lane = new SecurityLane(writer, { onAlarm: () => {}, onGap: () => {} });
    const sensor = createEbpfSensor({
      scope: { kind: 'cgroup', path: stage.cgroup },
      ...(setting.slow ? {} : { walHandle: writer.nativeHandle }),
    });
    const enforcer = enforcerOf(sensor, stage);
    enforcer.serve(1);
    resyncWallClock();
    const loop = new Loop(enforcer, lane, stage.victim);
    await sensor.start({ onBatch: (batch) => loop.onBatch(batch), onLoss: () => {} });
    try {
      const seconds = (count * 100) / 1000 + 1;
      const load =
        setting.rate === 0
          ? undefined
          : stage.start(
              compile(['test/bench/paced.c']),
              String(setting.rate),
              String(seconds),
              '50',
              stage.directory,
            );
      await sleep(500);
      for (let index = 0; index < count; index++) {
        // Ends when it is killed; its name is the victim's once the shell has become it.
        await Promise.race([stage.start(stage.victim, 'wait'), sleep(2000)]);
        await sleep(20);
      }
      await load;
      return loop.samples;
    } finally {
      enforcer.close();
      await sensor.stop();
      lane.close();
      await writer.close();
    }
  });
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function figuresOf(setting: Setting, samples: readonly Sample[], count: number): Figure[] {
  const applied = samples.filter((sample) => sample.applied);
  const ahead = applied.filter((sample) => sample.ahead).length;
  const note = `${applied.length} of ${count} ended by the agent, ${ahead} ran ahead of their record`;
  const figure = (what: string, values: readonly number[], share: number, budgetMs?: number): Figure => {
    const value = round(percentile(values, share), 3);
    return {
      bench: BENCH,
      metric: `${what} ${setting.name}, ${share === 0.5 ? 'p50' : 'p99'}`,
      value,
      unit: 'ms',
      budget: budgetMs === undefined ? undefined : `<= ${budgetMs} ms`,
      ok: applied.length === count && (budgetMs === undefined || value <= budgetMs),
      note,
    };
  };
  const decision = applied.map(({ decisionMs }) => decisionMs);
  const effect = applied.map(({ decisionMs, effectMs }) => decisionMs + effectMs);
  const waited = applied.map(({ waitedMs }) => waitedMs);
  if (setting.slow) {
    const late = figure('wait of an effect for its record', waited, 0.99, DEADLINE_MS);
    return [
      figure('wait of an effect for its record', waited, 0.5),
      { ...late, ok: late.ok && ahead === applied.length },
      figure('kernel event to effect', effect, 0.5),
    ];
  }
  const decisionBudget = setting.rate === 0 ? 1 : 5;
  return [
    figure('kernel event to decision', decision, 0.5),
    figure('kernel event to decision', decision, 0.99, decisionBudget),
    figure('kernel event to effect', effect, 0.5),
    figure('kernel event to effect', effect, 0.99, decisionBudget + DEADLINE_MS),
  ];
}

/** Runs of a denied program; each would leave a file with its first instruction. */
async function kernelGuardian(runs: number): Promise<Figure> {
  return await withStage(async (stage) => {
    const sensor = createEbpfSensor({ scope: { kind: 'cgroup', path: stage.cgroup } });
    const enforcer = enforcerOf(sensor, stage);
    await sensor.start({ onBatch: () => {}, onLoss: () => {} });
    try {
      const denied = join(stage.directory, 'denied');
      const files = join(stage.directory, 'ran');
      mkdirSync(files);
      copyFileSync(compile(['test/native/first-instruction.c'], ['-nostdlib', '-nostartfiles']), denied);
      const policy = {
        handle: 1,
        policyId: 'bench',
        policyVersion: 1,
        policyHash: '',
        failMode: 'open' as const,
      };
      enforcer.apply({
        ...NO_KERNEL_SETS,
        generation: 1,
        executables: [{ policy, by: 'path', value: denied }],
      });
      const timer = setInterval(() => enforcer.tick(), 1000);
      const [killed = 0, refused = 0] = (
        await stage.start(stage.victim, 'exec', String(runs), denied, join(files, 'f'))
      )
        .trim()
        .split(' ')
        .map(Number);
      clearInterval(timer);
      const ran = readdirSync(files).length;
      return {
        bench: BENCH,
        metric: 'denied programs that ran an instruction, kernel guardian',
        value: ran,
        unit: `of ${runs}`,
        budget: '0',
        ok: ran === 0 && killed + refused === runs,
        note: `${killed} killed, ${refused} refused`,
      };
    } finally {
      enforcer.close();
      await sensor.stop();
    }
  });
}

const SETTINGS: readonly Setting[] = [
  { name: 'at rest', rate: 0, slow: false },
  { name: 'at 1,000 events/s', rate: 1000, slow: false },
  { name: `with ${SLOW_FLUSH_MS} ms per flush`, rate: 0, slow: true },
];

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
  const count = options.quick ? 60 : 300;
  for (const setting of SETTINGS) {
    try {
      figures.push(...figuresOf(setting, await measure(setting, count), count));
    } catch (error) {
      figures.push(refused(`agent guardian ${setting.name}`, error));
    }
  }
  figures.push(...conditionFigures(BENCH, options.quick));
  try {
    figures.push(await kernelGuardian(options.quick ? 2_000 : 10_000));
  } catch (error) {
    figures.push(refused('kernel guardian', error));
  }
  return figures;
}
