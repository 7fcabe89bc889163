/**
 * Wrong input and hostile surroundings, against the real command and the real agent: each time a message that says what
 * is wrong and where, or a correct record; never a stack trace, a hang or a silent loss.
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { dataPaths } from '../../agent/data-dir.ts';
import { writeReplayFile } from '../../agent/sensors/replay-file.ts';
import { generateWorkload } from '../../agent/sensors/workload.ts';
import { openTimeline } from '../../agent/store/timeline.ts';
import { RecordType } from '../../agent/wal/types.ts';
import { allEvents, allGaps, eventually, ROOT } from './agent-process.ts';
import {
  agentOn,
  ended,
  endAll,
  newFolder,
  readLog,
  removeAll,
  report,
  start,
} from './validation-support.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('SKIPPED: full disk and hostile names on the kernel sensor need root');
const mounts: string[] = [];
afterEach(async () => {
  await endAll();
  for (const mount of mounts.splice(0)) spawnSync('umount', [mount]);
});
afterAll(removeAll);

/** Runs the command to its end, as its own user if one is given. */
function sentinel(
  args: readonly string[],
  uid?: number,
): { status: number | null; stdout: string; stderr: string } {
  const result = spawnSync(process.execPath, [join(ROOT, 'agent', 'main.ts'), ...args], {
    encoding: 'utf8',
    timeout: 30_000,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  expect(result.stderr).not.toMatch(/\n\s+at |Error:|node:internal/);
  return result;
}

describe('wrong input to the command', () => {
  const dir = newFolder();
  const garbage = join(dir, 'garbage');
  writeFileSync(garbage, Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 197 + 13) & 0xff)));
  const badRule = join(dir, 'broken.yml');
  writeFileSync(badRule, 'title: broken\ndetection:\n  sel: [a\n  condition: sel\n');
  const setting = join(dir, 'setting.yaml');
  writeFileSync(setting, 'log:\n  level: loud\n');
  const data = join(dir, 'data');

  it.each([
    ['an unknown flag', ['run', '--sensr', 'proc'], 2, /unknown flag --sensr.*did you mean --sensor/],
    ['an unknown command', ['evnts'], 2, /no command "evnts".*did you mean events/],
    ['binary garbage as configuration', ['run', '--config', garbage], 2, /garbage is not UTF-8 text/],
    ['a missing configuration', ['run', '--config', join(dir, 'none')], 1, /none/],
    ['a wrong setting', ['run', '--config', setting], 2, /setting\.yaml:2: .*log\.level.*allowed: /],
    ['a wrong port', ['run', '--port', '99999'], 2, /--port: .*0 to 65535/],
    [
      'a recording that is none',
      ['run', '--data', data, '--console', 'off', '--sensor', `replay:${garbage}`],
      1,
      /not a replay file/,
    ],
    [
      'a cgroup that is none',
      ['run', '--data', data, '--console', 'off', '--scope', 'cgroup:/no/such'],
      1,
      /no\/such/,
    ],
    [
      'a process that is none',
      ['run', '--data', data, '--console', 'off', '--scope', 'pid:4194305'],
      1,
      /no process 4194305/,
    ],
    [
      'a folder below a file',
      ['run', '--data', join(garbage, 'x')],
      1,
      /cannot write to the data folder .*another place with --data/,
    ],
    [
      'a folder where none can be',
      ['run', '--data', '/proc/sentinel'],
      1,
      /cannot write to the data folder \/proc\/sentinel/,
    ],
    ['a folder without data', ['events', '--data', join(dir, 'none')], 1, /no Sentinel data in .*none/],
  ] as const)('%s is refused with a message that names it', (_what, args, status, message) => {
    const result = sentinel(args);
    expect(result.stderr).toMatch(message);
    expect(result.stderr.split('\n').length).toBeLessThan(8);
    expect(result.status).toBe(status);
  });

  it('a broken rule is named with its line, and the sound one beside it loads', () => {
    const sound = join(dir, 'sound.yml');
    writeFileSync(
      sound,
      'title: sound\nid: 0b1f9a52-6a0e-4c57-9d55-1f1d2c3b4a59\nstatus: test\nlevel: low\n' +
        'logsource: {product: linux, category: process_creation}\n' +
        'detection:\n  sel:\n    Image|endswith: /nc\n  condition: sel\n',
    );
    const { status, stdout } = sentinel(['rules', 'check', badRule, sound, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ loaded: 1, failed: [{ file: badRule, line: 4 }] });
    expect(status).toBe(1);
  });

  it('a query with an error points at the column', async () => {
    const agent = await agentOn(data, '--sensor', 'proc');
    const { status, stderr } = sentinel(['events', '--data', data, 'image:*/sh and (type:process']);
    expect(stderr).toMatch(/column \d+: /);
    expect(stderr).toContain('^');
    expect(status).toBe(2);
    expect(await agent.end('SIGTERM')).toBe(0);
  });

  it.skipIf(!isRoot)(
    'a folder one may not write to is refused (skipped: needs root to become someone else)',
    () => {
      const locked = join(newFolder(), 'locked');
      mkdirSync(locked);
      chmodSync(join(locked, '..'), 0o755);
      chownSync(locked, 0, 0);
      chmodSync(locked, 0o755);
      const { status, stderr } = sentinel(['run', '--data', locked], 65_534);
      expect(stderr).toMatch(/cannot write to the data folder .*locked \(EACCES\)/);
      expect(status).toBe(1);
    },
  );
});

describe('hostile surroundings of the agent', () => {
  it('a second agent on the same folder is refused and the first goes on', async () => {
    const data = join(newFolder(), 'data');
    const agent = await agentOn(data, '--sensor', 'proc');
    const { status, stderr } = sentinel(['run', '--data', data, '--console', 'off']);
    expect(stderr).toContain(`another Sentinel agent (pid ${agent.pid}) is using ${data}`);
    expect(status).toBe(1);
    expect((await agent.client.call('health.get', {})).wal.every((log) => log.state === 'ok')).toBe(true);
  });

  it('a port in use is named', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const page = join(ROOT, 'out', 'renderer', 'index.html');
    try {
      readFileSync(page);
    } catch {
      console.warn('SKIPPED: port in use: the console is not built');
      taken.close();
      return;
    }
    const data = join(newFolder(), 'data');
    const { status, stderr } = sentinel(['run', '--data', data, '--sensor', 'proc', '--port', String(port)]);
    taken.close();
    expect(stderr).toContain(String(port));
    expect(stderr).toMatch(/in use/);
    expect(status).toBe(1);
  });

  it.skipIf(!isRoot)(
    'a full disk is said aloud, hits the observability lane first, and no record goes missing uncounted (skipped: needs root)',
    async () => {
      const disk = newFolder();
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=400m', 'tmpfs', disk]).status !== 0) {
        console.warn('SKIPPED: full disk: tmpfs cannot be mounted here');
        return;
      }
      mounts.push(disk);
      const file = join(newFolder(), 'load.replay');
      writeReplayFile(file, generateWorkload({ seed: 5, count: 20_000 }));
      const total = 240_000;
      const data = join(disk, 'data');
      const agent = await agentOn(data, '--sensor', `replay:${file}?rate=20000&loops=${total / 20_000}`);
      const filler = join(disk, 'filler');
      // Fills what is left; dd stops with ENOSPC.
      expect(spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1M']).status).toBe(1);
      const health = await eventually('the agent says that the disk is full', async () => {
        const snapshot = await agent.client.call('health.get', {});
        return snapshot.problems.some(({ what, remedy }) => /log/.test(what) && /disk|space/.test(remedy))
          ? snapshot
          : undefined;
      });
      // The observability lane is hit first.
      expect(health.wal.find((log) => log.lane === 'security')?.state).toBe('ok');
      rmSync(filler);
      const after = await eventually(
        'everything has arrived and both logs are well',
        async () => {
          const snapshot = await agent.client.call('health.get', {});
          const { security, observability } = snapshot.totals;
          const isWell = snapshot.wal.every((log) => log.state === 'ok');
          const isStored = snapshot.sinks.every((sink) => sink.lagRecords < 1000);
          return isWell && isStored && security + observability === total ? snapshot : undefined;
        },
        120_000,
      );
      await sleep(1500);
      expect(await agent.end('SIGTERM')).toBe(0);
      const paths = dataPaths(data);
      const kept = [paths.securityLog, paths.observabilityLog]
        .flatMap((log) => readLog(log))
        .filter((record) => record.type === RecordType.sensor).length;
      const dropped = Object.values(after.observabilityLane.dropped).reduce((sum, count) => sum + count, 0);
      expect(kept + dropped).toBe(total);
      // What could not be stored while the disk was full was stored afterwards.
      const timeline = openTimeline(paths.timeline);
      expect(timeline.counts().events).toBeGreaterThanOrEqual(kept);
      timeline.close();
      report(`full disk: ${kept} of ${total} records kept, ${dropped} shed and counted`);
    },
  );
});

describe('hostile names, on record as they are', () => {
  /** Runs python with its processes in the agent's scope, once told to go. */
  function actor(dir: string, script: string): ChildProcess {
    const wait = `import os,sys,time\nwhile not os.path.exists('${dir}/go'): time.sleep(0.01)\n`;
    return start('python3', ['-c', wait + script]);
  }

  it.skipIf(!isRoot)(
    '1 MB command line, newlines, invalid UTF-8, 4-byte characters (skipped: needs root)',
    async () => {
      const dir = newFolder();
      const data = join(dir, 'data');
      const script = `
d = '${dir}'.encode()
def touch(name):
    os.close(os.open(d + b'/' + name, os.O_CREAT | os.O_WRONLY, 0o600)); os.unlink(d + b'/' + name)
touch(b'new\\nline')
touch(b'bad-\\xff\\xfe-utf8')
touch('four-\\U0001F480-byte'.encode())
os.waitpid(os.posix_spawn('/bin/true', ['true', 'big-start'] + ['x' * 100000] * 10, {}), 0)
os.waitpid(os.posix_spawn(b'/bin/true', [b'true', b'arg\\nwith\\nlines', b'', b'raw-\\xff', '\\U0001F480'.encode()], {}), 0)
touch(b'the-end')
`;
      const child = actor(dir, script);
      const agent = await agentOn(data, '--scope', `pid:${child.pid}`);
      if (agent.sensorTier !== 'tracepoint' && agent.sensorTier !== 'lsm') {
        console.warn(`SKIPPED: hostile names need the kernel sensor, this machine gave ${agent.sensorTier}`);
        return;
      }
      writeFileSync(join(dir, 'go'), '');
      await ended(child);
      await eventually('the last file is stored', async () => {
        const found = await allEvents(agent.client, 'path:*/the-end action:unlink');
        return found.length > 0 ? found : undefined;
      });
      const events = await allEvents(agent.client, `path:${dir}/*`);
      const unlinked = events.filter((event) => event.action === 'unlink').map((event) => event.file?.path);
      expect(unlinked).toEqual([
        `${dir}/new\nline`,
        `${dir}/bad-\uFFFD\uFFFD-utf8`,
        `${dir}/four-\u{1F480}-byte`,
        `${dir}/the-end`,
      ]);
      const bad = events.find((event) => event.file?.path.includes('bad-'));
      expect(bad?.truncated).toEqual([
        { field: 'file.path', originalLength: String(dir.length + '/bad-12-utf8'.length) },
      ]);

      const runs = (await allEvents(agent.client, 'action:exec')).filter(
        (event) => event.process?.name === 'true',
      );
      const big = runs.find((event) => event.process?.argv?.[1] === 'big-start');
      expect(big?.process?.argv?.[0]).toBe('true');
      const cut = big?.truncated?.find((entry) => entry.field === 'process.argv');
      expect(Number(cut?.originalLength)).toBeGreaterThan(1_000_000);
      const odd = runs.find((event) => event.process?.argv?.[1]?.startsWith('arg'));
      expect(odd?.process?.argv).toEqual(['true', 'arg\nwith\nlines', '', 'raw-\uFFFD', '\u{1F480}']);

      // One event, one line, whatever is in it.
      const { stdout, status } = sentinel([
        'events',
        '--data',
        data,
        '--json',
        '--limit',
        '1000',
        `path:${dir}/*`,
      ]);
      const lines = stdout.trimEnd().split('\n');
      expect(lines.map((line) => (JSON.parse(line) as { eventId: string }).eventId)).toHaveLength(
        events.length,
      );
      expect(status).toBe(0);
      // For people, control characters are shown, not obeyed.
      const shown = sentinel(['events', '--data', data, 'path:*line']).stdout;
      expect(
        shown
          .trimEnd()
          .split('\n')
          .filter((line) => line.includes('line')).length,
      ).toBe(events.filter((event) => event.file?.path.includes('\n')).length);
      expect((await allGaps(agent.client)).filter((gap) => gap.cause !== 'agent_down')).toEqual([]);
      expect(readFileSync(dataPaths(data).log, 'utf8')).not.toMatch(/"level":(50|60)/);
    },
  );
});
