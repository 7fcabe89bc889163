/** `sentinel doctor`: what this machine allows, and the remedy for what it does not. */
import { AgentNotRunningError, connectAgent } from '../api/client.ts';
import { dataPaths } from '../data-dir.ts';
import { machineChecks } from '../doctor.ts';
import type { Check } from '../doctor-machine.ts';
import { describeError } from '../errors.ts';
import { dataDirOf, parseCommand, type Command } from './command.ts';

async function agentCheck(dataDir: string): Promise<Check> {
  try {
    const client = await connectAgent(dataPaths(dataDir).socket);
    const health = await client.call('health.get', {});
    client.close();
    const worst = health.problems[0];
    if (!worst) return { name: 'agent', result: 'ok', detail: health.sentence };
    const result = health.level === 'failed' ? 'fail' : 'warn';
    return { name: 'agent', result, detail: `${health.sentence}: ${worst.what}`, remedy: worst.remedy };
  } catch (error) {
    if (error instanceof AgentNotRunningError) {
      return { name: 'agent', result: 'warn', detail: 'not running', remedy: 'start it with sentinel run' };
    }
    return { name: 'agent', result: 'warn', detail: describeError(error) };
  }
}

export const command: Command = {
  summary: 'what this machine allows',
  usage: `usage: sentinel doctor [--json] [--data DIR]

Exit code 0 when everything is there, 1 when something is missing.
`,
  run: async (argv, output) => {
    const { values } = parseCommand(argv, {});
    const dataDir = dataDirOf(values);
    const checks = [...machineChecks(dataDir), await agentCheck(dataDir)];
    if (values.json) output.out(`${JSON.stringify({ checks })}\n`);
    else {
      for (const check of checks) {
        output.out(
          `${{ ok: ' ok ', warn: 'warn', fail: 'FAIL' }[check.result]}  ${check.name}: ${check.detail}\n`,
        );
        if (check.remedy) output.out(`      ${check.remedy}\n`);
      }
    }
    return checks.every((check) => check.result === 'ok') ? 0 : 1;
  },
};
