/** `sentinel wal verify`: the logs checked from the files and the public key alone. */
import { createPublicKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { checkpointBytes, readCheckpoint } from '../audit/checkpoint.ts';
import { verifyGap } from '../audit/gap.ts';
import { dataPaths } from '../data-dir.ts';
import { fromSystemError, SentinelError, UsageError } from '../errors.ts';
import { createVerifier, type SignatureVerifier } from '../identity/identity.ts';
import { verifyWal, type WalVerifyReport } from '../wal/verify.ts';
import { dataDirOf, parseCommand, type Command } from './command.ts';

function loadVerifier(paths: readonly string[]): SignatureVerifier {
  const pems = paths.map((path) => {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      throw fromSystemError(error, 'read the public key', path);
    }
    try {
      createPublicKey(text);
    } catch (error) {
      throw new SentinelError(
        'bad_key',
        `${path} is not a public key in PEM`,
        'give the device.pub of the device',
        { cause: error },
      );
    }
    return text;
  });
  return createVerifier(pems);
}

function describe(report: WalVerifyReport): string {
  const lines = [
    `${report.ok ? 'OK ' : 'BAD'} ${report.dir}: ${report.records} records (${report.firstSeq} to ${report.lastSeq}) in ${report.commits} commits and ${report.segments} segments`,
    `    ${report.checkpoints} signed checkpoints, the last up to record ${report.signedUpToSeq}; ${report.gaps} signed gaps`,
  ];
  for (const { severity, kind, segment, offset, commitNo, seq, detail } of report.findings) {
    const commit = commitNo === undefined ? '' : `, commit ${commitNo}`;
    const record = seq === undefined ? '' : `, record ${seq}`;
    lines.push(
      `    ${severity === 'error' ? 'PROBLEM' : 'note'} ${kind}: ${segment} at byte ${offset}${commit}${record}: ${detail}`,
    );
  }
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
    const verifier = loadVerifier(values.key ?? [paths.publicKey]);
    const reports = [];
    for (const dir of [paths.securityLog, paths.observabilityLog]) {
      if (!existsSync(dir)) continue;
      reports.push(
        verifyWal(dir, {
          checkCheckpoint: (payload) => {
            const checkpoint = readCheckpoint(payload);
            if (!checkpoint) return undefined;
            const { keyId, signature } = checkpoint;
            return { ...checkpoint, valid: verifier(keyId, checkpointBytes(checkpoint), signature) };
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
