/** A data folder with all that a bundle can hold, and the verifier, as it is or with a deliberate mistake. */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decisionRecord, policyTextRecord } from '../../agent/audit/decision.ts';
import { Checkpointer } from '../../agent/audit/checkpoint.ts';
import type { verifyBundle } from '../../agent/audit/bundle-verify.ts';
import { gapRecord } from '../../agent/audit/gap.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import type { DecisionInfo } from '../../agent/event.ts';
import { openIdentity } from '../../agent/identity/identity.ts';
import { blake3 } from '../../agent/wal/blake3.ts';
import { openWal } from '../../agent/wal/open.ts';
import { smallWal, textRecord } from '../../agent/wal/testing.ts';

export const POLICY_TEXT = 'id: no-tmp-exec\naction: deny_exec\n';
const POLICY_HASH = blake3(Buffer.from(POLICY_TEXT)).toString('hex');

export function decisionAbout(eventId: number, number: number): DecisionInfo {
  return {
    decisionId: number.toString(16).padStart(32, '0'),
    policyId: 'no-tmp-exec',
    policyVersion: 1,
    policyHash: POLICY_HASH,
    policyTitle: 'Programs in /tmp',
    policyState: 'active',
    severity: 'high',
    eventId,
    evidence: [],
    action: 'deny_exec',
    wouldBe: false,
    guardian: 'agent',
    effect: { state: 'applied', mechanism: 'pidfd_sigkill', guarantee: 'killed after start' },
    rationale: { clauses: [{ text: 'a == b', value: 'b', result: 'true' }], nearMisses: [] },
    latencyNs: { eventToDecision: 100_000 },
    aheadOfRecord: false,
  };
}

/** Two runs in both logs: ordinary records, decisions, a policy text, gaps; a checkpoint after each third commit. */
export async function writeDataDir(dataDir: string, epochs = [1, 2]): Promise<void> {
  const paths = dataPaths(dataDir);
  const identity = openIdentity(dataDir);
  const { deviceId } = identity;
  for (const epoch of epochs) {
    for (const lane of ['security', 'observability'] as const) {
      const dir = lane === 'security' ? paths.securityLog : paths.observabilityLog;
      const { writer } = await openWal(smallWal(dir, { epoch, lane, deviceId }));
      const checkpoints = new Checkpointer(writer, identity, () => BigInt(Date.now()) * 1_000_000n);
      for (let commit = 0; commit < 12; commit++) {
        const records = Array.from({ length: 4 }, (_, i) =>
          textRecord(`${lane} ${epoch} ${commit} ${i} `.repeat(20)),
        );
        if (lane === 'security' && commit === 3) {
          if (epoch === 1) records.push(policyTextRecord(POLICY_HASH, POLICY_TEXT, 5n));
          records.push(decisionRecord(decisionAbout(4, commit), 6n));
          const gap = { lane, cause: 'ring_full', count: 3, cpu: 1, fromNs: 1n, toNs: 2n } as const;
          records.push(gapRecord(gap, identity, 7n));
        }
        await writer.whenDurable(writer.append(records, true) + records.length - 1);
        if (commit % 3 === 2) checkpoints.sign();
      }
      checkpoints.sign();
      // Nothing but the closing of a bundle covers these.
      const after = [textRecord(`${lane} ${epoch} last`), textRecord(`${lane} ${epoch} very last`)];
      await writer.whenDurable(writer.append(after, true) + 1);
      await writer.close();
    }
  }
}

export interface VerifierMutant {
  name: string;
  /** Below agent/; the text that is replaced must be there exactly once. */
  file: string;
  from: string;
  to: string;
}

const root = join(import.meta.dirname, '..', '..');
const PARTS = ['audit', 'wal', 'identity', 'event.ts', 'event-json.ts', 'errors.ts'];

/** The verifier, from a copy of its modules with the mistake. */
export async function verifierWith(mutant: VerifierMutant): Promise<typeof verifyBundle> {
  const folder = join(root, 'out', 'crash', `audit-${mutant.name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'agent'), { recursive: true });
  symlinkSync(join(root, 'native-addon'), join(folder, 'native-addon'));
  for (const part of PARTS) {
    cpSync(join(root, 'agent', part), join(folder, 'agent', part), {
      recursive: true,
      filter: (path) => !path.endsWith('.test.ts'),
    });
  }
  const path = join(folder, 'agent', mutant.file);
  const text = readFileSync(path, 'utf8');
  if (text.split(mutant.from).length !== 2) throw new Error(`mutant ${mutant.name}: its place moved`);
  writeFileSync(
    path,
    text.replace(mutant.from, () => mutant.to),
  );
  const module = (await import(/* @vite-ignore */ join(folder, 'agent', 'audit', 'bundle-verify.ts'))) as {
    verifyBundle: typeof verifyBundle;
  };
  return module.verifyBundle;
}
