/** What conditions cost: the starter policies over one event, and the library in use against its peer. CPU time. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { celEnv, parse, plan } from '@bufbuild/cel';
import type { SentinelEvent } from '../../agent/event.ts';
import { policyCompiler } from '../../agent/policy-compiler.ts';
import { PolicyEngine } from '../../agent/policy/engine.ts';
import { parsePolicies } from '../../agent/policy/parse.ts';
import type { Figure } from './figure.ts';

const POLICIES = join(import.meta.dirname, '..', '..', 'policies');
const CONDITION =
  'event.action == "exec" && process.name in ["bash", "sh", "dash"] && process.args.exists(a, a.contains("/dev/tcp/"))';

function exec(name: string, argv: string[]): SentinelEvent {
  return {
    eventId: 2,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: 1n,
    severity: 'info',
    process: { pid: 9, startNs: 1n, name, executable: `/usr/bin/${name}`, argv, flags: [] },
  };
}

/** CPU nanoseconds of one call. */
function nsOf(call: () => unknown, times: number): number {
  for (let warm = 0; warm < times / 5; warm++) call();
  const before = process.cpuUsage();
  for (let each = 0; each < times; each++) call();
  const { user, system } = process.cpuUsage(before);
  return Math.round(((user + system) / times) * 1000);
}

export function conditionFigures(bench: string, quick: boolean): Figure[] {
  const compile = policyCompiler();
  const engine = new PolicyEngine({ compile, nowMs: () => 0, deviceId: 'bench' });
  const loaded = readdirSync(POLICIES).flatMap(
    (name) => parsePolicies(name, readFileSync(join(POLICIES, name), 'utf8'), compile).policies,
  );
  engine.use(
    loaded.map((policy) => ({
      loaded: policy,
      state: 'simulating',
      mayAct: false,
      guardian: 'agent',
      handle: 0,
    })),
  );
  const times = quick ? 50_000 : 300_000;
  const usual = exec('bash', ['bash', '-c', 'echo hello world']);
  const longest = exec(
    'bash',
    Array.from({ length: 2048 }, () => 'a'),
  );
  const usualNs = nsOf(() => engine.match(usual), times);
  const longestNs = nsOf(() => engine.match(longest), times / 100);

  const own = compile(CONDITION);
  const peer = plan(celEnv({}), parse(CONDITION));
  const input = {
    event: { action: 'exec' },
    process: { name: 'bash', args: ['bash', '-c', 'echo hello world'] },
  };
  const ownNs = nsOf(() => own.test(usual), times);
  const peerNs = nsOf(() => peer(input), times / 5);
  return [
    {
      bench,
      metric: `${loaded.length} starter policies, a program start`,
      value: usualNs / 1000,
      unit: 'us CPU',
      budget: 'at most 20 us',
      ok: usualNs <= 20_000,
    },
    {
      bench,
      metric: 'the same with the most arguments a record can hold',
      value: longestNs / 1000,
      unit: 'us CPU',
      budget: 'at most 1 ms',
      ok: longestNs <= 1_000_000,
    },
    {
      bench,
      metric: 'one condition',
      value: ownNs,
      unit: 'ns CPU',
      peer: '@bufbuild/cel',
      ratio: Math.round((ownNs / peerNs) * 100) / 100,
      budget: 'at most the peer',
      ok: ownNs <= peerNs,
    },
  ];
}
