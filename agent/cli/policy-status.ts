/** `sentinel policy status`: what blocking comes to on this machine, as tried when the agent started, and how it goes. */
import type { ApiClient } from '../api/client.ts';
import type { HealthSnapshot } from '../api/contract.ts';
import { SentinelError } from '../errors.ts';
import { printable } from '../printable.ts';
import type { Output } from './command.ts';

type Enforcement = NonNullable<HealthSnapshot['enforcement']>;

/** One line for each action: the best guarantee, by whom, and why it is not better. */
export function guaranteeLines({ reach }: Enforcement): string[] {
  const actions = [...new Set(reach.map(({ action }) => action))];
  return actions.flatMap((action) =>
    reach
      .filter((row) => row.action === action)
      .map(({ guardian, mechanism, guarantee, reason }) => {
        const means = mechanism === 'none' ? 'not possible' : `${guarantee} (${mechanism})`;
        return `${action.padEnd(13)} ${`by the ${guardian}`.padEnd(13)} ${means}${reason === '' ? '' : `: ${reason}`}`;
      }),
  );
}

function lines(enforcement: Enforcement): string[] {
  const { policies, generation, kernelActs, agentActs, troubles, heartbeatAgeMs } = enforcement;
  const { versions = 0, versionsEvicted = 0, opensUntold = 0, opensLate = 0 } = enforcement;
  const beat = heartbeatAgeMs === undefined ? '' : `, last sign of life ${heartbeatAgeMs} ms ago`;
  return [
    ...guaranteeLines(enforcement),
    '',
    `in force      ${policies} blocking ${policies === 1 ? 'policy' : 'policies'}, change ${generation}${beat}`,
    `kernel        ${kernelActs} matches since start, ${versions} denied versions of files, ${versionsEvicted} forgotten`,
    `agent         ${agentActs.applied} acted on, ${agentActs.failed} failed, ${agentActs.spared} spared`,
    ...(opensUntold + opensLate > 0
      ? [`opens         ${opensUntold} refused and not told one by one, ${opensLate} not judged in time`]
      : []),
    ...(enforcement.frozen ?? []).map(
      ({ cgroup, policyId, sinceMs }) =>
        `FROZEN        ${cgroup} by ${policyId} since ${new Date(sinceMs).toISOString()}`,
    ),
    ...(enforcement.cut ?? []).map(
      ({ pid, name, policyId, path, untilMs }) =>
        `CUT OFF       ${name} (${pid}) by ${policyId} for reading ${path}, until ${new Date(untilMs).toISOString()}`,
    ),
    ...(enforcement.cutsLost
      ? [`NOT CUT OFF   ${enforcement.cutsLost} processes that such processes started: too many at once`]
      : []),
    ...troubles.map(({ detail }) => `TAMPERED      ${detail}`),
  ];
}

/** Exit code 1 when somebody tampered with the kernel's side. */
export async function printStatus(agent: ApiClient, json: boolean, output: Output): Promise<number> {
  const { enforcement } = await agent.call('health.get', {});
  if (!enforcement)
    throw new SentinelError('no_enforcement', 'this agent says nothing of enforcement', 'update the agent');
  output.out(json ? `${JSON.stringify(enforcement)}\n` : `${lines(enforcement).map(printable).join('\n')}\n`);
  return enforcement.troubles.length === 0 ? 0 : 1;
}
