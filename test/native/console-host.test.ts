/** Who shows the console is found by its connection, and no policy ends it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsoleHosts, ownerOfConnection, programOf } from '../../agent/enforce/console-host.ts';
import { startOf } from '../../agent/enforce/running.ts';
import { loadCore } from '../../native-addon/index.ts';

const loaded = loadCore();
function whyNot(): string | undefined {
  if (!existsSync('/proc/self/fd')) return 'there is no /proc';
  if (!existsSync('/bin/bash')) return 'needs bash';
  return loaded.ok ? undefined : loaded.reason;
}
const reason = whyNot();
if (reason) console.warn(`SKIPPED: test/native/console-host: ${reason}`);

describe.skipIf(reason)('the program that shows the console', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-console-host-'));
  const browser = join(folder, 'browser');
  const server = createServer();
  let child: ChildProcess;
  let socket: Socket;
  let port = 0;
  /** The first process, the one that talks, and one that it started. */
  let family: number[] = [];

  beforeAll(async () => {
    copyFileSync('/bin/bash', browser);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const talk = `exec 4<&0; (read -r _ <&4; :) & exec 3<>/dev/tcp/127.0.0.1/${port}; echo "$$ $BASHPID $!"; read -r _ <&3`;
    child = spawn(browser, ['-c', `(${talk}); :`], { stdio: ['pipe', 'pipe', 'inherit'] });
    const said = new Promise<string>((resolve) =>
      child.stdout?.once('data', (chunk) => resolve(String(chunk))),
    );
    family = (await said).trim().split(' ').map(Number);
    socket = await connected;
  });
  afterAll(() => {
    socket.destroy();
    server.close();
    child.stdin?.end();
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  it('is found by its connection, with all the processes of its executable', async () => {
    const [, talker = 0] = family;
    expect(await ownerOfConnection(port, socket.remotePort ?? 0)).toBe(talker);
    expect(await ownerOfConnection(port, 1)).toBeUndefined();
    expect(new Set(programOf(talker))).toEqual(new Set(family));
  });

  it('is not ended by any of its processes; another program is', async () => {
    if (!loaded.ok) throw new Error(loaded.reason);
    const core = loaded.addon;
    expect(family.map((pid) => core.protectedReason(pid))).toEqual(['', '', '']);
    const hosts = new ConsoleHosts(core);
    hosts.add(family[1] ?? 0);
    hosts.refresh();
    for (const pid of family) {
      expect(core.protectedReason(pid)).toBe('it shows the console');
      expect(core.actOnProcess(pid, startOf(pid) ?? 0n, 'kill')).toBe('protected: it shows the console');
      expect(readFileSync(`/proc/${pid}/stat`, 'utf8')).not.toMatch(/\) [ZX]/);
    }
    const stranger = spawn('/bin/sleep', ['60']);
    const gone = new Promise((resolve) => stranger.once('exit', (_code, signal) => resolve(signal)));
    const pid = stranger.pid ?? 0;
    expect(core.actOnProcess(pid, startOf(pid) ?? 0n, 'kill')).toBe('');
    expect(await gone).toBe('SIGKILL');
  });

  it('is as safe as whoever leads the session of the agent', () => {
    const addon = JSON.stringify(join(import.meta.dirname, '..', '..', 'native-addon', 'index.ts'));
    const agent = `import { loadCore } from ${addon}; process.stdout.write(loadCore().addon.protectedReason(Number(process.argv[1])));`;
    // The leader starts the agent by way of a process that is gone, so that it is no ancestor.
    const script = `(("$1" --input-type=module -e "$2" $$ > "$3"; : > "$3.done") &)
      until [ -e "$3.done" ]; do sleep 0.05; done; cat "$3"`;
    const args = ['-w', '/bin/sh', '-c', script, 'sh', process.execPath, agent, join(folder, 'said')];
    const { stdout } = spawnSync('setsid', args, { encoding: 'utf8', timeout: 60_000 });
    expect(stdout).toMatch(/^it leads the agent's session$/);
  });
});
