/** `sentinel audit export|verify|checkpoint`: evidence for somebody who has neither the device nor its agent. */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import type { Selection } from '../audit/bundle-format.ts';
import type { BundleReport } from '../audit/bundle-report.ts';
import { verifyBundle } from '../audit/bundle-verify.ts';
import { writeBundle, type BundleSummary } from '../audit/bundle-write.ts';
import { readCheckpoint, type Checkpoint } from '../audit/checkpoint.ts';
import { newestCheckpoint } from '../audit/newest-checkpoint.ts';
import { dataPaths } from '../data-dir.ts';
import { fromSystemError, SentinelError, UsageError } from '../errors.ts';
import { createVerifier, openIdentity } from '../identity/identity.ts';
import { printable } from '../printable.ts';
import { parseTimeArgument } from './time-argument.ts';
import { VERSION } from '../version.ts';
import { selectRecords } from './audit-selection.ts';
import { openSource } from './source.ts';
import { dataDirOf, parseCommand, type Command, type Output } from './command.ts';
import { verifierOfFiles } from './public-keys.ts';
import { readText } from './read-text.ts';

/** The two logs of a data folder. */
function logsOf(dataDir: string): { lane: string; dir: string }[] {
  const paths = dataPaths(dataDir);
  if (!existsSync(paths.securityLog))
    throw new SentinelError('no_data', `there are no logs in ${dataDir}`, 'name the data folder with --data');
  return [
    { lane: 'security', dir: paths.securityLog },
    { lane: 'observability', dir: paths.observabilityLog },
  ];
}

async function exportBundle(
  dataDir: string,
  out: string,
  options: { lane?: string | undefined; sinceNs?: bigint; untilNs?: bigint; selection?: Selection },
): Promise<BundleSummary> {
  const { selection } = options;
  const lanes = logsOf(dataDir).filter(
    ({ lane }) =>
      (options.lane === undefined || lane === options.lane) &&
      (selection === undefined || selection.lanes[lane] !== undefined),
  );
  if (!existsSync(dataPaths(dataDir).publicKey))
    throw new SentinelError(
      'no_key',
      `${dataDir} has no device key`,
      'name the data folder of an agent with --data',
    );
  const identity = openIdentity(dataDir);
  const temporary = `${out}.partial`;
  let fd: number;
  try {
    fd = openSync(temporary, 'w', 0o600);
  } catch (error) {
    throw fromSystemError(error, 'write', temporary);
  }
  try {
    const { sinceNs, untilNs } = options;
    const summary = await writeBundle({
      lanes,
      identity,
      agentVersion: VERSION,
      createdNs: BigInt(Date.now()) * 1_000_000n,
      ...(sinceNs === undefined ? {} : { sinceNs }),
      ...(untilNs === undefined ? {} : { untilNs }),
      ...(selection === undefined ? {} : { selection }),
      write: (bytes) => {
        for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      },
    });
    fsyncSync(fd);
    renameSync(temporary, out);
    return summary;
  } catch (error) {
    rmSync(temporary, { force: true });
    throw fromSystemError(error, 'write', out);
  } finally {
    closeSync(fd);
  }
}

/** Checkpoints of files with one JSON object on each line, as `audit checkpoint` prints them. */
function readCheckpoints(paths: readonly string[]): { source: string; checkpoint: Checkpoint }[] {
  return paths.flatMap((path) => {
    const lines = readText(path, 'read the checkpoint').split('\n');
    const found = lines.flatMap((line, index) => {
      if (line.trim() === '') return [];
      const checkpoint = readCheckpoint(Buffer.from(line, 'utf8'));
      if (
        !checkpoint ||
        !Number.isSafeInteger(checkpoint.commitNo) ||
        !Number.isSafeInteger(checkpoint.upToSeq)
      ) {
        const remedy = 'give a file as sentinel audit checkpoint writes it';
        throw new SentinelError('bad_checkpoint', `${path}, line ${index + 1} is not a checkpoint`, remedy);
      }
      return [{ source: `the checkpoint in ${path}, line ${index + 1},`, checkpoint }];
    });
    if (found.length === 0)
      throw new SentinelError(
        'bad_checkpoint',
        `${path} holds no checkpoint`,
        'give a file as sentinel audit checkpoint writes it',
      );
    return found;
  });
}

function describe(report: BundleReport): string {
  const createdMs = Number(report.createdNs) / 1e6;
  const when = createdMs > 0 && createdMs < 8e15 ? new Date(createdMs).toISOString() : 'at no known time';
  const key = report.keyFromElsewhere
    ? `key ${report.keyId}, as given`
    : `key ${report.keyId}, from the bundle itself: compare it with the device's, or give --key`;
  const lines = [
    `${report.file}: ${report.ok ? 'ok' : 'NOT OK'}, device ${report.deviceId}, made ${when}, ${key}`,
    ...(report.selection
      ? [`for the query ${JSON.stringify(report.selection.query)}: ${report.selection.records} records`]
      : []),
    ...report.lanes.map(
      (lane) =>
        `${lane.lane}: ${lane.records} records (${lane.firstSeq} to ${lane.lastSeq}) in ${lane.commits} commits, ` +
        `proven up to ${lane.coveredUpToSeq}, ${lane.checkpoints} checkpoints`,
    ),
    `${report.decisions} decisions, ${report.policies} policies`,
    ...report.gaps.map(
      ({ lane, cause, gaps, records, unknown }) =>
        `gaps: ${lane} ${cause}: ${gaps}, ${records} records${unknown > 0 ? ` (${unknown} of unknown size)` : ''}`,
    ),
    ...report.laterGaps.map(
      ({ seq, statedNs, lane, cause, count }) =>
        `gap stated after the range, ${new Date(Number(BigInt(statedNs) / 1_000_000n)).toISOString()} (record ${seq}): ` +
        `${lane} ${cause}, ${count ?? 'an unknown number of'} records`,
    ),
  ];
  for (const { kind, level, offset, frame, lane, commitNo, fromSeq, toSeq, detail } of report.findings) {
    const place = [`byte ${offset}`];
    if (frame !== undefined) place.push(`frame ${frame}`);
    if (lane !== undefined) place.push(lane);
    if (commitNo !== undefined) place.push(`commit ${commitNo}`);
    if (fromSeq !== undefined)
      place.push(fromSeq === toSeq ? `record ${fromSeq}` : `records ${fromSeq} to ${toSeq ?? ''}`);
    lines.push(`  ${level} ${kind} at ${place.join(', ')}: ${detail}`);
  }
  const more = report.findingCount - report.findings.length;
  if (more > 0) lines.push(`  and ${more} more`);
  return `${lines.map(printable).join('\n')}\n`;
}

function printExport(
  out: string,
  summary: BundleSummary,
  selection: Selection | undefined,
  asJson: boolean,
  output: Output,
): void {
  if (asJson) {
    output.out(`${JSON.stringify({ file: out, ...summary, ...(selection ? { selection } : {}) })}\n`);
    return;
  }
  const lanes = Object.entries(summary.lanes).map(
    ([lane, { records, firstSeq, lastSeq }]) => `${lane}: ${records} records (${firstSeq} to ${lastSeq})`,
  );
  output.out(
    `${out}: ${summary.bytes} bytes, ${summary.frames} frames\n${lanes.join('\n')}\n${summary.policies} policies\n`,
  );
  if (summary.laterGaps > 0)
    output.out(`${summary.laterGaps} gaps in the range were stated after it; the bundle says which\n`);
  for (const hash of summary.unknownPolicies) output.err(`the text of policy ${hash} is not known here\n`);
}

async function printGaps(
  values: {
    data?: string | undefined;
    since?: string | undefined;
    until?: string | undefined;
    json: boolean;
  },
  output: Output,
): Promise<number> {
  const fromNs = parseTimeArgument(values.since, '--since')?.toString();
  const toNs = parseTimeArgument(values.until, '--until')?.toString();
  const range = { ...(fromNs === undefined ? {} : { fromNs }), ...(toNs === undefined ? {} : { toNs }) };
  const source = await openSource(dataDirOf(values));
  try {
    const { totals } = await source.call('gaps.totals', range);
    if (values.json) {
      const { gaps } = await source.call('events.gaps', { ...range, limit: 1000 });
      output.out(`${JSON.stringify({ totals, newest: gaps })}\n`);
      return 0;
    }
    for (const { lane, cause, hook, cpu, gaps, records, unknown, fromNs: first, toNs: last } of totals) {
      const where = [hook, cpu === undefined ? undefined : `CPU ${cpu}`]
        .filter((one) => one !== undefined)
        .join(', ');
      const size = `${records} records${unknown > 0 ? `, ${unknown} of unknown size` : ''}`;
      const from = new Date(Number(BigInt(first) / 1_000_000n)).toISOString();
      const to = new Date(Number(BigInt(last) / 1_000_000n)).toISOString();
      output.out(
        printable(
          `${lane} ${cause}${where && ` (${where})`}: ${gaps} gaps, ${size}, ${from} to ${to}`,
        ).concat('\n'),
      );
    }
    if (totals.length === 0) output.out('no gaps\n');
    return 0;
  } finally {
    source.close();
  }
}

export const command: Command = {
  summary: 'export evidence, and verify it without an agent',
  usage: `usage: sentinel audit export [--data DIR] --out FILE [--lane security|observability] [--since T] [--until T] [--json]
       sentinel audit export [--data DIR] --out FILE (--query QUERY | --query-file FILE) [--json]
       sentinel audit verify FILE [--key FILE]... [--checkpoint FILE]... [--json]
       sentinel audit checkpoint [--data DIR]
       sentinel audit gaps [--data DIR] [--since T] [--until T] [--json]

export writes one file with the records, the chain of commits, the signed checkpoints, the public key and the text of
each policy that decided something. It reads the files; the agent may run meanwhile. --since and --until take 30s, 15m,
2h, 7d or a date and time; whole commits are written, up to the checkpoint that covers them. --query writes what lies
between the first and the last record that the query finds, and which ones those are.
verify needs the file alone. It says where each edit, deletion, exchange, insertion or cut is. --key checks with the
device.pub you hold instead of the one in the file. --checkpoint names a file that \`audit checkpoint\` printed some time
ago: it tells when the end of the log was cut since.
checkpoint prints the newest signed checkpoint of each log, one JSON object on a line: keep it elsewhere.
gaps lists what is missing from the record and why: ring overflow by hook and CPU, damage, time without an agent,
retention. Each is a signed record of its own: sentinel events type:integrity_gap.
Exit code 0 when everything holds, 1 when something does not, 2 when the command is wrong.
`,
  run: async (argv, output) => {
    const { values, positionals } = parseCommand(argv, {
      out: { type: 'string' },
      lane: { type: 'string' },
      query: { type: 'string' },
      'query-file': { type: 'string' },
      since: { type: 'string' },
      until: { type: 'string' },
      key: { type: 'string', multiple: true },
      checkpoint: { type: 'string', multiple: true },
    });
    const [what, ...rest] = positionals;
    if (what === 'export') {
      if (values.out === undefined || rest.length > 0)
        throw new UsageError('say where to: sentinel audit export --out FILE');
      if (values.lane !== undefined && values.lane !== 'security' && values.lane !== 'observability')
        throw new UsageError(`--lane is ${JSON.stringify(values.lane)}`, 'give security or observability');
      const sinceNs = parseTimeArgument(values.since, '--since');
      const untilNs = parseTimeArgument(values.until, '--until');
      const file = values['query-file'];
      const query = file === undefined ? values.query : readText(file, 'read the query').trim();
      if (query !== undefined && (sinceNs ?? untilNs ?? values.lane) !== undefined)
        throw new UsageError(
          '--query says which records',
          'leave out --lane, --since and --until, and put them in the query',
        );
      const selection =
        query === undefined || query === '' ? undefined : await selectRecords(dataDirOf(values), query);
      const summary = await exportBundle(dataDirOf(values), values.out, {
        lane: values.lane,
        ...(sinceNs === undefined ? {} : { sinceNs }),
        ...(untilNs === undefined ? {} : { untilNs }),
        ...(selection ? { selection } : {}),
      });
      printExport(values.out, summary, selection, values.json, output);
      return 0;
    }
    if (what === 'verify') {
      const [file] = rest;
      if (file === undefined || rest.length > 1)
        throw new UsageError('say which file: sentinel audit verify FILE');
      let report: BundleReport;
      const options = {
        ...(values.key ? { verifier: verifierOfFiles(values.key) } : {}),
        verifierOf: createVerifier,
        checkpoints: readCheckpoints(values.checkpoint ?? []),
      };
      try {
        report = verifyBundle(file, options);
      } catch (error) {
        throw fromSystemError(error, 'read', file);
      }
      output.out(values.json ? `${JSON.stringify(report)}\n` : describe(report));
      return report.ok ? 0 : 1;
    }
    if (what === 'checkpoint' && rest.length === 0) {
      const found = logsOf(dataDirOf(values)).map(({ dir }) => newestCheckpoint(dir));
      for (const payload of found) if (payload) output.out(`${payload.toString('utf8')}\n`);
      return found.some((payload) => payload !== undefined) ? 0 : 1;
    }
    if (what === 'gaps' && rest.length === 0) return await printGaps(values, output);
    throw new UsageError(
      'say: sentinel audit export, verify, checkpoint or gaps',
      'see sentinel audit --help',
    );
  },
};
