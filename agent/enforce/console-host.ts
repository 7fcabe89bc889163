/**
 * The programs that show the console, found by their connections: no policy ends them. A browser is several processes of
 * one executable, some of which come and go; those are looked up anew now and then.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import type { CoreAddon } from '../../native-addon/index.ts';

const WHY = 'it shows the console';
/** Programs remembered; the oldest is forgotten first. */
const MAX_HOSTS = 16;
const LOOPBACK = '0100007F';

/** Inode of the socket at the other end of a loopback connection. */
function socketOf(ownPort: number, peerPort: number): string | undefined {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
  const local = `${LOOPBACK}:${hex(peerPort)}`;
  const remote = `${LOOPBACK}:${hex(ownPort)}`;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local && fields[2] === remote && fields[9] !== '0') return fields[9];
  }
  return undefined;
}

function pids(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);
}

/** Who holds the other end of a connection to one of our ports on loopback. Reads /proc without holding up the thread. */
export async function ownerOfConnection(ownPort: number, peerPort: number): Promise<number | undefined> {
  const inode = socketOf(ownPort, peerPort);
  if (inode === undefined) return undefined;
  const wanted = `socket:[${inode}]`;
  for (const pid of pids()) {
    try {
      for (const fd of await readdir(`/proc/${pid}/fd`))
        if ((await readlink(`/proc/${pid}/fd/${fd}`)) === wanted) return pid;
    } catch {
      // It ended, or closed the descriptor.
    }
  }
  return undefined;
}

function executableOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

function parentOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ')[1] ?? 0);
  } catch {
    return 0;
  }
}

/** The processes of the program that `pid` belongs to: from the topmost of its executable down. */
export function programOf(pid: number): number[] {
  const executable = executableOf(pid);
  if (executable === undefined) return [];
  let top = pid;
  for (
    let parent = parentOf(pid);
    parent > 1 && executableOf(parent) === executable;
    parent = parentOf(parent)
  )
    top = parent;
  const alike = pids().filter((each) => executableOf(each) === executable);
  const family = new Set([top]);
  for (let before = 0; before < family.size;) {
    before = family.size;
    for (const each of alike) if (family.has(parentOf(each))) family.add(each);
  }
  return [...family];
}

export class ConsoleHosts {
  readonly #core: Pick<CoreAddon, 'protectProcess'>;
  readonly #hosts = new Set<number>();

  constructor(core: Pick<CoreAddon, 'protectProcess'>) {
    this.#core = core;
  }

  /** A process that shows the console. */
  add(pid: number): void {
    if (pid === process.pid || this.#hosts.has(pid)) return;
    this.#hosts.add(pid);
    const [oldest] = this.#hosts;
    if (this.#hosts.size > MAX_HOSTS) this.#hosts.delete(oldest as number);
    this.#protect(pid);
  }

  /** Protects what these programs have started since; forgets those that ended. */
  refresh(): void {
    for (const pid of this.#hosts) if (!this.#protect(pid)) this.#hosts.delete(pid);
  }

  #protect(pid: number): boolean {
    const program = programOf(pid);
    for (const each of program) this.#core.protectProcess(each, WHY);
    return program.length > 0;
  }
}
