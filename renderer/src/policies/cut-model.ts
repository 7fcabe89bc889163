/** Which of the processes that policies cut off from the network is meant. */
import type { CutProcessJson, ProcessRefJson } from '../../../agent/api/contract.ts';

const NS_PER_TICK = 10_000_000n;

/** Whether it is one of these: a process and those it comes from. Not everybody knows a start better than to 10 ms. */
export function isOneOf(
  { entityId }: Pick<CutProcessJson, 'entityId'>,
  processes: readonly (Pick<ProcessRefJson, 'pid' | 'startNs'> | undefined)[],
): boolean {
  const [cutPid, cutNs = '0'] = entityId.split('-');
  return processes.some(
    (process) =>
      process !== undefined &&
      String(process.pid) === cutPid &&
      BigInt(process.startNs) / NS_PER_TICK === BigInt(cutNs) / NS_PER_TICK,
  );
}
