/**
 * A process that scans leaves nothing of its memory behind when it dies: no core dump and no heap snapshot. Dying in the
 * same way, a program that does not scan leaves a core where this machine lets it, which is the control.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { eventually, ROOT } from '../e2e/agent-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'sentinel-dlp-memory-'));
const rules = join(folder, 'rules.yml');
chmodSync(folder, 0o755);
writeFileSync(rules, 'rules: [{id: cards, kind: pattern, pattern: card}]\n');
const SECRET = 'Projekt-Reiher-4711';

/** A new folder for a program to run in, which is where its core would be. */
function place(): string {
  return mkdtempSync(join(folder, 'run-'));
}
function raiseLimit(pid: number): void {
  spawnSync('prlimit', ['--pid', String(pid), '--core=unlimited:unlimited']);
}
function ended(child: ChildProcess): Promise<NodeJS.Signals | null> {
  return new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)));
}
const cores = (at: string): string[] => readdirSync(at).filter((name) => name.startsWith('core'));

/** A scan of standard input that has read a part and waits for more. */
async function waitingScan(cwd: string, nodeOptions = '', uid?: number): Promise<ChildProcess> {
  const argv = [join(ROOT, 'agent', 'main.ts'), 'dlp', 'scan', '--rules', rules, '--data', cwd, '-'];
  const child = spawn(process.execPath, argv, {
    cwd,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: nodeOptions },
    ...(uid !== undefined && { uid, gid: uid }),
  });
  // It may be killed while it reads.
  child.stdin?.on('error', () => {});
  // More than pipes hold: when it is gone, the scanner was loaded and has read.
  child.stdin?.write(`${SECRET} `.repeat(200_000));
  await eventually('the scan has read', async () => child.stdin?.writableLength === 0 || undefined);
  expect(readFileSync(`/proc/${child.pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
  return child;
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NOBODY = 65_534;
const canBeNobody =
  process.getuid?.() === 0 &&
  spawnSync(process.execPath, [join(ROOT, 'agent', 'main.ts'), 'dlp', '--help'], { uid: NOBODY, gid: NOBODY })
    .status === 0;
if (!canBeNobody) console.warn('SKIPPED: no dump of a scan: needs root, and a checkout that others can read');

describe('the memory of a process that scans', () => {
  it('is in no core dump: it has no limit left, and none that a collector of cores would get', async () => {
    const control = place();
    const sleeper = spawn('sleep', ['600'], { cwd: control, stdio: 'ignore' });
    const sleeperEnded = ended(sleeper);
    raiseLimit(sleeper.pid ?? 0);
    sleeper.kill('SIGSEGV');
    await sleeperEnded;
    if (cores(control).length === 0)
      console.warn('this machine leaves no cores in folders: only limits and ownership were tested');
    for (const signal of ['SIGSEGV', 'SIGABRT'] as const) {
      const cwd = place();
      const scan = await waitingScan(cwd);
      const scanEnded = ended(scan);
      // Where we may, so that not the limit alone keeps it.
      raiseLimit(scan.pid ?? 0);
      scan.kill(signal);
      expect(await scanEnded).toBe(signal);
      expect(cores(cwd)).toEqual([]);
    }
  }, 120_000);

  it.skipIf(!canBeNobody)(
    'cannot be dumped: the kernel gives its /proc to root',
    async () => {
      const cwd = place();
      chownSync(cwd, NOBODY, NOBODY);
      const owner = (pid: number | undefined): number => statSync(`/proc/${pid}/environ`).uid;
      const sleeper = spawn('sleep', ['600'], { uid: NOBODY, gid: NOBODY, stdio: 'ignore' });
      await eventually('the control runs', async () => owner(sleeper.pid) === NOBODY || undefined);
      sleeper.kill('SIGKILL');
      const scan = await waitingScan(cwd, '', NOBODY);
      expect(owner(scan.pid)).toBe(0);
      scan.kill('SIGKILL');
    },
    120_000,
  );

  it('is in no heap snapshot or report that Node was told to write', async () => {
    const cwd = place();
    const argv = [join(ROOT, 'agent', 'main.ts'), 'dlp', 'scan', '--rules', rules, '--data', cwd, rules];
    const refused = spawnSync(process.execPath, ['--heapsnapshot-signal=SIGUSR2', ...argv], {
      cwd,
      encoding: 'utf8',
    });
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('start without it');

    const scan = await waitingScan(cwd, '--report-on-signal --report-on-fatalerror');
    const scanEnded = ended(scan);
    // The report would be written at SIGUSR2; the scan lives on, or ends by it, without.
    scan.kill('SIGUSR2');
    scan.kill('SIGABRT');
    await scanEnded;
    expect(readdirSync(cwd).filter((name) => /report|heapsnapshot/i.test(name))).toEqual([]);
  }, 120_000);
});
