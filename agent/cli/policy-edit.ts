/** `sentinel policy show|new|save|diff|except`: texts of policies, from and to the running agent. */
import type { ApiClient } from '../api/client.ts';
import type { PolicyDifferenceJson, PolicySimulation } from '../api/contract.ts';
import { SentinelError, UsageError } from '../errors.ts';
import { parsePolicies } from '../policy/parse.ts';
import { policyCompiler } from '../policy-compiler.ts';
import { printable } from '../printable.ts';
import type { Output } from './command.ts';
import { readText } from './read-text.ts';

/** The text in the files; with `json` also its hash, which `save --base` takes. */
export async function show(agent: ApiClient, id: string, json: boolean, output: Output): Promise<number> {
  const policy = await agent.call('policy.get', { id });
  output.out(json ? `${JSON.stringify(policy)}\n` : policy.text);
  return 0;
}

/** Prints a template or starter as the text of a new policy, or lists them. */
export async function begin(
  agent: ApiClient,
  rest: readonly string[],
  json: boolean,
  output: Output,
): Promise<number> {
  const { templates } = await agent.call('policy.templates', {});
  const [wanted] = rest;
  if (wanted === undefined) {
    if (json) output.out(`${JSON.stringify(templates)}\n`);
    else for (const { id, kind, title } of templates) output.out(`${id}  (${kind})  ${printable(title)}\n`);
    return 0;
  }
  const found = templates.find(({ id }) => id === wanted);
  if (!found)
    throw new UsageError(
      `there is no template ${wanted}`,
      'sentinel policy new lists the templates there are',
    );
  output.out(json ? `${JSON.stringify(found)}\n` : found.text);
  return 0;
}

/** Saves a file's policy as a draft. Without `--base` the text it replaces is the one there is now. */
export async function save(
  agent: ApiClient,
  file: string,
  base: string | undefined,
  json: boolean,
  output: Output,
): Promise<number> {
  const text = readText(file, 'read');
  const id = parsePolicies(file, text, policyCompiler()).policies[0]?.policy.id;
  const { policies } = await agent.call('policy.list', {});
  const known = id !== undefined && policies.some((each) => each.id === id);
  const from = base ?? (known ? (await agent.call('policy.get', { id })).hash : undefined);
  const saved = await agent.call('policy.save', from === undefined ? { text } : { text, base: from });
  const { version } = saved;
  output.out(
    json
      ? `${JSON.stringify(saved)}\n`
      : `${version.id} v${version.version} saved as a draft in ${saved.file}; next is sentinel policy simulate ${version.id}\n`,
  );
  return 0;
}

/** The difference from the version in force, of a file or of what the files of the agent hold. Exit code 1 if there is one. */
export async function diff(
  agent: ApiClient,
  id: string,
  file: string | undefined,
  json: boolean,
  output: Output,
): Promise<number> {
  const text = file === undefined ? {} : { text: readText(file, 'read') };
  const difference = await agent.call('policy.diff', { id, ...text });
  output.out(json ? `${JSON.stringify(difference)}\n` : `${differenceLines(difference).join('\n')}\n`);
  return difference.lines.every(({ kind }) => kind === 'same') ? 0 : 1;
}

const MARKS = { same: ' ', removed: '-', added: '+' } as const;

function differenceLines({ against, lines, meaning }: PolicyDifferenceJson): string[] {
  const result = [
    against ? `against version ${against.version} (${against.state})` : 'no version is in force',
    ...lines.map(({ kind, text }) => `${MARKS[kind]} ${printable(text)}`),
  ];
  if (!meaning) return result;
  for (const { field, from, to } of meaning.fields)
    result.push(`${field}: ${printable(from)} -> ${printable(to)}`);
  const tell = (what: string, texts: readonly string[]): void =>
    void result.push(...texts.map((each) => `${what}: ${printable(each)}`));
  tell('clause removed', meaning.clauses.removed);
  tell('clause added', meaning.clauses.added);
  if (meaning.rejoined) result.push('the clauses are joined in another way');
  tell('exception removed', meaning.exceptions.removed);
  tell('exception added', meaning.exceptions.added);
  return result;
}

export interface ExceptOptions {
  event: string | undefined;
  when: readonly string[] | undefined;
  reason: string | undefined;
  expires: string | undefined;
  save: boolean;
}

/** Drafts an exception, tries it on the record, and with `--save` saves it. */
export async function except(
  agent: ApiClient,
  id: string,
  options: ExceptOptions,
  simulated: (text: string) => Promise<PolicySimulation>,
  json: boolean,
  output: Output,
): Promise<number> {
  const { event, when, reason, expires } = options;
  if (event === undefined)
    throw new UsageError('say which event or decision to except', 'for example --event 4711');
  const draft = await agent.call('policy.except', {
    id,
    eventId: event,
    ...(when === undefined ? {} : { conditions: [...when] }),
    ...(reason === undefined ? {} : { reason }),
    ...(expires === undefined ? {} : { expires }),
  });
  if (!draft.excepts)
    throw new SentinelError(
      'no_exception',
      `${id} does not hold for event ${event}, or the exception does not`,
      'choose another event, or other conditions with --when',
    );
  const simulation = await simulated(draft.text);
  const saved = options.save
    ? await agent.call('policy.save', { text: draft.text, base: draft.base })
    : undefined;
  if (json) output.out(`${JSON.stringify({ draft, simulation, saved })}\n`);
  else {
    const { difference, evaluated } = simulation;
    output.out(`exception: ${printable(draft.when)}\n`);
    for (const candidate of draft.candidates)
      if (!draft.conditions.includes(candidate.when))
        output.out(`  also possible: ${printable(candidate.when)}\n`);
    output.out(
      `of ${evaluated} events ${difference?.noLongerCaught ?? 0} are no longer caught, ${simulation.matched} still are\n`,
    );
    for (const { eventId, text } of difference?.lostExamples ?? []) output.out(`  ${eventId}  ${text}\n`);
    output.out(
      saved
        ? `saved as version ${saved.version.version}, a draft; next is sentinel policy simulate ${id}\n`
        : 'not saved: repeat it with --save\n',
    );
  }
  return 0;
}
