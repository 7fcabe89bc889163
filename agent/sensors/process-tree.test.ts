import { array, assert, constantFrom, integer, nat, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProcessInfo, SentinelEvent } from '../event.ts';
import { MAX_ANCESTRY, ProcessTree } from './process-tree.ts';

const SECOND = 1_000_000_000n;

function event(action: string, process: Partial<ProcessInfo> & { pid: number }, tsNs: bigint): SentinelEvent {
  const lifecycle = ['fork', 'exec', 'exit', 'snapshot'].includes(action);
  return {
    eventId: 0,
    type: lifecycle ? 'process' : 'file',
    action,
    lane: lifecycle ? 'security' : 'observability',
    tsNs,
    severity: 'info',
    process: { startNs: 0n, name: '', ...process },
  };
}

function applied(tree: ProcessTree, subject: SentinelEvent): SentinelEvent {
  tree.apply(subject);
  return subject;
}

/** Small history: init (pid 1) forks a shell (10) that execs bash. */
function shellTree(options = {}): ProcessTree {
  const tree = new ProcessTree(options);
  tree.apply(
    event('snapshot', { pid: 1, startNs: 5n, ppid: 0, executable: '/sbin/init', argv: ['init'], uid: 0 }, 1n),
  );
  tree.apply(event('fork', { pid: 10, startNs: 1000n, ppid: 1, parentStartNs: 5n, uid: 0, euid: 0 }, 1000n));
  tree.apply(
    event(
      'exec',
      {
        pid: 10,
        startNs: 1000n,
        executable: '/bin/bash',
        argv: ['bash', '-l'],
        cwd: '/root',
        uid: 1000,
        euid: 1000,
      },
      2000n,
    ),
  );
  return tree;
}

describe('ProcessTree', () => {
  it('completes a file event with the image, parent, ancestry, user and integrity of its process', () => {
    const users = { nameOf: (uid: number) => (uid === 1000 ? 'alice' : 'root') };
    const containers = { idOf: (id: string) => (id === '77' ? 'c0ffee' : undefined) };
    const tree = shellTree({ users, containers });
    tree.apply(
      event(
        'fork',
        { pid: 11, startNs: 3000n, ppid: 10, parentStartNs: 1000n, uid: 1000, euid: 1000 },
        3000n,
      ),
    );
    const open = applied(
      tree,
      event('open', { pid: 11, startNs: 3000n, name: 'bash', cgroupId: '77' }, 3500n),
    );
    // The shell may have changed its directory since its exec: not known is not told.
    expect(open.process?.cwd).toBeUndefined();
    expect(open.process).toMatchObject({
      name: 'bash',
      executable: '/bin/bash',
      argv: ['bash', '-l'],
      ppid: 10,
      parentStartNs: 1000n,
      user: 'alice',
      integrityLevel: 'user',
      containerId: 'c0ffee',
    });
    expect(open.parent).toMatchObject({ pid: 10, executable: '/bin/bash', user: 'alice' });
    expect(open.ancestry).toEqual(['10-1000', '1-5']);
  });

  it('keeps a process apart from a later one with the same pid, and still serves late events of the first', () => {
    const tree = shellTree();
    tree.apply(event('exit', { pid: 10, startNs: 1000n }, 4000n));
    tree.apply(event('fork', { pid: 10, startNs: 5000n, ppid: 1, parentStartNs: 5n }, 5000n));
    tree.apply(event('exec', { pid: 10, startNs: 5000n, executable: '/usr/bin/id', argv: ['id'] }, 6000n));
    expect(applied(tree, event('write', { pid: 10, startNs: 1000n }, 3900n)).process?.executable).toBe(
      '/bin/bash',
    );
    expect(applied(tree, event('write', { pid: 10, startNs: 5000n }, 6100n)).process?.executable).toBe(
      '/usr/bin/id',
    );
    expect(tree.get(10)?.executable).toBe('/usr/bin/id');
  });

  it('gives an event from before an exec the program that ran then', () => {
    const tree = shellTree();
    tree.apply(
      event('exec', { pid: 10, startNs: 1000n, executable: '/usr/bin/curl', argv: ['curl'] }, 9000n),
    );
    expect(applied(tree, event('open', { pid: 10, startNs: 1000n }, 8000n)).process?.executable).toBe(
      '/bin/bash',
    );
    expect(applied(tree, event('open', { pid: 10, startNs: 1000n }, 9000n)).process?.executable).toBe(
      '/usr/bin/curl',
    );
  });

  it('names the process that forked as parent after that ended and the kernel says ppid 1', () => {
    const tree = shellTree();
    tree.apply(event('fork', { pid: 20, startNs: 3000n, ppid: 10, parentStartNs: 1000n }, 3000n));
    tree.apply(event('fork', { pid: 21, startNs: 3100n, ppid: 20, parentStartNs: 3000n }, 3100n));
    tree.apply(event('exit', { pid: 20, startNs: 3000n }, 3200n));
    const daemon = applied(
      tree,
      event('exec', { pid: 21, startNs: 3100n, ppid: 1, executable: '/tmp/x', argv: ['x'] }, 3300n),
    );
    expect(daemon.process?.ppid).toBe(20);
    expect(daemon.parent?.pid).toBe(20);
    expect(daemon.ancestry).toEqual(['20-3000', '10-1000', '1-5']);
    expect(daemon.process?.flags).toEqual(['writable_dir']);
  });

  it('treats a start time from /proc and one from the kernel as the same process, under one id', () => {
    const tree = new ProcessTree();
    const ticks = 1234n * 10_000_000n;
    tree.apply(event('snapshot', { pid: 50, startNs: ticks, ppid: 1, executable: '/usr/sbin/sshd' }, SECOND));
    const exact = applied(tree, event('open', { pid: 50, startNs: ticks + 7_654_321n }, 2n * SECOND));
    expect(exact.process).toMatchObject({ startNs: ticks, executable: '/usr/sbin/sshd' });
    const child = applied(
      tree,
      event(
        'fork',
        { pid: 51, startNs: 3n * SECOND + 1n, ppid: 50, parentStartNs: ticks + 7_654_321n },
        3n * SECOND,
      ),
    );
    expect(child.process?.parentStartNs).toBe(ticks);
    expect(child.ancestry).toEqual([`50-${ticks}`]);
    expect(
      applied(tree, event('open', { pid: 50, startNs: ticks + 10_000_000n }, 4n * SECOND)).process
        ?.executable,
    ).toBeUndefined();
    // The other way round: seen exactly first, then in ticks.
    tree.apply(event('exec', { pid: 60, startNs: 5n * SECOND + 3n, executable: '/bin/cat' }, 6n * SECOND));
    const again = applied(
      tree,
      event('snapshot', { pid: 60, startNs: 5n * SECOND, executable: '/bin/cat' }, 7n * SECOND),
    );
    expect(again.process?.startNs).toBe(5n * SECOND + 3n);
  });

  it('learns a parent that is told after its child, and rebuilds the ancestry of descendants', () => {
    const tree = new ProcessTree();
    tree.apply(event('snapshot', { pid: 30, startNs: 900n * SECOND, ppid: 29, executable: '/bin/c' }, 1n));
    tree.apply(
      event('fork', { pid: 31, startNs: 901n * SECOND, ppid: 30, parentStartNs: 900n * SECOND }, 2n),
    );
    expect(applied(tree, event('open', { pid: 31, startNs: 901n * SECOND }, 3n)).ancestry).toEqual([
      `30-${900n * SECOND}`,
    ]);
    tree.apply(event('snapshot', { pid: 29, startNs: 800n * SECOND, ppid: 0, executable: '/bin/b' }, 4n));
    tree.apply(event('open', { pid: 30, startNs: 900n * SECOND }, 5n));
    const late = applied(tree, event('open', { pid: 31, startNs: 901n * SECOND }, 6n));
    expect(late.ancestry).toEqual([`30-${900n * SECOND}`, `29-${800n * SECOND}`]);
  });

  it('bounds the ancestry it writes and does not recurse on a chain of a million generations', () => {
    const tree = new ProcessTree({ maxProcesses: 1000 });
    let last: SentinelEvent | undefined;
    for (let n = 1; n <= 20_000; n++) {
      last = applied(
        tree,
        event('fork', { pid: n, startNs: BigInt(n), ppid: n - 1, parentStartNs: BigInt(n - 1) }, BigInt(n)),
      );
    }
    expect(last?.ancestry).toHaveLength(MAX_ANCESTRY);
    expect(last?.ancestry?.[31]).toBe('19968-19968');
    expect(tree.stats().live).toBeLessThanOrEqual(1000);
    expect(tree.stats().evictedLive).toBeGreaterThan(18_000);
  });

  it('stays within its byte bound under long command lines, and a child still knows its evicted parent', () => {
    const tree = new ProcessTree({ maxImageBytes: 100_000 });
    for (let n = 1; n <= 500; n++) {
      tree.apply(
        event('exec', { pid: n, startNs: BigInt(n), executable: `/bin/${n}`, argv: ['x'.repeat(4000)] }, 1n),
      );
      tree.apply(
        event('fork', { pid: 1000 + n, startNs: BigInt(1000 + n), ppid: n, parentStartNs: BigInt(n) }, 2n),
      );
      expect(tree.stats().imageBytes).toBeLessThan(104_300);
    }
    const child = applied(tree, event('open', { pid: 1500, startNs: 1500n }, 3n));
    expect(child.parent?.executable).toBe('/bin/500');
    tree.newEpoch(false);
    expect(tree.stats()).toMatchObject({ live: 0, exited: 0, imageBytes: 0 });
  });

  it('asks the lookup once for an unknown process and its ancestors, and refuses an answer about another one', () => {
    const asked: number[] = [];
    const table: Record<number, ProcessInfo> = {
      5: { pid: 5, startNs: 50n * SECOND, ppid: 4, name: 'e', executable: '/bin/e' },
      4: { pid: 4, startNs: 40n * SECOND, ppid: 1, name: 'd', executable: '/bin/d' },
      1: { pid: 1, startNs: 0n, ppid: 0, name: 'init', executable: '/sbin/init' },
      6: { pid: 6, startNs: 60n * SECOND, ppid: 1, name: 'f', executable: '/bin/f' },
    };
    const tree = new ProcessTree({
      lookup: (pid) => {
        asked.push(pid);
        return table[pid];
      },
    });
    const first = applied(tree, event('open', { pid: 5, startNs: 50n * SECOND + 5n }, 1n));
    applied(tree, event('open', { pid: 5, startNs: 50n * SECOND + 5n }, 2n));
    expect(first.process).toMatchObject({ executable: '/bin/e', ppid: 4 });
    expect(first.ancestry).toEqual([`4-${40n * SECOND}`, '1-0']);
    expect(asked).toEqual([5, 4, 1]);
    // pid 6 belonged to somebody else at that time.
    expect(
      applied(tree, event('open', { pid: 6, startNs: 55n * SECOND }, 3n)).process?.executable,
    ).toBeUndefined();
  });

  it('lets late events of forgotten processes leave before processes that live', () => {
    const tree = new ProcessTree({ maxProcesses: 64 });
    tree.apply(event('exec', { pid: 1, startNs: 1n, executable: '/sbin/init' }, 1n));
    for (let n = 100; n < 1000; n++) tree.apply(event('write', { pid: n, startNs: BigInt(n) }, BigInt(n)));
    expect(tree.get(1)?.executable).toBe('/sbin/init');
    expect(tree.stats()).toMatchObject({ live: 1, exited: 16, evictedLive: 0 });
  });

  it('forgets at a new epoch who is not in its snapshot, keeping ids of those who are', () => {
    const tree = shellTree();
    tree.newEpoch(true);
    expect(tree.stats()).toMatchObject({ live: 0, exited: 2 });
    const again = applied(
      tree,
      event(
        'snapshot',
        { pid: 10, startNs: 0n, ppid: 1, executable: '/bin/bash', argv: ['bash', '-l'] },
        9000n,
      ),
    );
    expect(again.process?.startNs).toBe(1000n);
    expect(tree.stats()).toMatchObject({ live: 1, exited: 1 });
  });

  it('gives a child made with CLONE_PARENT the image of its creator and the parent of its creator', () => {
    const tree = shellTree();
    const sibling = event('fork', { pid: 12, startNs: 3000n, ppid: 1, parentStartNs: 5n }, 3000n);
    sibling.details = { creatorPid: '10', creatorStartNs: '1000' };
    tree.apply(sibling);
    expect(sibling.process?.executable).toBe('/bin/bash');
    expect(sibling.parent?.executable).toBe('/sbin/init');
  });

  it('calls a process elevated that gained capabilities, and its children too', () => {
    const tree = shellTree();
    const capset = event('capset', { pid: 10, startNs: 1000n, uid: 1000, euid: 1000 }, 3000n);
    tree.apply({ ...capset, type: 'process', lane: 'security', details: { effective: '0x200000' } });
    const child = event(
      'fork',
      { pid: 12, startNs: 4000n, ppid: 10, parentStartNs: 1000n, uid: 1000 },
      4000n,
    );
    expect(applied(tree, child).process?.integrityLevel).toBe('elevated');
  });

  it('completes the target of a ptrace', () => {
    const tree = shellTree();
    const trace: SentinelEvent = {
      ...event('ptrace', { pid: 1, startNs: 5n }, 9000n),
      type: 'process',
      lane: 'security',
      target: { pid: 10, startNs: 1000n, name: '' },
    };
    tree.apply(trace);
    expect(trace.target).toMatchObject({ name: 'bash', executable: '/bin/bash', uid: 1000 });
  });
});

// ---- against a naive model that keeps the whole history and answers each question from it ----

interface Fact {
  action: 'fork' | 'exec' | 'exit';
  key: string;
  tsNs: bigint;
  parent?: string;
  executable?: string;
}

/** What ran in `key` at `tsNs`, by walking all facts. */
function modelImage(facts: readonly Fact[], key: string, tsNs: bigint): string | undefined {
  const execs = facts.filter((fact) => fact.key === key && fact.action === 'exec' && fact.tsNs <= tsNs);
  if (execs.length > 0) return execs.at(-1)?.executable;
  const fork = facts.find((fact) => fact.key === key && fact.action === 'fork');
  return fork?.parent === undefined ? undefined : modelImage(facts, fork.parent, fork.tsNs);
}

function modelAncestry(facts: readonly Fact[], key: string): string[] {
  const ids: string[] = [];
  let at: string | undefined = key;
  while (at !== undefined && ids.length < MAX_ANCESTRY) {
    const key: string = at;
    at = facts.find((fact) => fact.key === key && fact.action === 'fork')?.parent;
    if (at !== undefined) ids.push(at);
  }
  return ids;
}

const step = record({
  kind: constantFrom('fork', 'fork', 'exec', 'exit', 'file', 'file', 'late'),
  who: nat(1000),
  pid: integer({ min: 2, max: 6 }),
});

describe('ProcessTree against a model', () => {
  it('agrees on image, parent and ancestry under pid reuse, double forks and late events', () => {
    assert(
      property(array(step, { maxLength: 80 }), (steps) => {
        const tree = new ProcessTree();
        const facts: Fact[] = [];
        const all: { key: string; pid: number; startNs: bigint; parent?: string; live: boolean }[] = [];
        let tsNs = 100n;
        const root = { key: '1-50', pid: 1, startNs: 50n, live: true };
        all.push(root);
        facts.push({ action: 'exec', key: root.key, tsNs, executable: '/bin/init' });
        tree.apply(event('exec', { pid: 1, startNs: 50n, executable: '/bin/init' }, tsNs));
        for (const { kind, who, pid } of steps) {
          tsNs += 1000n;
          const live = all.filter((one) => one.live);
          const actor = live[who % live.length] ?? root;
          if (kind === 'fork') {
            if (live.some((one) => one.pid === pid)) continue;
            const child = { key: `${pid}-${tsNs}`, pid, startNs: tsNs, parent: actor.key, live: true };
            all.push(child);
            facts.push({ action: 'fork', key: child.key, tsNs, parent: actor.key });
            tree.apply(
              event('fork', { pid, startNs: tsNs, ppid: actor.pid, parentStartNs: actor.startNs }, tsNs),
            );
          } else if (kind === 'exec') {
            const executable = `/bin/p${tsNs}`;
            facts.push({ action: 'exec', key: actor.key, tsNs, executable });
            tree.apply(event('exec', { pid: actor.pid, startNs: actor.startNs, ppid: 1, executable }, tsNs));
          } else if (kind === 'exit') {
            if (actor === root) continue;
            actor.live = false;
            tree.apply(event('exit', { pid: actor.pid, startNs: actor.startNs }, tsNs));
          } else {
            // A file event of anybody who ever lived; a late one dates from just before the process's last exec.
            const subject = kind === 'late' ? (all[who % all.length] ?? root) : actor;
            const lastExec = facts.filter((one) => one.key === subject.key && one.action === 'exec').at(-1);
            const when = kind === 'late' && lastExec !== undefined ? lastExec.tsNs - 1n : tsNs;
            const first = facts.find((one) => one.key === subject.key);
            if (first === undefined || when < first.tsNs) continue;
            const got = applied(tree, event('open', { pid: subject.pid, startNs: subject.startNs }, when));
            expect(got.process?.executable).toBe(modelImage(facts, subject.key, when));
            expect(got.ancestry ?? []).toEqual(modelAncestry(facts, subject.key));
            expect(got.parent === undefined ? undefined : `${got.parent.pid}-${got.parent.startNs}`).toBe(
              (subject as { parent?: string }).parent,
            );
            const fork = facts.find((one) => one.key === subject.key && one.action === 'fork');
            if (fork?.parent !== undefined) {
              expect(got.parent?.executable).toBe(modelImage(facts, fork.parent, fork.tsNs));
            }
          }
        }
        expect(tree.stats().live).toBe(all.filter((one) => one.live).length);
      }),
      { numRuns: 400 },
    );
  });
});
