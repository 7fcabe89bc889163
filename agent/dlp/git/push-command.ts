/** Tells from the arguments of a program whether it pushes with git, and what to where. */
import { posix } from 'node:path';

export interface PushCommand {
  /** Folder that git works in; relative ones are below the process's. */
  folder: string;
  gitDir?: string;
  /** Name or address, when the arguments say it. */
  remote?: string;
  refspecs: string[];
  /** Every branch (and tag). */
  all: boolean;
  tags: boolean;
  /** Told by a program that git started for the push: what is pushed is not in its arguments. */
  helper: boolean;
}

/** Options of `git` itself, and of `push`, that take the next argument. */
const GLOBAL_WITH_VALUE: ReadonlySet<string> = new Set(
  '-C -c --git-dir --work-tree --namespace --exec-path --super-prefix --config-env --attr-source'.split(' '),
);
const PUSH_WITH_VALUE: ReadonlySet<string> = new Set(
  '-o --push-option --receive-pack --exec --repo --recurse-submodules --signed'.split(' '),
);

const RECEIVE = /^'?([\w./-]*\/)?git[- ]receive-pack'?( |$)/;

/** Undefined: it does not push. */
export function pushCommand(argv: readonly string[], cwd: string): PushCommand | undefined {
  const name = posix.basename(argv[0] ?? '');
  const found: PushCommand = { folder: cwd, refspecs: [], all: false, tags: false, helper: false };
  if (name === 'git') return ofGit(argv, found);
  if (name === 'git-push') return ofPush(argv.slice(1), found);
  const isHelper =
    name === 'git-send-pack' ||
    // What git starts for an address of ssh, or of this machine: `ssh HOST "git-receive-pack 'PATH'"`.
    argv.some((argument, at) => at > 0 && argument.includes('receive-pack') && RECEIVE.test(argument));
  if (!isHelper || name === 'git-receive-pack') return undefined;
  return { ...found, helper: true };
}

function ofGit(argv: readonly string[], found: PushCommand): PushCommand | undefined {
  let at = 1;
  for (; at < argv.length; at++) {
    const option = argv[at] ?? '';
    if (!option.startsWith('-')) break;
    const [key, inline] = option.startsWith('--') ? split(option) : [option, undefined];
    const value = inline ?? argv[at + 1] ?? '';
    if (key === '-C') found.folder = posix.resolve(found.folder, value);
    else if (key === '--git-dir') found.gitDir = value;
    if (inline === undefined && GLOBAL_WITH_VALUE.has(key)) at += 1;
  }
  if (argv[at] === 'push') return ofPush(argv.slice(at + 1), found);
  return argv[at] === 'send-pack' ? { ...found, helper: true } : undefined;
}

function ofPush(argv: readonly string[], found: PushCommand): PushCommand | undefined {
  const plain: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? '';
    if (!argument.startsWith('-') || argument === '-') {
      plain.push(argument);
      continue;
    }
    if (argument === '--') {
      plain.push(...argv.slice(at + 1));
      break;
    }
    const [key, inline] = split(argument);
    if (key === '--repo') found.remote = inline ?? argv[at + 1] ?? '';
    if (key === '--dry-run' || /^-[a-z]*n/.test(argument)) return undefined;
    if (key === '--delete' || argument === '-d') return undefined;
    if (key === '--all' || key === '--branches' || key === '--mirror') found.all = true;
    if (key === '--tags' || key === '--follow-tags' || key === '--mirror') found.tags = true;
    if (inline === undefined && PUSH_WITH_VALUE.has(key) && !/^--(signed|recurse)/.test(key)) at += 1;
  }
  const [remote, ...refspecs] = plain;
  if (remote !== undefined) found.remote = remote;
  found.refspecs = refspecs;
  return found;
}

function split(option: string): [string, string | undefined] {
  const at = option.indexOf('=');
  return at < 0 ? [option, undefined] : [option.slice(0, at), option.slice(at + 1)];
}
