/** `sentinel policy …`. validate needs no agent; the rest talks to the running one. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { connectAgent, type ApiClient } from '../api/client.ts';
import type { PolicyPendingJson, PolicySimulation, PolicyStep, PolicyVersionJson } from '../api/contract.ts';
import { dataPaths } from '../data-dir.ts';
import { SentinelError, UsageError } from '../errors.ts';
import { policyCompiler } from '../policy-compiler.ts';
import { loadPolicyFiles } from '../policy-files.ts';
import { readPolicyFile, readPolicyFolder } from '../policy-store.ts';
import { approve as signManifest, type Approval, type Manifest } from '../policy/approval.ts';
import { problemText } from '../policy/problem.ts';
import { dataDirOf, parseCommand, positiveInt, type Command, type Output } from './command.ts';
import { begin, diff, except, save, show } from './policy-edit.ts';
import { printExplanation } from './policy-explain.ts';
import { printable } from '../printable.ts';
import { printStatus } from './policy-status.ts';
import { readText } from './read-text.ts';

const POLL_MS = 200;
const STEPS: readonly string[] = ['canary', 'activate', 'rollback', 'deprecate'] satisfies PolicyStep[];

function validate(paths: readonly string[], json: boolean, output: Output): number {
  if (paths.length === 0)
    throw new UsageError(
      'name the policy files or folders to check',
      'for example sentinel policy validate policies/',
    );
  const files = paths.flatMap((path) => (isFolder(path) ? readPolicyFolder(path) : [readPolicyFile(path)]));
  const { policies, problems, warnings } = loadPolicyFiles(files, policyCompiler());
  if (json) {
    const valid = policies.map(({ policy: { id, version, hash, file } }) => ({ id, version, hash, file }));
    output.out(`${JSON.stringify({ valid, problems, warnings })}\n`);
  } else {
    for (const problem of problems) output.out(`${problemText(problem)}\n`);
    for (const warning of warnings)
      output.out(`${problemText({ ...warning, message: `warning: ${warning.message}` })}\n`);
    output.out(
      `${policies.length} valid, ${problems.length} ${problems.length === 1 ? 'mistake' : 'mistakes'}\n`,
    );
  }
  return problems.length === 0 ? 0 : 1;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function line({ id, version, state, severity, action, reach, hits }: PolicyVersionJson): string {
  return `${id} v${version}  ${state}  ${severity}  ${action}: ${reach.guarantee} (${reach.guardian})  ${hits.matched} matches\n`;
}

function pendingText({ manifest, approvedBy, needed }: PolicyPendingJson): string {
  const names = approvedBy.length === 0 ? '' : `: ${approvedBy.join(', ')}`;
  return `${manifest.policyId}: ${approvedBy.length} of ${needed} approvals${names}\n`;
}

function daysOf(text: string | undefined): number | undefined {
  const count = text === undefined ? undefined : Number(text);
  if (count === undefined || (Number.isInteger(count) && count >= 1)) return count;
  throw new UsageError(`--days ${text} is not a whole number of days`, 'for example --days 10');
}

/** Runs a simulation and follows it to its end. */
async function followed(
  agent: ApiClient,
  params: { id: string; days?: number; text?: string },
  json: boolean,
  output: Output,
): Promise<PolicySimulation> {
  let { simulation } = await agent.call('policy.run', params);
  while (!simulation.done) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const now = await agent.call('policy.simulation', { id: params.id });
    if (!now.simulation) break;
    simulation = now.simulation;
    if (!json) output.err(`\r${simulation.evaluated} of ${simulation.total ?? '?'} events`);
  }
  if (!json) output.err('\n');
  return simulation;
}

async function simulate(
  agent: ApiClient,
  id: string,
  days: string | undefined,
  json: boolean,
  output: Output,
): Promise<number> {
  const { policies } = await agent.call('policy.list', {});
  const version = policies.findLast((each) => each.id === id && each.inFiles);
  const count = daysOf(days);
  if (version?.state === 'draft') await agent.call('policy.step', { id, step: 'simulate' });
  const simulation = await followed(agent, count === undefined ? { id } : { id, days: count }, json, output);
  output.out(json ? `${JSON.stringify(simulation)}\n` : simulationText(simulation));
  return simulation.cancelled ? 1 : 0;
}

function simulationText(simulation: PolicySimulation): string {
  const { evaluated, matched, matchRate, action, examples, labels, falsePositiveRate, difference } =
    simulation;
  const lines = [
    `${evaluated} events evaluated, ${matched} would be ${action} (${(100 * matchRate).toFixed(3)} %)`,
    ...examples.map(
      ({ eventId, text, label }) => `  ${eventId}  ${text}${label === undefined ? '' : `  [${label}]`}`,
    ),
    falsePositiveRate === undefined
      ? 'no match has a label: label some to estimate false positives'
      : `false positives: ${(100 * falsePositiveRate).toFixed(1)} % of ${labels.truePositive + labels.falsePositive + labels.benign} labelled matches`,
    `recommended canary: ${simulation.recommendedCanaryPercent} %`,
  ];
  if (difference)
    lines.push(
      `against version ${difference.version}: ${difference.newlyCaught} newly caught, ${difference.noLongerCaught} no longer caught`,
    );
  return `${lines.join('\n')}\n`;
}

/** Signs a manifest, from a file or from the agent, with the key of a file. */
async function approve(
  what: string,
  keyFile: string | undefined,
  dataDir: string,
  json: boolean,
  output: Output,
): Promise<number> {
  if (keyFile === undefined) throw new UsageError('name the key file', 'for example --key approver.pem');
  const pem = readText(keyFile, 'read');
  if (/[./]/.test(what) && statSync(what, { throwIfNoEntry: false })?.isFile()) {
    let manifest: Manifest;
    try {
      const parsed = JSON.parse(readText(what, 'read')) as { manifest?: Manifest };
      manifest = parsed.manifest ?? (parsed as unknown as Manifest);
    } catch {
      throw new SentinelError(
        'bad_manifest',
        `${what} is not a manifest`,
        'make one with sentinel policy request ID --json',
      );
    }
    const approval = signManifest(manifest, pem);
    output.out(`${JSON.stringify({ nonce: manifest.nonce, approval })}\n`);
    return 0;
  }
  return withAgent(dataDir, async (agent) => {
    const rotation = (await agent.call('policy.list', {})).pending.find(
      ({ manifest }) => manifest.policyId === what,
    );
    const { manifest } = rotation ?? (await agent.call('policy.request', { id: what }));
    const pending = await agent.call('policy.approve', {
      nonce: manifest.nonce,
      approval: signManifest(manifest, pem),
    });
    output.out(json ? `${JSON.stringify(pending)}\n` : pendingText(pending));
    return 0;
  });
}

async function handIn(
  files: readonly string[],
  dataDir: string,
  json: boolean,
  output: Output,
): Promise<number> {
  return withAgent(dataDir, async (agent) => {
    for (const file of files) {
      const { nonce, approval } = JSON.parse(readText(file, 'read')) as { nonce: string; approval: Approval };
      const pending = await agent.call('policy.approve', { nonce, approval });
      output.out(json ? `${JSON.stringify(pending)}\n` : pendingText(pending));
    }
    return 0;
  });
}

async function approvers(
  files: readonly string[],
  dataDir: string,
  json: boolean,
  output: Output,
): Promise<number> {
  return withAgent(dataDir, async (agent) => {
    const set = files.map((file) => ({
      name: basename(file).replace(/\.[^.]*$/, ''),
      key: readText(file, 'read'),
    }));
    const result =
      files.length === 0
        ? { approvers: (await agent.call('policy.list', {})).approvers, pending: undefined }
        : await agent.call('policy.approvers', { approvers: set });
    if (json) output.out(`${JSON.stringify(result)}\n`);
    else {
      for (const { name, keyId, untilMs } of result.approvers)
        output.out(
          `${name}  ${keyId}${untilMs === undefined ? '' : `  until ${new Date(untilMs).toISOString()}`}\n`,
        );
      if (result.pending) output.out(`the new approvers wait for approval: ${pendingText(result.pending)}`);
    }
    return result.pending ? 1 : 0;
  });
}

async function withAgent<T>(dataDir: string, work: (agent: ApiClient) => Promise<T>): Promise<T> {
  const agent = await connectAgent(dataPaths(dataDir).socket);
  try {
    return await work(agent);
  } finally {
    agent.close();
  }
}

async function list(agent: ApiClient, json: boolean, output: Output): Promise<number> {
  const overview = await agent.call('policy.list', {});
  if (json) output.out(`${JSON.stringify(overview)}\n`);
  else {
    for (const policy of overview.policies) output.out(line(policy));
    for (const pending of overview.pending) output.out(pendingText(pending));
    for (const problem of overview.problems) output.out(`${problemText(problem)}\n`);
    for (const warning of overview.warnings) output.out(`warning: ${problemText(warning)}\n`);
    for (const notice of overview.notices) output.out(`notice: ${notice}\n`);
  }
  return overview.problems.length === 0 ? 0 : 1;
}

function only(rest: readonly string[], action: string): string {
  const [id] = rest;
  if (rest.length !== 1 || id === undefined)
    throw new UsageError(`name one policy: sentinel policy ${action} ID`, 'see sentinel policy list');
  return id;
}

export const command: Command = {
  summary: 'check policies and take them through their life',
  usage: `usage: sentinel policy validate FILE... [--json]
       sentinel policy list|reload|status [--data DIR] [--json]
       sentinel policy new [TEMPLATE]
       sentinel policy show ID
       sentinel policy save FILE [--base HASH]
       sentinel policy diff ID [FILE]
       sentinel policy except ID --event EVENT-ID [--when CEL]... [--reason TEXT] [--expires DAY] [--save]
       sentinel policy simulate ID [--days N]
       sentinel policy canary|activate|deprecate ID
       sentinel policy rollback ID [--reason TEXT]
       sentinel policy explain [ID] [--event EVENT-ID]
       sentinel policy thaw [CGROUP]
       sentinel policy release [PID] [--reason TEXT]
       sentinel policy request ID
       sentinel policy approve ID|MANIFEST --key FILE
       sentinel policy hand-in APPROVAL...
       sentinel policy approvers [PUBLIC-KEY...]

status says what each action comes to on this machine, as tried when the agent started, and how it goes.
validate names file, line, column and remedy of every mistake. new prints a text to begin with, show the text there is;
save makes a file's text the next version, a draft (with --base only if the text there is has that hash); diff compares
with the version in force, line by line and by meaning. except drafts an exception from an event that was decided, the
narrowest first, and shows what it would let pass of the record; --save saves it as a draft. simulate runs a policy over the record and reports what
it would have done. A policy goes draft -> simulating -> canary -> active; high and critical ones need three approvals:
request makes the manifest, approve signs it (with an agent at hand, or a manifest file without one), hand-in brings
approvals made elsewhere, activate uses them. explain shows a policy's text, history and latest decisions, or of an event
what decided it, what would have, and which clause kept the others from it. thaw ends the freezing of a container, or of all; release
lets a process that was cut off reach the network again, or all of them. approvers shows or sets who may approve.
`,
  run: async (argv, output) => {
    const { values, positionals } = parseCommand(argv, {
      key: { type: 'string' },
      days: { type: 'string' },
      reason: { type: 'string' },
      event: { type: 'string' },
      base: { type: 'string' },
      when: { type: 'string', multiple: true },
      expires: { type: 'string' },
      save: { type: 'boolean' },
    });
    const [action = '', ...rest] = positionals;
    const { json } = values;
    if (action === 'validate') return validate(rest, json, output);
    const dataDir = dataDirOf(values);
    if (action === 'approve') return approve(only(rest, action), values.key, dataDir, json, output);
    if (action === 'hand-in') return handIn(rest, dataDir, json, output);
    if (action === 'approvers') return approvers(rest, dataDir, json, output);
    if (action === 'explain')
      return withAgent(dataDir, (agent) => printExplanation(agent, rest, values.event, json, output));
    if (action === 'status') return withAgent(dataDir, (agent) => printStatus(agent, json, output));
    if (action === 'list') return withAgent(dataDir, (agent) => list(agent, json, output));
    if (action === 'reload')
      return withAgent(dataDir, async (agent) => {
        await agent.call('policy.reload', {});
        return list(agent, json, output);
      });
    if (action === 'new') return withAgent(dataDir, (agent) => begin(agent, rest, json, output));
    if (action === 'show')
      return withAgent(dataDir, (agent) => show(agent, only(rest, action), json, output));
    if (action === 'save')
      return withAgent(dataDir, (agent) => save(agent, only(rest, action), values.base, json, output));
    if (action === 'diff')
      return withAgent(dataDir, (agent) =>
        diff(agent, only(rest.slice(0, 1), action), rest[1], json, output),
      );
    if (action === 'except') {
      const { event, when, reason, expires } = values;
      const days = daysOf(values.days);
      return withAgent(dataDir, (agent) => {
        const id = only(rest, action);
        const simulated = (text: string): Promise<PolicySimulation> =>
          followed(agent, days === undefined ? { id, text } : { id, text, days }, json, output);
        const options = { event, when, reason, expires, save: values.save === true };
        return except(agent, id, options, simulated, json, output);
      });
    }
    if (action === 'thaw')
      return withAgent(dataDir, async (agent) => {
        const [cgroup] = rest;
        const { thawed } = await agent.call('policy.thaw', cgroup === undefined ? {} : { cgroup });
        output.out(
          json
            ? `${JSON.stringify({ thawed })}\n`
            : thawed.map((each) => `${each.cgroup} was thawed\n`).join('') || 'nothing was frozen\n',
        );
        return 0;
      });
    if (action === 'release')
      return withAgent(dataDir, async (agent) => {
        const pid = rest[0] === undefined ? {} : { pid: positiveInt(rest[0], 'PID', 1) };
        const why = values.reason === undefined ? {} : { reason: values.reason };
        const { released } = await agent.call('policy.release', { ...pid, ...why });
        const told = released.map(
          (each) => `${printable(each.name)} (${each.pid}) may reach the network again\n`,
        );
        output.out(json ? `${JSON.stringify({ released })}\n` : told.join('') || 'nobody was cut off\n');
        return 0;
      });
    if (action === 'simulate')
      return withAgent(dataDir, (agent) => simulate(agent, only(rest, action), values.days, json, output));
    if (action === 'request')
      return withAgent(dataDir, async (agent) => {
        const pending = await agent.call('policy.request', { id: only(rest, action) });
        output.out(json ? `${JSON.stringify(pending)}\n` : pendingText(pending));
        return 0;
      });
    if (STEPS.includes(action))
      return withAgent(dataDir, async (agent) => {
        const reason = values.reason === undefined ? {} : { reason: values.reason };
        const id = only(rest, action);
        const { version } = await agent.call('policy.step', { id, step: action as PolicyStep, ...reason });
        output.out(json ? `${JSON.stringify(version)}\n` : line(version));
        return 0;
      });
    throw new UsageError('say what to do with policies', 'see sentinel policy --help');
  },
};
