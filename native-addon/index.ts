/** The only place that loads .node files. Each addon may be absent; callers get the reason and fall back. */
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface CoreAddon {
  abi: number;
  /** Who connected a unix socket, told by the kernel (src/host/peercred.cc). Throws for any other descriptor. */
  peerCredentials(fd: number): { pid: number; uid: number; gid: number; groups: number[] };
}

export interface BpfAddon {
  abi: number;
}

export type Loaded<T> = { ok: true; addon: T } | { ok: false; reason: string };

const here = dirname(fileURLToPath(import.meta.url));

/** Folder with the .node files and the eBPF object: $SENTINEL_NATIVE_DIR, else out/native of bundle or checkout. */
export function nativeDir(): string {
  const candidates = [
    process.env['SENTINEL_NATIVE_DIR'],
    join(here, '..', 'native'),
    join(here, '..', 'out', 'native'),
  ];
  return candidates.find((path) => path !== undefined && existsSync(path)) ?? join(here, '..', 'native');
}

const loaded = new Map<string, Loaded<unknown>>();

function load<T extends { abi: number }>(name: string): Loaded<T> {
  const known = loaded.get(name);
  if (known) return known as Loaded<T>;
  let result: Loaded<T>;
  try {
    const addon = createRequire(import.meta.url)(join(nativeDir(), `${name}.node`)) as T;
    result =
      addon.abi === 1
        ? { ok: true, addon }
        : { ok: false, reason: `${name}.node has ABI ${addon.abi}, this build needs 1; rebuild` };
  } catch (error) {
    result = { ok: false, reason: `${name}.node did not load: ${(error as Error).message.split('\n')[0]}` };
  }
  loaded.set(name, result);
  return result;
}

/** WAL writer, BLAKE3, file hashing, proc connector, peer credentials. */
export function loadCore(): Loaded<CoreAddon> {
  return load<CoreAddon>('sentinel_core');
}

/** The eBPF sensor; needs libbpf at run time. */
export function loadBpf(): Loaded<BpfAddon> {
  return load<BpfAddon>('sentinel_bpf');
}
