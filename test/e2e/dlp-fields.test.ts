/**
 * What a finding says of itself, from end to end: each documented field in a policy, in a Sigma rule and in a query; and
 * the protected file that data came from, when another process of the pipeline read it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, allEvents, eventually, startAgent } from './agent-process.ts';
import { makeCgroup, runIn, type TestCgroup } from './cgroup.ts';
import { customers, protectCustomers } from './protected-table.ts';

const folder = mkdtempSync(join(tmpdir(), 'sentinel-dlp-fields-'));
const dataDir = join(folder, 'data');
const watched = join(folder, 'watched');
const table = join(folder, 'customers.csv');
const cgroup: TestCgroup | undefined = process.getuid?.() === 0 ? makeCgroup() : undefined;
if (cgroup === undefined) console.warn('SKIPPED: fields of findings: needs root and cgroup v2');
let agent: AgentProcess | undefined;

/** By field: as a policy, as a Sigma rule and as a query has it. All of them hold for a copy made by `cp`. */
const FIELDS: Readonly<Record<string, readonly [when: string, sigma: string, query: string]>> = {
  verdict: ['dlp.verdict == "match"', 'dlp.verdict: match', 'dlp.verdict:match'],
  index: ['"customers" in dlp.index', 'dlp.index: customers', 'dlp.index:customers'],
  rule: ['"iban" in dlp.rule', 'dlp.rule: iban', 'dlp.rule:iban'],
  kind: ['"row" in dlp.kind', 'dlp.kind: row', 'dlp.kind:row'],
  type: ['"iban" in dlp.type', 'dlp.type: iban', 'dlp.type:iban'],
  count: ['dlp.count >= 90', 'dlp.count|gte: 90', 'dlp.count:>=90'],
  confidence: ['dlp.confidence >= 50', 'dlp.confidence|gte: 50', 'dlp.confidence:>=50'],
  destination: ['dlp.destination == "watched"', 'dlp.destination: watched', 'dlp.destination:watched'],
  trigger: ['dlp.trigger == "close_write"', 'dlp.trigger: close_write', 'dlp.trigger:close_write'],
  source: [
    'dlp.source.exists(path, path.endsWith("/customers.csv"))',
    'dlp.source|endswith: /customers.csv',
    `dlp.source:"${table}"`,
  ],
  reason: ['dlp.reason == "encrypted"', 'dlp.reason: encrypted', 'dlp.reason:encrypted'],
  process: ['process.name == "cp"', 'Image|endswith: /cp', 'image:*/cp'],
  file: [
    `file.path.startsWith("${watched}/")`,
    `TargetFilename|startswith: ${watched}/`,
    `file:${watched}/*`,
  ],
};
const names = Object.keys(FIELDS);

const run = (commands: string): number => runIn(cgroup!, commands);

describe.skipIf(cgroup === undefined)('what a finding says (needs root)', () => {
  beforeAll(async () => {
    mkdirSync(watched);
    protectCustomers(folder, dataDir, customers(100));
    mkdirSync(join(dataDir, 'policies'), { recursive: true });
    mkdirSync(join(folder, 'rules'));
    names.forEach((name, at) => {
      const [when, sigma] = FIELDS[name]!;
      writeFileSync(
        join(dataDir, 'policies', `${name}.yml`),
        `id: on-${name}
version: 1
severity: low
when: event.type == "dlp" && ${when}
action: alert
canaryPercent: 100
`,
      );
      writeFileSync(
        join(folder, 'rules', `${name}.yml`),
        `title: by ${name}
id: 00000000-0000-4000-8000-00000000${String(1000 + at)}
status: test
logsource: {product: linux, category: dlp}
detection:
  it:
    ${sigma}
  condition: it
level: low
`,
      );
    });
    const settings = {
      SENTINEL_DLP_WATCH: watched,
      SENTINEL_RULES_PATHS: join(folder, 'rules'),
      SENTINEL_SENSOR_READ_OPENS: 'true',
    };
    Object.assign(process.env, settings);
    agent = await startAgent(dataDir, ['--scope', `cgroup:${cgroup!.path}`]);
    for (const name of Object.keys(settings)) delete process.env[name];
    for (const name of names)
      for (const step of ['simulate', 'canary'] as const)
        await agent.client.call('policy.step', { id: `on-${name}`, step });
  }, 180_000);

  afterAll(async () => {
    await agent?.end('SIGTERM');
    await cgroup?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('can be asked for in policies, rules and queries, field by field', async () => {
    const locked = join(watched, 'locked.zip');
    run(`cp ${table} ${watched}/copy.csv`);
    // A zip of one stored entry whose flag says that it is encrypted.
    const entry = Buffer.alloc(30);
    entry.writeUInt32LE(0x04034b50, 0);
    entry.writeUInt16LE(20, 4);
    entry.writeUInt16LE(1, 6);
    entry.writeUInt32LE(4, 18);
    entry.writeUInt32LE(4, 22);
    entry.writeUInt16LE(1, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    entry.copy(central, 6, 4, 30);
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(1, 8);
    end.writeUInt16LE(1, 10);
    end.writeUInt32LE(47, 12);
    end.writeUInt32LE(35, 16);
    const zip = Buffer.concat([entry, Buffer.from('aXXXX'), central, Buffer.from('a'), end]);
    writeFileSync(join(folder, 'locked.zip'), zip);
    run(`cp ${folder}/locked.zip ${locked}`);
    const { client } = agent!;
    const decided = await eventually('every policy decided', async () => {
      const decisions = await allEvents(client, 'type:decision');
      const found = new Set(decisions.map(({ decision }) => decision?.policyId));
      return names.every((name) => found.has(`on-${name}`)) ? found : undefined;
    }).catch(
      async () => new Set((await allEvents(client, 'type:decision')).map((e) => e.decision?.policyId)),
    );
    expect(names.filter((name) => !decided.has(`on-${name}`))).toEqual([]);
    const findings = await allEvents(client, 'type:dlp');
    const titles = new Set(findings.flatMap(({ detections }) => detections?.map(({ title }) => title) ?? []));
    expect(names.filter((name) => !titles.has(`by ${name}`))).toEqual([]);
    for (const name of names) {
      const query = `type:dlp ${FIELDS[name]![2]}`;
      expect([query, (await allEvents(client, query)).length > 0]).toEqual([query, true]);
    }
  });

  it('names the protected file that another process of the pipeline read', async () => {
    for (const [name, command, by] of [
      ['tee.csv', `cat ${table} | tee ${watched}/tee.csv > /dev/null`, 'cat'],
      ['shell.csv', `sed s/x/x/ < ${table} > ${watched}/shell.csv`, 'sh'],
      ['pipe.gz', `cat ${table} | gzip > ${watched}/pipe.gz`, 'cat'],
    ] as const) {
      run(command);
      const event = await eventually(`${name} is found`, async () => {
        const [found] = await allEvents(agent!.client, `type:dlp file:"${watched}/${name}"`);
        return found;
      });
      const reader = event.dlp?.sources?.find(({ path }) => path === table)?.name;
      expect([name, reader]).toEqual([name, by === 'sh' ? expect.stringMatching(/sh$/) : by]);
    }
  });
});
