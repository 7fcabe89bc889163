/** What this machine allows, and the remedy for what it does not: for `sentinel doctor` and for the console's Health. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { loadBpf, loadCore, nativeDir } from '../native-addon/index.ts';
import { dataPaths } from './data-dir.ts';
import { clockCheck, kernelCheck, permissionCheck, type Check } from './doctor-machine.ts';
import { consoleDir, rulesDir } from './resources.ts';

/** Linux capability numbers the eBPF sensor needs (capability.h). */
const NEEDED_CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_SYS_ADMIN: 21, CAP_PERFMON: 38, CAP_BPF: 39 } as const;

function capabilities(): Check {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const bits = BigInt(`0x${effective}`);
  const missing = Object.entries(NEEDED_CAPABILITIES)
    .filter(([, bit]) => ((bits >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => name);
  if (missing.length === 0)
    return { name: 'privileges', result: 'ok', detail: 'all capabilities of the kernel sensor' };
  return {
    name: 'privileges',
    result: 'warn',
    detail: `missing ${missing.join(', ')}: the fallback sensor will be used`,
    remedy: 'run as root, or install the service',
  };
}

function linuxChecks(): Check[] {
  const checks: Check[] = [kernelCheck(), capabilities()];
  checks.push(
    existsSync('/sys/kernel/btf/vmlinux')
      ? { name: 'kernel types (BTF)', result: 'ok', detail: '/sys/kernel/btf/vmlinux' }
      : {
          name: 'kernel types (BTF)',
          result: 'warn',
          detail: 'this kernel has none',
          remedy: 'use a kernel with CONFIG_DEBUG_INFO_BTF',
        },
  );
  const cgroup = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((path) =>
    existsSync(join(path, 'cgroup.controllers')),
  );
  checks.push(
    cgroup
      ? { name: 'cgroup v2', result: 'ok', detail: cgroup }
      : {
          name: 'cgroup v2',
          result: 'warn',
          detail: 'not mounted: no connection hooks',
          remedy: 'mount -t cgroup2 none /sys/fs/cgroup/unified',
        },
  );
  const object = join(nativeDir(), 'sensor.bpf.o');
  checks.push(
    existsSync(object)
      ? { name: 'eBPF object', result: 'ok', detail: 'built' }
      : {
          name: 'eBPF object',
          result: 'warn',
          detail: 'not built',
          remedy: 'apt-get install clang libbpf-dev linux-libc-dev, then npm run build',
        },
  );
  const bpf = loadBpf();
  checks.push(
    bpf.ok
      ? { name: 'eBPF addon', result: 'ok', detail: 'loads' }
      : {
          name: 'eBPF addon',
          result: 'warn',
          detail: bpf.reason,
          remedy: 'apt-get install libbpf-dev libelf-dev zlib1g-dev, then npm run build',
        },
  );
  return checks;
}

function dataCheck(dataDir: string): Check {
  try {
    const existing = existsSync(dataDir) ? dataDir : join(dataDir, '..');
    accessSync(existing, constants.W_OK);
    const { bavail, bsize } = statfsSync(existing);
    const freeBytes = bavail * bsize;
    const free = `${(freeBytes / 1e9).toFixed(1)} GB free in ${dataDir}`;
    if (freeBytes > 1e9) return { name: 'data folder', result: 'ok', detail: free };
    return {
      name: 'data folder',
      result: 'warn',
      detail: free,
      remedy: 'free some space, or choose another folder with --data',
    };
  } catch (error) {
    return {
      name: 'data folder',
      result: 'fail',
      detail: `${dataDir} cannot be written (${(error as NodeJS.ErrnoException).code ?? ''})`,
      remedy: 'choose another folder with --data',
    };
  }
}

/** Asks everything there is to ask, in some milliseconds. `dataDir` need not exist yet. */
export function machineChecks(dataDir: string): Check[] {
  const checks: Check[] = [];
  const major = Number(process.versions.node.split('.')[0]);
  checks.push(
    major >= 24
      ? { name: 'runtime', result: 'ok', detail: `Node ${process.versions.node}` }
      : {
          name: 'runtime',
          result: 'fail',
          detail: `Node ${process.versions.node}; 24 is needed`,
          remedy: 'start it by npm run sentinel, which brings its own',
        },
  );
  const core = loadCore();
  checks.push(
    core.ok
      ? { name: 'native addon', result: 'ok', detail: 'loads' }
      : {
          name: 'native addon',
          result: 'warn',
          detail: `${core.reason}; the slower log writer is used`,
          remedy: 'apt-get install g++ make python3, then npm run build',
        },
  );
  if (process.platform === 'linux') checks.push(...linuxChecks());
  else
    checks.push({ name: 'sensor', result: 'warn', detail: `no kernel sensor for ${process.platform} yet` });
  checks.push(dataCheck(dataDir));
  const permissions = permissionCheck(dataDir);
  if (permissions) checks.push(permissions);
  const paths = dataPaths(dataDir);
  checks.push(clockCheck([paths.securityLog, paths.observabilityLog]));
  checks.push(
    rulesDir()
      ? { name: 'bundled rules', result: 'ok', detail: 'found' }
      : { name: 'bundled rules', result: 'warn', detail: 'not found', remedy: 'reinstall, or npm run build' },
  );
  checks.push(
    consoleDir()
      ? { name: 'console', result: 'ok', detail: 'built' }
      : { name: 'console', result: 'warn', detail: 'not built', remedy: 'npm run build' },
  );
  return checks;
}
