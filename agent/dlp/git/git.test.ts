/** Against git itself: what it wrote is read, and what it says is outgoing is what is found. */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyDelta, GitObjects, TooLarge } from './objects.ts';
import { outgoingBlobs } from './outgoing.ts';
import { pushCommand } from './push-command.ts';
import {
  findRepository,
  refsBelow,
  remoteBefore,
  remoteOf,
  resolveName,
  withoutCredentials,
} from './repository.ts';

const hasGit = spawnSync('git', ['--version']).status === 0;
if (!hasGit) console.warn('SKIPPED: git repositories: there is no git to make them');
const LIMITS = { maxCommits: 1000, maxBlobs: 1000, untilMs: Number.POSITIVE_INFINITY };

let folder: string;
let repo: string;

function git(...args: string[]): string {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };
  const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'init.defaultBranch=main'];
  return execFileSync('git', [...who, ...args], { cwd: repo, env, encoding: 'utf8' }).trim();
}

function commit(name: string, content: string | Buffer): string {
  mkdirSync(join(repo, name, '..'), { recursive: true });
  writeFileSync(join(repo, name), content);
  git('add', '-A');
  git('commit', '-qm', name);
  return git('rev-parse', 'HEAD');
}

async function objectsOf(width = 20, maxBytes = 1 << 20): Promise<GitObjects> {
  const found = await findRepository('', repo);
  return new GitObjects(join(found!.commonDir, 'objects'), width, maxBytes);
}

/** Every object as git gives it, against every object as it is read here. */
async function compareAll(width = 20): Promise<number> {
  const objects = await objectsOf(width);
  const list = git('cat-file', '--batch-all-objects', '--batch-check').split('\n');
  for (const line of list) {
    const [id = '', type = ''] = line.split(' ');
    const found = await objects.read(id);
    const expected = execFileSync('git', ['cat-file', type, id], { cwd: repo, maxBuffer: 1 << 24 });
    expect(found?.type).toBe(type);
    expect(found?.bytes.equals(expected)).toBe(true);
  }
  await objects.close();
  return list.length;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sentinel-git-'));
  repo = join(folder, 'repo');
  mkdirSync(repo);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe.skipIf(!hasGit)('objects of git', () => {
  it('are read whether loose, packed, as deltas, or in another repository that this one borrows from', async () => {
    git('init', '-q');
    const lines = Array.from({ length: 800 }, (_, at) => `line ${at} ${at * 7919}`);
    for (let round = 0; round < 6; round++) {
      lines[round * 100] = `changed in ${round}`;
      commit('deep/er/big.txt', lines.join('\n'));
    }
    commit('random.bin', Buffer.from(Array.from({ length: 50_000 }, (_, at) => (at * at * 31) >>> 3)));
    git('tag', '-a', 'v1', '-m', 'annotated');
    const loose = await compareAll();
    git('gc', '-q', '--aggressive', '--prune=now');
    expect(git('count-objects', '-v')).toMatch(/^count: 0$/m);
    expect(await compareAll()).toBe(loose);
    execFileSync('git', ['clone', '-q', '--shared', repo, join(folder, 'other')]);
    repo = join(folder, 'other');
    expect(await compareAll()).toBe(loose);
    const small = await objectsOf(20, 1000);
    await expect(small.read(git('rev-parse', 'HEAD:random.bin'))).rejects.toBeInstanceOf(TooLarge);
    await small.close();
  });

  it('can be named by SHA-256', async () => {
    git('init', '-q', '--object-format=sha256');
    commit('a.txt', 'hello');
    commit('b.txt', 'hello again');
    expect(await compareAll(32)).toBeGreaterThan(5);
    git('gc', '-q');
    await compareAll(32);
  });

  it('may be damaged anywhere without more than being missing', async () => {
    git('init', '-q');
    for (let round = 0; round < 5; round++)
      commit('a.txt', `${'x'.repeat(round * 100)}\n${round}\n`.repeat(50));
    git('gc', '-q');
    const ids = git('cat-file', '--batch-all-objects', '--batch-check=%(objectname)').split('\n');
    const packs = execFileSync('sh', ['-c', 'ls .git/objects/pack/*'], { cwd: repo, encoding: 'utf8' });
    // An index that points behind the end of its pack, for each object, by a short and by a long offset.
    const index = packs
      .trim()
      .split('\n')
      .find((each) => each.endsWith('.idx')) as string;
    const sound = readFileSync(join(repo, index));
    const offsets = 1032 + ids.length * 24;
    for (const far of [
      [0x7f, 0xff, 0xff, 0xff],
      [0x80, 0, 0, 0],
    ]) {
      const bytes = Buffer.from(sound);
      for (let at = 0; at < ids.length; at++) Buffer.from(far).copy(bytes, offsets + 4 * at);
      bytes.fill(0xff, offsets + 4 * ids.length, offsets + 4 * ids.length + 8);
      rmSync(join(repo, index), { force: true });
      writeFileSync(join(repo, index), bytes);
      const objects = await objectsOf();
      for (const id of ids) expect(await objects.read(id)).toBeUndefined();
      await objects.close();
    }
    writeFileSync(join(repo, index), sound);
    for (const name of packs
      .trim()
      .split('\n')
      .filter((each) => /(idx|pack)$/.test(each))) {
      const whole = readFileSync(join(repo, name));
      for (let at = 0; at < whole.length; at += 37) {
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] ?? 0) ^ 0xff;
        rmSync(join(repo, name), { force: true });
        writeFileSync(join(repo, name), at % 2 === 0 ? bytes : whole.subarray(0, at));
        const objects = await objectsOf();
        for (const id of ids.slice(0, 6))
          await objects.read(id).catch((error) => expect(error).toBeInstanceOf(TooLarge));
        await objects.close();
      }
      rmSync(join(repo, name), { force: true });
      writeFileSync(join(repo, name), whole);
    }
    expect(applyDelta(Buffer.from('abc'), Buffer.from([3, 4, 0x90, 4]), 100)).toBeUndefined();
    expect(() => applyDelta(Buffer.from('abc'), Buffer.from([3, 0xff, 0xff, 0x7f]), 100)).toThrow(TooLarge);
  });
});

describe.skipIf(!hasGit)('what a push sends', () => {
  async function outgoing(tips: string[], known: Iterable<string>): Promise<string[]> {
    const objects = await objectsOf();
    const ids = await Promise.all(
      tips.map(async (tip) => resolveName((await findRepository('', repo))!, tip)),
    );
    const found = await outgoingBlobs(objects, ids as string[], known, LIMITS);
    await objects.close();
    expect(found.cut).toBe('');
    return found.blobs.map(({ id, path }) => `${id} ${path}`).sort();
  }
  /** By git: the files among the objects that are reachable from one and not from the other. */
  function byGit(...range: string[]): string[] {
    const lines = git('rev-list', '--objects', '--filter=tree:99', ...range).split('\n');
    return lines
      .filter((line) => {
        const [id = '', path = ''] = line.split(' ');
        return path !== '' && git('cat-file', '-t', id) === 'blob';
      })
      .sort();
  }

  it('is what git would send: over branches, merges and tags', async () => {
    git('init', '-q');
    commit('a.txt', 'one');
    const base = commit('dir/b.txt', 'two');
    git('checkout', '-qb', 'side');
    commit('side/c.txt', 'three');
    const side = commit('side/d.txt', 'four');
    git('checkout', '-q', 'main');
    commit('dir/b.txt', 'five');
    git('merge', '-q', '--no-edit', 'side');
    commit('dir/e.txt', 'six');
    git('tag', '-a', 'v1', '-m', 'x');
    expect(await outgoing(['HEAD'], [base])).toEqual(byGit('HEAD', `^${base}`));
    expect(await outgoing(['main'], [side])).toEqual(byGit('main', `^${side}`));
    expect(await outgoing(['v1'], [])).toEqual(byGit('v1'));
    expect(await outgoing(['HEAD'], [git('rev-parse', 'HEAD')])).toEqual([]);
    git('gc', '-q');
    expect(await outgoing(['main'], [base])).toEqual(byGit('main', `^${base}`));
  });

  it('is known after the push, too, from what git noted of it', async () => {
    git('init', '-q');
    const first = commit('a.txt', 'one');
    execFileSync('git', ['init', '-q', '--bare', join(folder, 'bare')]);
    git('remote', 'add', 'origin', join(folder, 'bare'));
    git('push', '-q', 'origin', 'main');
    // Pushes are noted by the second.
    const future = Date.now() + 5000;
    const repository = (await findRepository('', join(repo)))!;
    expect([...(await remoteBefore(repository, 'origin', future))]).toEqual([first]);
    const before = Date.now() - 60_000;
    expect([...(await remoteBefore(repository, 'origin', before))]).toEqual([]);
    git('pack-refs', '--all');
    expect((await refsBelow(repository, 'refs/remotes/origin/')).get('refs/remotes/origin/main')).toBe(first);
  });
});

describe('remotes and commands', () => {
  it('are told without user names, passwords and queries', () => {
    for (const [url, told] of [
      ['https://me:token@host.example/x.git?k=v#f', 'https://host.example/x.git'],
      ['https://me:to@ken@host.example/x.git', 'https://host.example/x.git'],
      ['ssh://git@host.example:22/x.git', 'ssh://host.example:22/x.git'],
      ['git@host.example:team/x.git', 'host.example:team/x.git'],
      ['/srv/git/x.git', '/srv/git/x.git'],
      ['/srv/git/a@b:c.git', '/srv/git/a@b:c.git'],
      ['ext::ssh://u:p@host/x', 'ext::ssh://host/x'],
    ])
      expect(withoutCredentials(url ?? '')).toBe(told);
    const config = new Map([
      ['remote.up.url', 'https://u:p@h/x'],
      ['branch.main.remote', 'up'],
    ]);
    const repository = { gitDir: '', commonDir: '', workTree: '', config };
    expect(remoteOf(repository, 'main', undefined)).toEqual({ name: 'up', url: 'https://h/x' });
    expect(remoteOf(repository, 'main', 'https://u:p@i/y')).toEqual({
      name: 'https://i/y',
      url: 'https://i/y',
    });
  });

  it('push, or do not', () => {
    const at = (...argv: string[]) => pushCommand(argv, '/home/a');
    expect(at('git', 'push')).toMatchObject({ folder: '/home/a', refspecs: [], helper: false });
    expect(
      at('/usr/bin/git', '-C', 'x', '-c', 'a=b', 'push', '-u', 'up', 'main:other', '--force'),
    ).toMatchObject({
      folder: '/home/a/x',
      remote: 'up',
      refspecs: ['main:other'],
    });
    expect(at('git', '--git-dir=/srv/x.git', 'push', '-o', 'ci.skip', '--tags')).toMatchObject({
      gitDir: '/srv/x.git',
      refspecs: [],
      tags: true,
    });
    expect(at('git', 'send-pack', '--stateless-rpc', 'x')?.helper).toBe(true);
    expect(at('ssh', '-o', 'SendEnv=X', 'git@host', "git-receive-pack 'x.git'")?.helper).toBe(true);
    expect(
      at('/bin/sh', '-c', "git-receive-pack '/srv/x.git'", "git-receive-pack '/srv/x.git'")?.helper,
    ).toBe(true);
    for (const argv of [
      ['git', 'fetch'],
      ['git', 'commit', '-m', 'push'],
      ['git', 'stash', 'push'],
      ['git', 'push', '--dry-run'],
      ['git', 'push', '-d', 'origin', 'x'],
      ['git-receive-pack', '/srv/x.git'],
      ['ssh', 'host', "git-upload-pack 'x'"],
      ['grep', 'push', 'git'],
      [],
    ])
      expect([argv, at(...argv)]).toEqual([argv, undefined]);
  });

  it('belong to a repository found as git finds it', async () => {
    mkdirSync(join(repo, 'real', 'deep'), { recursive: true });
    expect(await findRepository('', join(repo, 'real', 'deep'))).toBeUndefined();
    mkdirSync(join(repo, 'store'));
    writeFileSync(join(repo, 'store', 'HEAD'), 'ref: refs/heads/main\n');
    writeFileSync(join(repo, 'store', 'config'), '[Remote "A b"]\n\turl = "x"\n');
    appendFileSync(join(repo, 'real', '.git'), 'gitdir: ../store\n');
    const found = await findRepository('', join(repo, 'real', 'deep'));
    expect(found).toMatchObject({ gitDir: join(repo, 'store'), workTree: join(repo, 'real') });
    expect(found?.config.get('remote.A b.url')).toBe('x');
  });
});
