/** `sentinel status`: the state sentence, and what is behind it. Exit 1 when recording is not as it should be. */
import { AgentNotRunningError, connectAgent } from '../api/client.ts';
import type { HealthSnapshot } from '../api/contract.ts';
import { dataPaths } from '../data-dir.ts';
import { dataDirOf, parseCommand, type Command } from './command.ts';
import { counted } from './terminal.ts';
import { printable } from '../printable.ts';

/** What the kernel does about each action here; all of it with `sentinel policy status`. */
function enforcementLine({ policies, reach }: NonNullable<HealthSnapshot['enforcement']>): string {
  const kernel = reach
    .filter(({ guardian, action }) => guardian === 'kernel' && action !== 'kill')
    .map(
      ({ action, mechanism, guarantee }) => `${action} ${mechanism === 'none' ? 'by the agent' : guarantee}`,
    );
  return `policies  ${policies} blocking, ${kernel.join(', ')}`;
}

/** Whether protected data is looked for. */
function dlpLine(dlp: NonNullable<HealthSnapshot['dlp']>): string {
  if (dlp.state !== 'watching') {
    return dlp.state === 'off'
      ? 'dlp       off: there is no index and no rule to look for'
      : 'dlp       NOT looking for protected data (see above)';
  }
  const { totals, queue } = dlp;
  const sources = [
    ...(dlp.indexes > 0 ? [counted(dlp.indexes, 'index', 'indexes')] : []),
    ...(dlp.ruleFiles > 0 ? [counted(dlp.ruleFiles, 'file of rules', 'files of rules')] : []),
  ].join(', ');
  return `dlp       ${sources}; ${totals.looked} files looked at, ${totals.matched} with protected data, ${totals.unscannable} unscannable, ${totals.skipped} skipped, ${queue.waiting} waiting`;
}

export const command: Command = {
  summary: 'how the agent is doing',
  usage: `usage: sentinel status [--json] [--data DIR]

Exit code 0 when the agent records as it should, 1 when it is degraded, has failed or does not run.
`,
  run: async (argv, output) => {
    const { values } = parseCommand(argv, {});
    const dataDir = dataDirOf(values);
    let client;
    try {
      client = await connectAgent(dataPaths(dataDir).socket);
    } catch (error) {
      if (!(error instanceof AgentNotRunningError)) throw error;
      if (values.json) output.out(`${JSON.stringify({ running: false, dataDir })}\n`);
      else output.out(`Not running: no agent uses ${dataDir}. Start one with sentinel run.\n`);
      return 1;
    }
    try {
      const health = await client.call('health.get', {});
      if (values.json) {
        output.out(`${JSON.stringify({ running: true, ...health })}\n`);
        return health.level === 'ok' ? 0 : 1;
      }
      const lines = [health.sentence, ''];
      for (const problem of health.problems) {
        lines.push(
          `${problem.level.toUpperCase()}: ${problem.what}`,
          `  means: ${problem.meaning}`,
          `  remedy: ${problem.remedy}`,
          '',
        );
      }
      const hooks = health.sensor.hooks;
      const active = hooks.filter((hook) => hook.state === 'active').length;
      lines.push(
        `sensor    ${health.sensor.tier}, watching ${health.sensor.scope}, ${active} of ${hooks.length} hooks active`,
        `rates     ${health.rates.security}/s security, ${health.rates.observability}/s observability`,
        `rules     ${health.rules.loaded} loaded, ${health.totals.detections} detections since start`,
        ...(health.enforcement ? [enforcementLine(health.enforcement)] : []),
        ...(health.dlp ? [dlpLine(health.dlp)] : []),
        ...health.wal.map(
          (log) =>
            `log       ${log.lane}: ${log.state}, ${log.writer} writer, ${log.durableSeq} records, flush ${log.flushP50Us} µs`,
        ),
        `latency   kernel to decision p50 ${health.latency.kernelToDecision.p50Us} µs, p99 ${health.latency.kernelToDecision.p99Us} µs`,
        `agent     pid ${health.agent.pid}, ${health.agent.cpuPercent.toFixed(1)} % CPU, ${Math.round(health.agent.rssBytes / 1048576)} MB`,
        `data      ${health.dataDir}`,
      );
      output.out(`${lines.map(printable).join('\n')}\n`);
      return health.level === 'ok' ? 0 : 1;
    } finally {
      client.close();
    }
  },
};
