/** `sentinel policy explain`: what a policy is and did, what decided an event and what would have. */
import type { ApiClient } from '../api/client.ts';
import type { ClauseOutcomeJson, EventJson, PolicyExplanation, PolicyHistoryJson } from '../api/contract.ts';
import { UsageError } from '../errors.ts';
import { printable } from '../printable.ts';
import type { Output } from './command.ts';
import { eventLine } from './sentence.ts';

function clauseLine({ text, value, result }: ClauseOutcomeJson): string {
  return `    ${result.padEnd(14)} ${text}${value === '' ? '' : `   (${value})`}`;
}

function historyLine({ tsMs, version, from, to, reason, by, approvedBy }: PolicyHistoryJson): string {
  const approved = approvedBy === undefined ? '' : `, approved by ${approvedBy.join(', ')}`;
  return `  ${new Date(tsMs).toISOString()}  v${version}  ${from} -> ${to}: ${reason}, by ${by}${approved}`;
}

function decisionLines(event: EventJson): string[] {
  const { decision } = event;
  if (!decision) return [];
  const { effect, latencyNs, rationale, guardian } = decision;
  const took =
    latencyNs.eventToDecision === undefined ? '' : `, ${Number(latencyNs.eventToDecision) / 1000} µs`;
  const failed = effect.error === undefined ? '' : `: ${effect.error}`;
  return [
    `  ${eventLine(event)}`,
    `    by the ${guardian} guardian, ${effect.mechanism}, ${effect.guarantee}, ${effect.state}${failed}${took}`,
    ...rationale.clauses.map(clauseLine),
  ];
}

function explanationLines({ policy, event, ancestors, decisions, outcomes }: PolicyExplanation): string[] {
  const lines: string[] = [];
  if (policy) {
    lines.push(...policy.text.trimEnd().split('\n'));
    for (const { version, state, reach } of policy.versions)
      lines.push(`version ${version}: ${state}, ${reach.guarantee} (${reach.guardian}: ${reach.reason})`);
    lines.push('history:', ...policy.history.map(historyLine));
  }
  if (event) lines.push(`event: ${eventLine(event)}`);
  for (const { pid, executable, name } of ancestors ?? [])
    lines.push(`  child of ${pid} ${executable ?? name}`);
  lines.push(event ? 'decided by:' : 'recent decisions:');
  lines.push(...(decisions.length === 0 ? ['  nothing'] : decisions.flatMap(decisionLines)));
  if (event) lines.push('would say now:');
  for (const { id, version, state, action, holds, clauses, nearMisses } of outcomes) {
    lines.push(
      `  ${id} v${version} (${state}): ${holds ? action : 'does not hold'}`,
      ...clauses.map(clauseLine),
    );
    if (!holds && nearMisses.length > 0)
      lines.push(`    all but ${nearMisses.map(({ text }) => text).join(' and ')}`);
  }
  return lines;
}

/** Prints the explanation of a policy, an event, or a policy on an event. */
export async function printExplanation(
  agent: ApiClient,
  rest: readonly string[],
  eventId: string | undefined,
  json: boolean,
  output: Output,
): Promise<number> {
  const [id] = rest;
  if (rest.length > 1 || (id === undefined && eventId === undefined))
    throw new UsageError('say sentinel policy explain ID, or --event EVENT-ID', 'see sentinel policy --help');
  const explanation = await agent.call('policy.explain', {
    ...(id === undefined ? {} : { id }),
    ...(eventId === undefined ? {} : { eventId }),
  });
  if (json) output.out(`${JSON.stringify(explanation)}\n`);
  else output.out(`${explanationLines(explanation).map(printable).join('\n')}\n`);
  return 0;
}
