// Sets up and builds what is missing or stale, on whatever Node runs it (20 and later), before any npm script.
// Quiet when there is nothing to do; everything it says goes to stderr so that `--json` output stays clean.
//   --with test   also the Debian packages that only the tests need
//   --force       rebuild everything
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const force = process.argv.includes('--force');
const withTest = process.argv.includes('--with') && process.argv.includes('test');
const modules = join(root, 'node_modules');
const node24 = join(modules, '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
const log = (text) => process.stderr.write(`sentinel: ${text}\n`);

const BUILD_PACKAGES = [
  'g++',
  'make',
  'python3',
  'clang',
  'llvm',
  'libbpf-dev',
  'libelf-dev',
  'zlib1g-dev',
  'linux-libc-dev',
];
const TEST_PACKAGES = [
  'chromium',
  'fonts-liberation',
  'fonts-dejavu-core',
  'qemu-system-x86',
  'busybox-static',
  'cpio',
  'curl',
  'strace',
  'gcc',
  'libclang-rt-dev',
];

function run(command, args, what, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (result.status === 0) return true;
  log(`${what} failed (${result.error?.message ?? `exit ${result.status}`}): ${command} ${args.join(' ')}`);
  return false;
}

function fingerprint(paths) {
  const hash = createHash('sha256');
  const visit = (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) return;
    if (!stat.isDirectory()) {
      if (!/\.test\.tsx?$/.test(path))
        hash.update(`${path.slice(root.length)}\0${stat.size}\0${stat.mtimeMs}\n`);
      return;
    }
    for (const name of readdirSync(path).sort()) {
      if (name !== 'node_modules' && name !== 'build') visit(join(path, name));
    }
  };
  for (const path of paths) visit(join(root, path));
  return hash.digest('hex');
}

/** Runs `build` when the inputs changed since it last succeeded; returns false if it failed now. */
function step(name, inputs, outputs, build) {
  const stamp = join(root, 'out', '.stamps', name);
  const current = fingerprint([...inputs, 'package-lock.json']);
  const fresh = existsSync(stamp) && readFileSync(stamp, 'utf8') === current;
  if (!force && fresh && outputs.every((path) => existsSync(join(root, path)))) return true;
  log(`building ${name}`);
  if (!build()) return false;
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, current);
  return true;
}

function ensureModules() {
  const stamp = join(modules, '.sentinel-lock');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  log('installing npm packages (once)');
  const npm = process.env.npm_execpath;
  // Not `npm ci`: it refuses a lock file that lacks optional packages of platforms a partial registry mirror does not
  // carry. `install --no-save` keeps to the locked versions and leaves both files alone.
  const args = [
    'install',
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--include=dev',
    '--include=optional',
  ];
  const ok = npm ? run(process.execPath, [npm, ...args], 'npm install') : run('npm', args, 'npm install');
  if (!ok) {
    log('npm packages could not be installed; check the network and run `npm install`');
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}

function missingDebianPackages(names) {
  const query = spawnSync('dpkg-query', ['-W', '-f=${Package} ${db:Status-Status}\n', ...names], {
    encoding: 'utf8',
  });
  if (query.error) return undefined;
  const installed = new Set(
    query.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

function ensureDebianPackages() {
  if (process.platform !== 'linux') return;
  const wanted = withTest ? [...BUILD_PACKAGES, ...TEST_PACKAGES] : BUILD_PACKAGES;
  const stamp = join(root, 'out', '.stamps', withTest ? 'apt-test' : 'apt');
  if (!force && existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < 24 * 3600_000) return;
  let missing = missingDebianPackages(wanted);
  if (missing === undefined) {
    log(`this is not a Debian system: for the kernel sensor install the equivalents of ${wanted.join(' ')}`);
    return;
  }
  if (missing.length > 0 && process.getuid() === 0) {
    log(`installing Debian packages: ${missing.join(' ')}`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    run('apt-get', ['update', '-qq'], 'apt-get update', { env, stdio: 'ignore' });
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], 'apt-get install', {
      env,
      stdio: ['ignore', 'ignore', 2],
    });
    missing = missingDebianPackages(wanted) ?? [];
  }
  if (missing.length > 0) {
    log(`missing Debian packages; run: sudo apt-get install -y ${missing.join(' ')}`);
    return;
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, '');
}

function have(command) {
  return spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0;
}

function buildNative() {
  if (process.platform !== 'linux') return;
  if (have('g++') && have('make')) {
    const ok = step('native addon', ['native-addon'], ['out/native/sentinel_core.node'], () =>
      run(node24, [join(root, 'build', 'native.mjs'), 'addon'], 'the native addon'),
    );
    if (!ok) log('continuing without the native addon: slower log writer, no kernel sensor');
  } else log('no C++ compiler: continuing without the native addon (slower log writer, no kernel sensor)');
  if (have('clang')) {
    const ok = step('eBPF object', ['native-addon/src/linux'], ['out/native/sensor.bpf.o'], () =>
      run(node24, [join(root, 'build', 'native.mjs'), 'bpf'], 'the eBPF object'),
    );
    if (!ok) log('continuing without the eBPF object: the fallback sensor will be used');
  } else log('no clang: continuing without the eBPF object (the fallback sensor will be used)');
}

function buildBundles() {
  const vite = join(modules, 'vite', 'bin', 'vite.js');
  const bundle = (name, config, inputs, output) =>
    step(name, [...inputs, config], [output], () =>
      run(node24, [vite, 'build', '--logLevel', 'error', '-c', config], name),
    );
  const agentOk = bundle(
    'agent',
    'build/vite.agent.config.ts',
    [
      'agent',
      'native-addon/index.ts',
      'rules',
      'proto',
      'electron/agent-host.ts',
      'package.json',
      'build/reader-cache.ts',
      'build/reader-samples.ts',
    ],
    'out/agent/sentinel.mjs',
  );
  const contract = readdirSync(join(root, 'agent', 'api'))
    .filter((name) => /^contract\b.*\.ts$/.test(name))
    .map((name) => `agent/api/${name}`);
  const consoleOk = bundle(
    'console',
    'build/vite.renderer.config.ts',
    ['renderer', ...contract],
    'out/renderer/index.html',
  );
  for (const part of ['main', 'preload']) {
    bundle(
      `desktop ${part}`,
      `build/vite.${part}.config.ts`,
      ['electron', 'agent/desktop-console.ts', 'agent/api/console-files.ts'],
      `.vite/build/${part}.cjs`,
    );
  }
  if (!agentOk || !consoleOk) process.exit(1);
}

ensureModules();
ensureDebianPackages();
buildNative();
buildBundles();
