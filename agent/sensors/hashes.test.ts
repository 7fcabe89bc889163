import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blake3 } from '@noble/hashes/blake3.js';
import { afterAll, describe, expect, it } from 'vitest';
import { type HashFileResult, loadCore } from '../../native-addon/index.ts';
import type { ProcessInfo } from '../event.ts';
import { ExecutableHasher, type HashRecord, type HashRefusal, identityKey } from './hashes.ts';
import { ProcReader, identityOfStat } from './proc-reader.ts';

const core = loadCore();
const native = core.ok && 'hashFile' in core.addon ? core.addon : undefined;
if (native === undefined)
  console.warn(`hashes.test: skipped, the native addon is not built (${core.ok ? 'stale' : core.reason})`);

const children: ChildProcess[] = [];
const directory = mkdtempSync(join(tmpdir(), 'hashes-'));
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** The input of BLAKE3's official vectors: bytes 0 … 250, repeated. */
function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => index % 251));
}

// test_vectors.json of github.com/BLAKE3-team/BLAKE3, first 32 bytes of "hash" by input length.
const BLAKE3_VECTORS: readonly (readonly [length: number, hex: string])[] = [
  [0, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
  [1, '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213'],
  [1023, '10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11'],
  [1024, '42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7'],
  [1025, 'd00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444'],
  [31744, '62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47'],
  [102400, 'bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085'],
];

// FIPS 180-4 examples and NIST's long message of one million times "a".
const SHA256_VECTORS: readonly (readonly [message: string, hex: string])[] = [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
  ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
];

describe.skipIf(native === undefined)('hashFile (skipped without the native addon)', () => {
  const hash = async (
    content: string | Buffer,
    portable: boolean,
  ): Promise<Extract<HashFileResult, { sha256: string }>> => {
    const path = join(directory, 'vector');
    writeFileSync(path, content);
    const result = await native?.hashFile({ paths: [path], maxBytes: 1e9, portable });
    if (result?.refused !== undefined || result === undefined) throw new Error(`refused: ${result?.detail}`);
    return result;
  };

  it.each([false, true])('agrees with the published vectors (portable: %s)', async (portable) => {
    for (const [message, hex] of SHA256_VECTORS) expect((await hash(message, portable)).sha256).toBe(hex);
    for (const [length, hex] of BLAKE3_VECTORS)
      expect((await hash(pattern(length), portable)).blake3).toBe(hex);
  });

  it('agrees with other implementations around every block and chunk boundary', async () => {
    for (const length of [
      55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 262_143, 262_144, 262_145, 600_001,
    ]) {
      const content = pattern(length);
      const sha256 = createHash('sha256').update(content).digest('hex');
      const expected = { sha256, blake3: Buffer.from(blake3(content)).toString('hex') };
      for (const portable of [false, true]) expect(await hash(content, portable)).toMatchObject(expected);
    }
  });

  it('refuses what is too large, no file, not there, or another file than expected', async () => {
    const path = join(directory, 'refused');
    writeFileSync(path, 'content');
    const ask = async (paths: string[], extra = {}): Promise<string> => {
      const result = await native?.hashFile({ paths, maxBytes: 1000, ...extra });
      return result?.refused ?? 'hashed';
    };
    const { inode, size, mtimeNs, ctimeNs } = identityOfStat(statSync(path, { bigint: true }));
    const expected = { inode: String(inode), size, mtimeNs: String(mtimeNs), ctimeNs: String(ctimeNs) };
    expect(await ask([path], { expected })).toBe('hashed');
    expect(await ask([path], { maxBytes: 6 })).toBe('too_large');
    expect(await ask([directory])).toBe('not_regular');
    expect(await ask([join(directory, 'nothing')])).toBe('gone');
    expect(await ask([join(directory, 'nothing'), path])).toBe('hashed');
    expect(await ask(['/dev/null'])).toBe('not_regular');
    for (const wrong of [{ inode: '1' }, { size: 8 }, { mtimeNs: '5' }, { ctimeNs: '5' }]) {
      expect(await ask([path], { expected: { ...expected, ...wrong } })).toBe('replaced');
    }
  });
});

describe.skipIf(native === undefined)('ExecutableHasher (skipped without the native addon)', () => {
  interface Made {
    hasher: ExecutableHasher;
    records: HashRecord[];
    refusals: HashRefusal[];
    settled: (count: number) => Promise<void>;
  }
  const make = (options = {}): Made => {
    const records: HashRecord[] = [];
    const refusals: HashRefusal[] = [];
    const hasher = new ExecutableHasher({
      native,
      onHash: (record) => records.push(record),
      onRefused: (refusal) => refusals.push(refusal),
      ...options,
    });
    const settled = async (count: number): Promise<void> => {
      for (let turn = 0; turn < 1000 && records.length + refusals.length < count; turn++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    return { hasher, records, refusals, settled };
  };
  const running = async (path: string): Promise<ProcessInfo> => {
    const child = spawn(path, ['300'], { stdio: 'ignore' });
    children.push(child);
    await new Promise((resolve) => child.once('spawn', resolve));
    return new ProcReader().event(child.pid as number, 'exec')?.process as ProcessInfo;
  };
  const sha256Of = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

  it('names every event that asked while the file was hashed', async () => {
    const asked: (readonly number[])[] = [];
    const { hasher } = make({ onHash: (_record: HashRecord, seqs: readonly number[]) => asked.push(seqs) });
    const process = await running('/bin/sleep');
    for (const seq of [7, 9, 12]) hasher.request(process, seq);
    for (let turn = 0; turn < 1000 && asked.length === 0; turn++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(asked).toEqual([[7, 9, 12]]);
  });

  it('hashes a running program once and then answers from memory', async () => {
    const { hasher, records, settled } = make();
    const info = await running('/bin/sleep');
    expect(hasher.request(info, 7)).toBeUndefined();
    expect(hasher.request(info, 8)).toBeUndefined();
    await settled(1);
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ seq: 7, path: info.executable, sha256: sha256Of('/bin/sleep') });
    expect(hasher.request(info, 9)?.sha256).toBe(sha256Of('/bin/sleep'));
    expect(hasher.get(info.exeIdentity as NonNullable<ProcessInfo['exeIdentity']>)?.blake3).toBe(
      records[0]?.blake3,
    );
    expect(hasher.stats()).toMatchObject({ hashed: 1, hits: 1, entries: 1 });
  });

  it('hashes a program that was deleted, through its process', async () => {
    const { hasher, records, settled } = make();
    const path = join(directory, 'gone-sleep');
    copyFileSync('/bin/sleep', path);
    await running(path).then(async (info) => {
      unlinkSync(path);
      // What the kernel would say at exec: the identity while the file had its name.
      const now = new ProcReader().event(info.pid, 'exec')?.process;
      hasher.request({ ...info, exeIdentity: now?.exeIdentity }, 1);
      await settled(1);
    });
    expect(records[0]?.sha256).toBe(sha256Of('/bin/sleep'));
  });

  it('gives no digest for a file that was replaced after it ran', async () => {
    const { hasher, records, refusals, settled } = make();
    const path = join(directory, 'replaced');
    writeFileSync(path, 'first');
    const exeIdentity = identityOfStat(statSync(path, { bigint: true }));
    writeFileSync(path, 'other');
    utimesSync(path, 1, 1);
    hasher.request({ pid: 4_194_303, startNs: 1n, name: 'x', executable: path, exeIdentity }, 1);
    await settled(1);
    expect(records).toEqual([]);
    expect(refusals[0]?.reason).toMatch(/replaced|gone/);
    expect(hasher.get(exeIdentity)).toBeUndefined();
    // Asked again soon, it is not tried again at once.
    hasher.request({ pid: 4_194_303, startNs: 1n, name: 'x', executable: path, exeIdentity }, 2);
    expect(hasher.stats()).toMatchObject({ queued: 0, refused: 1 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(refusals).toHaveLength(1);
  });

  it('remembers that a file is too large, and bounds its memory and its queue', async () => {
    const { hasher, refusals, settled } = make({ maxBytes: 10, maxEntries: 2, maxQueue: 3 });
    const processes: ProcessInfo[] = [];
    for (let index = 0; index < 6; index++) {
      const path = join(directory, `large-${index}`);
      writeFileSync(path, 'longer than ten bytes');
      const exeIdentity = identityOfStat(statSync(path, { bigint: true }));
      processes.push({ pid: 4_194_303, startNs: 1n, name: 'x', executable: path, exeIdentity });
    }
    for (const info of processes) hasher.request(info, 1);
    await settled(4);
    // One runs at once, three wait, two are turned away.
    expect(refusals.map(({ reason }) => reason)).toEqual([
      'too_large',
      'too_large',
      'too_large',
      'too_large',
    ]);
    expect(refusals[0]?.detail).toBe('21 bytes, the limit is 10');
    expect(hasher.stats()).toMatchObject({ skipped: 2, entries: 2, evictions: 2, refused: 4 });
    hasher.request(processes[3] as ProcessInfo, 2);
    expect(hasher.stats().queued).toBe(0);
  });
});

describe('ExecutableHasher', () => {
  it('asks for nothing where the addon is absent or the record names no file', () => {
    const hasher = new ExecutableHasher({ onHash: () => expect.unreachable() });
    expect(hasher.disabled === undefined).toBe(core.ok);
    expect(hasher.request({ pid: 1, startNs: 1n, name: 'x' }, 1)).toBeUndefined();
    const exeIdentity = { dev: 1, inode: 2n, mtimeNs: 3n, ctimeNs: 4n, size: 5 };
    expect(identityKey(exeIdentity)).toBe('1:2:3:4:5');
  });

  it('goes on when a file never answers, but not for more than two of them', async () => {
    const started: string[] = [];
    const never = {
      hashFile: (request: { paths: readonly string[] }) => {
        started.push(request.paths[1] as string);
        return new Promise<never>(() => undefined);
      },
    };
    const hasher = new ExecutableHasher({ native: never, onHash: () => undefined });
    for (let index = 0; index < 4; index++) {
      const exeIdentity = { dev: 1, inode: BigInt(index), mtimeNs: 3n, ctimeNs: 4n, size: 5 };
      hasher.request({ pid: 1, startNs: 1n, name: 'x', executable: `/mnt/${index}`, exeIdentity }, 1);
    }
    expect(started).toEqual(['/mnt/0']);
    expect(hasher.stats().queued).toBe(3);
  });
});
