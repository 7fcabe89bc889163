/**
 * An agent's enforcement that cuts off who opens a file, in a process of its own: cutting-process CGROUP DIRECTORY OPEN
 * CLOSED. Prints `ready`, then each cut as JSON; `lost` on its standard input is answered by how many
 * children are not cut off, `dead` by what came of cutting off a process that has ended.
 */
import { spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { createEnforcer } from '../../agent/enforcement.ts';
import type { SentinelEvent } from '../../agent/event.ts';
import { type Decision, type Effect, NO_KERNEL_SETS } from '../../agent/policy/types.ts';
import { createEbpfSensor } from '../../agent/sensors/ebpf-sensor.ts';
import { loadCore } from '../../native-addon/index.ts';

const [cgroup = '', directory = '', open = '', closed = ''] = process.argv.slice(2);
const core = loadCore();
const scope = { kind: 'cgroup', path: cgroup } as const;
const sensor = createEbpfSensor({ scope, keeperTag: directory });
const say = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
const enforcer = createEnforcer({
  core: core.ok ? core.addon : undefined,
  sensor,
  scope,
  dataDir: directory,
  nowNs: () => BigInt(Date.now()) * 1_000_000n,
  onAct: () => {},
});
enforcer.useCut(({ pid, outcome, error }) => say({ pid, outcome, error }));
await sensor.start({ onBatch: () => {}, onLoss: () => {} });
const policies = [
  { handle: 1, failMode: 'open' as const, value: open },
  { handle: 2, failMode: 'closed' as const, value: closed },
].map(({ value, ...policy }) => ({
  value,
  policy: { policyId: `p${policy.handle}`, policyVersion: 1, policyHash: `h${policy.handle}`, ...policy },
}));
const { refused } = enforcer.apply({
  ...NO_KERNEL_SETS,
  generation: 1,
  opens: policies.map((each) => ({ ...each, by: 'path' as const, exceptExecutables: [], cuts: true })),
  cuts: policies.map(({ policy }) => ({ policy, minutes: 30, except: [] })),
});
setInterval(() => enforcer.tick(), 200);
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'lost') say({ lost: enforcer.status().cutsLost });
  else say(cutOffTheDead());
});
/** Somebody who ended before it was their turn. */
function cutOffTheDead(): Effect {
  const { pid } = spawnSync('/bin/true');
  const decision = { action: 'cut_network', policyHash: 'h1', wouldBe: false } as Decision;
  const event = { type: 'dlp', action: 'read', process: { pid, startNs: 10_000_000_000n, name: 'true' } };
  return enforcer.act(decision, event as SentinelEvent);
}
say(refused.length === 0 ? { ready: true } : { refused });
