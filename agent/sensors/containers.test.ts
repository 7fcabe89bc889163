import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { containerIdOfCgroup, ContainerTable, parseProcCgroup } from './containers.ts';

const ID = 'a'.repeat(60) + '0123';
const roots: string[] = [];
afterAll(() => {
  for (const root of roots) rmSync(root, { recursive: true, force: true });
});

describe('containerIdOfCgroup', () => {
  it.each([
    ['docker, cgroupfs driver', `/docker/${ID}`, ID],
    ['docker, systemd driver', `/system.slice/docker-${ID}.scope`, ID],
    ['podman, rootful', `/machine.slice/libpod-${ID}.scope/container`, ID],
    ['podman, rootless', `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope`, ID],
    [
      'kubernetes with containerd',
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12.slice/cri-containerd-${ID}.scope`,
      ID,
    ],
    ['kubernetes, cgroupfs driver', `/kubepods/besteffort/pod9b1d2c3e-0000-4000-8000-000000000000/${ID}`, ID],
    ['kubernetes with cri-o', `/kubepods.slice/kubepods-pod12.slice/crio-${ID}.scope`, ID],
    [
      'containerd without scope units',
      `/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:${ID}`,
      ID,
    ],
    ['docker in docker: the inner one', `/docker/${'b'.repeat(64)}/docker/${ID}`, ID],
    ['lxc', '/lxc/web01/init.scope', 'web01'],
    ['lxc 4', '/lxc.payload.web01/system.slice/ssh.service', 'web01'],
    ['systemd-nspawn', '/machine.slice/machine-deb.scope/payload', 'deb'],
    ['ecs', `/ecs/0123456789abcdef0123456789abcdef/${'c'.repeat(32)}-1234567`, `${'c'.repeat(32)}-1234567`],
  ])('%s', (_, path, id) => {
    expect(containerIdOfCgroup(path)).toBe(id);
  });

  it.each([
    '/',
    '/user.slice/user-1000.slice/session-3.scope',
    '/system.slice/docker.service',
    `/machine.slice/libpod-conmon-${ID}.scope`,
    '/kubepods.slice',
    `/system.slice/abcdef0123456789.service`,
  ])('%s is no container', (path) => {
    expect(containerIdOfCgroup(path)).toBeUndefined();
  });
});

describe('parseProcCgroup', () => {
  it('finds the v2 line among v1 ones, and keeps colons of paths', () => {
    const parsed = parseProcCgroup('9:name=systemd:/\n4:memory:/a\n0::/x.slice:cri-containerd:1\n');
    expect(parsed.v2).toBe('/x.slice:cri-containerd:1');
    expect(parsed.all).toHaveLength(3);
  });
});

function fakeHost(): { root: string; cgroup: (path: string) => string; table: ContainerTable } {
  const root = mkdtempSync(join(tmpdir(), 'cgroups-'));
  roots.push(root);
  const unified = join(root, 'cg', 'unified');
  mkdirSync(unified, { recursive: true });
  writeFileSync(join(unified, 'cgroup.procs'), '');
  writeFileSync(join(unified, 'cgroup.controllers'), '');
  const cgroup = (path: string): string => {
    mkdirSync(join(unified, path), { recursive: true });
    return String(statSync(join(unified, path), { bigint: true }).ino);
  };
  const table = new ContainerTable({
    cgroupRoot: join(root, 'cg'),
    procRoot: join(root, 'proc'),
    maxEntries: 4,
  });
  return { root, cgroup, table };
}

describe('ContainerTable', () => {
  it('reads the cgroup of a live process on a hybrid host, and checks that it is the one asked for', () => {
    const { root, cgroup, table } = fakeHost();
    const inside = cgroup(`docker/${ID}`);
    const outside = cgroup('user.slice');
    mkdirSync(join(root, 'proc', '7'), { recursive: true });
    writeFileSync(join(root, 'proc', '7', 'cgroup'), `1:name=systemd:/\n0::/docker/${ID}\n`);
    expect(table.idOf(inside, 7)).toBe(ID);
    rmSync(join(root, 'proc'), { recursive: true });
    expect(table.idOf(inside, 7)).toBe(ID);
    expect(table.idOf(outside, 7)).toBeUndefined();
  });

  it('finds the container of a process that ended, in the background', async () => {
    const { cgroup, table } = fakeHost();
    const inside = cgroup(`system.slice/docker-${ID}.scope`);
    expect(table.idOf(inside, 999_999)).toBeUndefined();
    await table.walking;
    expect(table.idOf(inside, 999_999)).toBe(ID);
    expect(table.stats().walks).toBe(1);
  });

  it('stays within its bound', () => {
    const { table } = fakeHost();
    for (let id = 0; id < 100; id++) table.idOf(String(id), 1);
    expect(table.stats()).toMatchObject({ entries: 4, evictions: 96 });
  });
});
