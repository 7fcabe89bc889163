/**
 * Debian's cloud kernels to boot in QEMU, fetched by apt with lists and sources of its own (out/cache/apt), so that
 * the system's are not touched. What was fetched once is used again without the network.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const cache = join(root, 'out', 'cache');
const kernels = join(cache, 'kernels');
const apt = join(cache, 'apt');
const FETCH_TIMEOUT_MS = 120_000;

const SOURCES = `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-backports main
`;
const CONFIG = `Dir::Etc::sourcelist "${apt}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "${apt}/lists";
Dir::Cache "${apt}/cache";
APT::Sandbox::User "root";
Acquire::http::Timeout "20";
Acquire::Retries "1";
`;

export interface GuestKernel {
  /** For example 6.12. */
  series: string;
  /** Package that it came in. */
  name: string;
  path: string;
}

function cached(series: string): GuestKernel | undefined {
  if (!existsSync(kernels)) return undefined;
  const name = readdirSync(kernels).find((entry) => entry.startsWith(`vmlinuz-${series}.`));
  return name === undefined ? undefined : { series, name, path: join(kernels, name) };
}

function aptGet(...args: string[]): { ok: boolean; text: string } {
  const result = spawnSync(args[0] as string, args.slice(1), {
    cwd: kernels,
    encoding: 'utf8',
    timeout: FETCH_TIMEOUT_MS,
    env: { ...process.env, APT_CONFIG: join(apt, 'apt.conf'), LC_ALL: 'C' },
  });
  return { ok: result.status === 0, text: `${result.stdout ?? ''}${result.stderr ?? ''}` };
}

let updated: { ok: boolean; text: string } | undefined;

function update(): { ok: boolean; text: string } {
  if (updated) return updated;
  mkdirSync(join(apt, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(apt, 'cache', 'archives', 'partial'), { recursive: true });
  writeFileSync(join(apt, 'sources.list'), SOURCES);
  writeFileSync(join(apt, 'apt.conf'), CONFIG);
  updated = aptGet('apt-get', 'update', '-qq');
  return updated;
}

/** A kernel of `series` (6.1, 6.12): from the cache, else from Debian. A string says why there is none. */
export function guestKernel(series: string): GuestKernel | string {
  const known = cached(series);
  if (known) return known;
  if (spawnSync('apt-get', ['--version']).status !== 0) return 'no apt-get here';
  mkdirSync(kernels, { recursive: true });
  const lists = update();
  if (!lists.ok) return `apt-get update failed: ${lists.text.trim().split('\n').at(-1)}`;
  const found = aptGet('apt-cache', 'pkgnames', `linux-image-${series}.`);
  const names = found.text
    .split('\n')
    .filter((name) => /^linux-image-\d[\w.+~-]*-cloud-amd64$/.test(name))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const name = names.at(-1);
  if (name === undefined) return `Debian offers no cloud kernel ${series}`;
  const download = aptGet('apt-get', 'download', '-q', name);
  const file = readdirSync(kernels).find((entry) => entry.startsWith(`${name}_`) && entry.endsWith('.deb'));
  if (!download.ok || file === undefined) return `apt-get download ${name} failed`;
  const unpacked = join(kernels, 'unpacked');
  rmSync(unpacked, { recursive: true, force: true });
  execFileSync('dpkg-deb', ['-x', join(kernels, file), unpacked]);
  const image = readdirSync(join(unpacked, 'boot')).find((entry) => entry.startsWith('vmlinuz-'));
  if (image === undefined) return `${name} holds no vmlinuz`;
  renameSync(join(unpacked, 'boot', image), join(kernels, image));
  rmSync(unpacked, { recursive: true, force: true });
  rmSync(join(kernels, file));
  return cached(series) ?? `${image} is not of series ${series}`;
}
