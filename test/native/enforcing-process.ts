/** An agent's enforcement in a process of its own, to be killed: enforcing-process CGROUP DIRECTORY OPEN CLOSED GUARDED. */
import { createEnforcer } from '../../agent/enforcement.ts';
import { NO_KERNEL_SETS } from '../../agent/policy/types.ts';
import { createEbpfSensor } from '../../agent/sensors/ebpf-sensor.ts';
import { loadCore } from '../../native-addon/index.ts';

const [cgroup = '', directory = '', open = '', closed = '', guarded = ''] = process.argv.slice(2);
const core = loadCore();
const sensor = createEbpfSensor({ scope: { kind: 'cgroup', path: cgroup }, keeperTag: directory });
const enforcer = createEnforcer({
  core: core.ok ? core.addon : undefined,
  sensor,
  scope: { kind: 'cgroup', path: cgroup },
  dataDir: directory,
  nowNs: () => 0n,
  onAct: () => {},
});
await sensor.start({ onBatch: () => {}, onLoss: () => {} });
const policy = { policyId: 'p', policyVersion: 1, policyHash: '' };
const { refused } = enforcer.apply({
  ...NO_KERNEL_SETS,
  generation: 1,
  executables: [
    { policy: { ...policy, handle: 1, failMode: 'open' as const }, by: 'path', value: open },
    { policy: { ...policy, handle: 2, failMode: 'closed' as const }, by: 'path', value: closed },
  ],
  opens: [
    {
      policy: { ...policy, handle: 3, failMode: 'closed' as const },
      by: 'path',
      value: guarded,
      exceptExecutables: [],
    },
  ],
});
setInterval(() => enforcer.tick(), 200);
process.stdout.write(refused.length === 0 ? 'ready\n' : `${JSON.stringify(refused)}\n`);
