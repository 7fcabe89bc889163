/** `sentinel rules check | test | import`. */
import { checkRulePaths, importRules, testRules } from '../detect/cli-rules.ts';
import { AgentNotRunningError, connectAgent } from '../api/client.ts';
import { dataPaths } from '../data-dir.ts';
import { UsageError } from '../errors.ts';
import { importedRulesDir } from '../rules-setup.ts';
import { dataDirOf, parseCommand, type Command, type Output } from './command.ts';

interface Report {
  loaded: number;
  failed: { file: string; line?: number; reason: string }[];
  warnings: { file: string; line?: number; reason: string }[];
}

function place({ file, line }: { file: string; line?: number }): string {
  return line === undefined ? file : `${file}:${line}`;
}

function show(report: Report, json: boolean, output: Output): number {
  if (json) output.out(`${JSON.stringify(report)}\n`);
  else {
    for (const failure of report.failed) output.out(`${place(failure)}: ${failure.reason}\n`);
    for (const warning of report.warnings) output.out(`${place(warning)}: warning: ${warning.reason}\n`);
    output.out(`${report.loaded} loaded, ${report.failed.length} failed\n`);
  }
  return report.failed.length === 0 ? 0 : 1;
}

async function check(paths: readonly string[], json: boolean, output: Output): Promise<number> {
  if (paths.length === 0)
    throw new UsageError(
      'name the rule files or folders to check',
      'for example sentinel rules check rules/',
    );
  return show(await checkRulePaths(paths), json, output);
}

async function test(
  values: {
    rules?: string[];
    events?: string;
    product?: string;
    category?: string;
    service?: string;
    json?: boolean;
  },
  more: readonly string[],
  output: Output,
): Promise<number> {
  const paths = [...(values.rules ?? []), ...more];
  if (paths.length === 0) throw new UsageError('name the rules with --rules PATH...');
  if (values.events === undefined) throw new UsageError('name the events with --events FILE.ndjson');
  const { product, category, service } = values;
  let bad = 0;
  for await (const record of testRules({ paths, eventsFile: values.events, product, category, service })) {
    if ('error' in record) bad += 1;
    if (values.json) output.out(`${JSON.stringify(record)}\n`);
    else
      output.out(`${record.line}: ${'error' in record ? record.error : record.matches.join(' ') || '-'}\n`);
  }
  return bad === 0 ? 0 : 1;
}

async function importInto(
  paths: readonly string[],
  dataDir: string,
  json: boolean,
  output: Output,
): Promise<number> {
  const [directory] = paths;
  if (paths.length !== 1 || directory === undefined)
    throw new UsageError('name one folder of rules to import');
  const report = await importRules(directory, importedRulesDir(dataDir));
  const code = show(report, json, output);
  try {
    const client = await connectAgent(dataPaths(dataDir).socket);
    await client.call('rules.reload', {});
    client.close();
    if (!json) output.out('the running agent uses them now\n');
  } catch (error) {
    if (!(error instanceof AgentNotRunningError)) throw error;
    if (!json) output.out('the agent will use them when it starts\n');
  }
  return code;
}

export const command: Command = {
  summary: 'check, test and import detection rules',
  usage: `usage: sentinel rules check PATH... [--json]
       sentinel rules test --rules PATH... --events FILE.ndjson [--product P] [--category C] [--service S] [--json]
       sentinel rules import DIR [--data DIR] [--json]

Rules are Sigma (YAML), files or folders. check prints what loads and what does not, with file, line and reason.
test evaluates one JSON object of Sigma fields a line and prints the ids of the rules that match each.
import copies the rules that load into the data folder and puts them in force.
`,
  run: async (argv, output) => {
    const { values, positionals } = parseCommand(argv, {
      rules: { type: 'string', multiple: true },
      events: { type: 'string' },
      product: { type: 'string' },
      category: { type: 'string' },
      service: { type: 'string' },
    });
    const [action, ...rest] = positionals;
    switch (action) {
      case 'check':
        return check(rest, values.json, output);
      case 'test':
        return test(values, rest, output);
      case 'import':
        return importInto(rest, dataDirOf(values), values.json, output);
      default:
        throw new UsageError('say rules check, rules test or rules import', 'see sentinel rules --help');
    }
  },
};
