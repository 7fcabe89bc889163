import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GapInfo } from '../event.ts';
import { createVerifier, openIdentity } from '../identity/identity.ts';
import { gapRecord, readGap, verifyGap } from './gap.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'sentinel-identity-'));
const identity = openIdentity(dataDir);
const gap: GapInfo = {
  lane: 'security',
  cause: 'ring_full',
  count: 1204,
  hook: 'sched_process_exec',
  cpu: 1,
  fromNs: 1_700_000_000_000_000_000n,
  toNs: 1_700_000_002_000_000_000n,
};

describe('identity', () => {
  it('keeps the private key to its owner and comes back the same', () => {
    expect(statSync(join(dataDir, 'keys/device.key')).mode & 0o777).toBe(0o600);
    const again = openIdentity(dataDir);
    expect([again.deviceId, again.keyId]).toEqual([identity.deviceId, identity.keyId]);
  });

  it('names the file when the key is not one', () => {
    const broken = mkdtempSync(join(tmpdir(), 'sentinel-identity-'));
    openIdentity(broken);
    writeFileSync(join(broken, 'keys/device.key'), 'garbage');
    expect(() => openIdentity(broken)).toThrow(/device\.key is not a private key/);
  });
});

describe('integrity gap', () => {
  const payload = Buffer.from(gapRecord(gap, identity, gap.toNs).payload);
  const verifier = createVerifier([readFileSync(join(dataDir, 'keys/device.pub'), 'utf8')]);

  it('reads back as written', () => {
    expect(readGap(payload)).toMatchObject(gap);
  });

  it('verifies as written and not with any member changed', () => {
    expect(verifyGap(payload, verifier)).toBe(true);
    for (const [from, to] of [
      ['1204', '1203'],
      ['ring_full', 'ring_fulm'],
      ['"cpu":1', '"cpu":0'],
      ['1700000002', '1700000003'],
      ['sched_process_exec', 'sched_process_exit'],
      ['"lane":"security"', '"lane":"observability"'],
    ] as const) {
      const changed = payload.toString('utf8').replace(from, to);
      expect(changed).not.toBe(payload.toString('utf8'));
      expect(verifyGap(Buffer.from(changed), verifier), `${from} -> ${to}`).toBe(false);
    }
  });

  it('does not verify with another device key', () => {
    const other = openIdentity(mkdtempSync(join(tmpdir(), 'sentinel-identity-')));
    expect(verifyGap(payload, createVerifier([other.publicKeyPem]))).toBe(false);
  });
});
