/** `sentinel events [QUERY]`: the timeline, newest first; --follow for what comes next, oldest first. */
import type { EventJson } from '../api/contract.ts';
import { SentinelError, UsageError } from '../errors.ts';
import { dataDirOf, parseCommand, positiveInt, type Command, type Output } from './command.ts';
import { eventLine } from './sentence.ts';
import { openSource, type Source } from './source.ts';

const PAGE = 500;

/** Query text with the place of an error marked under it. */
function withCaret(query: string, error: unknown): unknown {
  const { offset, length, message, code } = error as {
    offset?: number;
    length?: number;
    message: string;
    code?: string;
  };
  if (code !== 'bad_query' || offset === undefined) return error;
  const marker = `${' '.repeat(offset)}${'^'.repeat(Math.max(1, Math.min(length ?? 1, query.length - offset || 1)))}`;
  return new UsageError(`column ${offset + 1}: ${message}\n  ${query.replaceAll('\n', ' ')}\n  ${marker}`);
}

async function print(
  source: Source,
  query: string,
  limit: number,
  show: (event: EventJson) => void,
): Promise<void> {
  let before: string | undefined;
  let left = limit;
  while (left > 0) {
    const page = await source.call('events.query', { query, limit: Math.min(left, PAGE), before });
    for (const event of page.events) show(event);
    left -= page.events.length;
    before = page.older;
    if (before === undefined) return;
  }
}

/** CSV in pieces, each asked for once the one before was written. */
async function printCsv(
  source: Source,
  query: string,
  limit: number,
  columns: string[] | undefined,
  output: Output,
): Promise<void> {
  let before: string | undefined;
  let left = limit;
  do {
    const piece = await source.call('events.export', {
      query,
      format: 'csv',
      columns,
      limit: Math.min(left, PAGE),
      before,
    });
    output.out(piece.text);
    left -= piece.events;
    before = piece.older;
  } while (before !== undefined && left > 0);
}

async function follow(
  source: Source,
  query: string,
  limit: number,
  show: (event: EventJson) => void,
  output: Output,
): Promise<number> {
  const agent = source.agent;
  if (!agent)
    throw new SentinelError(
      'not_running',
      'no agent is running here, so there is nothing to follow',
      'start one with sentinel run',
    );
  const reason = await new Promise<string>((resolve, reject) => {
    process.once('SIGINT', () => resolve('stopped'));
    process.once('SIGTERM', () => resolve('stopped'));
    agent
      .subscribe(
        'events.follow',
        { query, limit: PAGE },
        {
          onSnapshot: (page) => {
            for (const event of page.events.slice(0, limit).reverse()) show(event);
          },
          onDelta: (delta) => {
            if (delta.skipped > 0)
              output.err(
                `sentinel: ${delta.skipped} events were skipped here to keep up; they are in the timeline\n`,
              );
            for (const event of delta.events) show(event);
          },
          onClosed: resolve,
        },
      )
      .catch(reject);
  });
  if (reason === 'stopped') return 0;
  output.err(`sentinel: the agent ended the stream (${reason})\n`);
  return 1;
}

export const command: Command = {
  summary: 'query the timeline',
  usage: `usage: sentinel events [QUERY] [--since TIME] [--limit N | --all] [--follow]
                       [--json | --csv [--columns A,B]] [--data DIR]

QUERY is the language of the console's query bar, for example:
  sentinel events 'image:*/curl and not user:root last:1h'
  sentinel events 'type:file path:/etc/* severity:>=medium'
  sentinel events 'rule:* last:1d'
--since takes 30s, 15m, 2h, 7d or a date and time. --limit is 100 unless told; --all takes every match.
--json prints one event per line in protobuf's JSON names. Newest first; --follow goes on with new ones as they come.
--csv prints RFC 4180 with a header, made so that no cell acts as a formula; --columns takes names of the JSON form
with dots (process.pid,file.path), time and process.commandLine.
`,
  run: async (argv, output) => {
    const { values, positionals } = parseCommand(argv, {
      since: { type: 'string' },
      limit: { type: 'string' },
      follow: { type: 'boolean', short: 'f', default: false },
      all: { type: 'boolean', default: false },
      csv: { type: 'boolean', default: false },
      columns: { type: 'string' },
    });
    if (values.csv && (values.json || values.follow))
      throw new UsageError(`--csv does not go with ${values.json ? '--json' : '--follow'}`, 'choose one');
    if (values.columns !== undefined && !values.csv)
      throw new UsageError('--columns is for --csv', 'add --csv');
    const columns = values.columns?.split(',').map((name) => name.trim());
    const wrong = columns?.find((name) => !/^[A-Za-z][\w]{0,63}(\.[\w-]{1,64}){0,3}$/.test(name));
    if (wrong !== undefined)
      throw new UsageError(
        `--columns: ${JSON.stringify(wrong)} is no name of a column`,
        'for example --columns time,process.pid,file.path',
      );
    if (values.all && values.limit !== undefined)
      throw new UsageError('--all does not go with --limit', 'choose one');
    const limit = values.all ? Number.MAX_SAFE_INTEGER : positiveInt(values.limit, '--limit', 100);
    const words = positionals.join(' ');
    const since =
      values.since === undefined
        ? ''
        : /^[0-9]+(\.[0-9]+)?[a-z]+$/i.test(values.since)
          ? `last:${values.since}`
          : `since:${values.since}`;
    const query = since === '' ? words : words === '' ? since : `(${words}) ${since}`;
    const source = await openSource(dataDirOf(values));
    const show = (event: EventJson): void =>
      output.out(`${values.json ? JSON.stringify(event) : eventLine(event)}\n`);
    try {
      if (values.follow) return await follow(source, query, limit, show, output);
      if (values.csv) await printCsv(source, query, limit, columns, output);
      else await print(source, query, limit, show);
      return 0;
    } catch (error) {
      throw withCaret(query, error);
    } finally {
      source.close();
    }
  },
};
