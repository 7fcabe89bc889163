/** Who gets at what in the data folder of a real agent: its own user everything, the group the socket, others nothing. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { groupId } from '../../agent/api/socket-server.ts';
import { dataPaths, lockDataDir, protectDataDir } from '../../agent/data-dir.ts';
import { startAgentProcess } from './packaged-agent.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('SKIPPED: other users of the data folder need root to be');
const parent = mkdtempSync(join(tmpdir(), 'sentinel-permissions-'));
chmodSync(parent, 0o755);
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const NOBODY = 65534;

/** What a user with that group can do with a path: `connect`, `list` or `read`; the outcome is `ok` or an error code. */
function asUser(gid: number, what: 'connect' | 'list' | 'read', path: string): string {
  const script = `
    const [what, path] = process.argv.slice(1);
    const fs = require('node:fs');
    const say = (error) => { console.log(error ? error.code : 'ok'); process.exit(0); };
    try {
      if (what === 'list') fs.readdirSync(path);
      else if (what === 'read') fs.readFileSync(path);
      else require('node:net').connect(path).on('connect', () => say()).on('error', say);
      if (what !== 'connect') say();
    } catch (error) { say(error); }`;
  const result = spawnSync(process.execPath, ['-e', script, what, path], {
    uid: NOBODY,
    gid,
    encoding: 'utf8',
  });
  return result.stdout.trim();
}

describe.skipIf(!isRoot)('the data folder (skipped: needs root)', () => {
  it('lets the group through to the socket, and nobody to what is stored', async () => {
    const data = join(parent, 'shared');
    const lock = lockDataDir(data);
    const paths = dataPaths(data);
    const umask = process.umask(0o022);
    mkdirSync(paths.securityLog, { recursive: true });
    const segment = join(paths.securityLog, 'segment');
    for (const path of [paths.timeline, paths.epoch, segment]) writeFileSync(path, 'secret', { mode: 0o644 });
    process.umask(umask);
    const daemon = groupId('daemon')!;
    const server = createServer().listen(paths.socket);
    await new Promise((done) => server.once('listening', done));
    chmodSync(paths.socket, 0o666);
    protectDataDir(data, daemon, lock.isOurs);
    try {
      expect(lock.isOurs).toBe(true);
      expect(asUser(daemon, 'connect', paths.socket)).toBe('ok');
      expect(asUser(daemon, 'list', data)).toBe('EACCES');
      for (const path of [paths.timeline, paths.epoch, segment, paths.lock]) {
        expect([path, asUser(daemon, 'read', path)]).toEqual([path, 'EACCES']);
      }
      expect(asUser(NOBODY, 'connect', paths.socket)).toBe('EACCES');
    } finally {
      server.close();
      lock.release();
    }
  });

  it('of a running agent holds nothing that others may read, whatever the umask of who started it', async () => {
    const umask = process.umask(0);
    const data = join(parent, 'own');
    const agent = await startAgentProcess({
      dataDir: data,
      args: ['--console', 'off', '--sensor', 'proc'],
    }).finally(() => process.umask(umask));
    await agent.stop();
    const open: string[] = [];
    const visit = (folder: string): void => {
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) visit(path);
        // The public key is public.
        else if (entry.isFile() && entry.name !== 'device.pub' && (statSync(path).mode & 0o077) !== 0)
          open.push(path);
      }
    };
    visit(data);
    expect(open).toEqual([]);
  });
});
