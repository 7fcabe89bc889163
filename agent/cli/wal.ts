/** `sentinel wal verify`: the logs checked from the files and the public key alone. */
import { existsSync } from 'node:fs';
import { checkpointBytes, readCheckpoint } from '../audit/checkpoint.ts';
import { verifyGap } from '../audit/gap.ts';
import { dataPaths } from '../data-dir.ts';
import { SentinelError, UsageError } from '../errors.ts';
import type { VerifyReport } from '../wal/verify-report.ts';
import { verifyWal } from '../wal/verify.ts';
import { dataDirOf, parseCommand, type Command } from './command.ts';
import { verifierOfFiles } from './public-keys.ts';

function describe(report: VerifyReport): string {
  const { lane, segments, commits, records, firstSeq, lastSeq, checkpoints, gaps, coveredUpToSeq } = report;
  const lines = [
    `${lane || report.dir}: ${report.ok ? 'ok' : 'NOT OK'}, ${records} records (${firstSeq} to ${lastSeq}) in ` +
      `${commits} commits, ${segments} segments; ${checkpoints} checkpoints cover up to ${coveredUpToSeq}, ${gaps} gaps`,
  ];
  for (const finding of report.findings) {
    const place = [`segment ${finding.segment}`, `byte ${finding.offset}`];
    if (finding.commitNo !== undefined) place.push(`commit ${finding.commitNo}`);
    if (finding.seq !== undefined) place.push(`record ${finding.seq}`);
    lines.push(`  ${finding.level} ${finding.kind} at ${place.join(', ')}: ${finding.detail}`);
  }
  const more = report.findingCount - report.findings.length;
  if (more > 0) lines.push(`  and ${more} more`);
  return `${lines.join('\n')}\n`;
}

export const command: Command = {
  summary: 'verify the write-ahead logs',
  usage: `usage: sentinel wal verify [--data DIR] [--key FILE]... [--json]

Checks every segment of both logs: headers, checksums, hash chain, sequence numbers, signatures of checkpoints and
gaps. Needs only the files and the public key (DIR/keys/device.pub, or --key, which may be given several times).
Exit code 0 when everything holds, 1 when something does not, with the place of each problem.
`,
  run: async (argv, output) => {
    const { values, positionals } = parseCommand(argv, { key: { type: 'string', multiple: true } });
    if (positionals.length !== 1 || positionals[0] !== 'verify')
      throw new UsageError('say: sentinel wal verify');
    const dataDir = dataDirOf(values);
    const paths = dataPaths(dataDir);
    if (!existsSync(paths.securityLog)) {
      throw new SentinelError(
        'no_data',
        `there are no logs in ${dataDir}`,
        'name the data folder with --data',
      );
    }
    const verifier = verifierOfFiles(values.key ?? [paths.publicKey]);
    const reports = [];
    for (const dir of [paths.securityLog, paths.observabilityLog]) {
      if (!existsSync(dir)) continue;
      reports.push(
        await verifyWal(dir, {
          checkCheckpoint: (payload) => {
            const checkpoint = readCheckpoint(payload);
            if (!checkpoint) return undefined;
            return {
              ...checkpoint,
              valid: verifier(checkpoint.keyId, checkpointBytes(checkpoint), checkpoint.signature),
            };
          },
          checkGap: (payload) => verifyGap(payload, verifier),
        }),
      );
    }
    const ok = reports.every((report) => report.ok);
    if (values.json) output.out(`${JSON.stringify({ ok, logs: reports })}\n`);
    else for (const report of reports) output.out(describe(report));
    return ok ? 0 : 1;
  },
};
