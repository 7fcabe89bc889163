/**
 * Names of user ids from the passwd file. Users of directory services (LDAP, systemd-homed) have no name here and
 * show as numbers: asking NSS could block the decision loop on a network.
 *
 * Bounds: the file counts up to MAX_FILE_BYTES and MAX_USERS entries. It is looked at again at most every
 * `recheckMs`, and read again only when its identity, size or time changed.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';

const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_USERS = 50_000;

/** uid to name; the first entry of a uid wins, as in getpwuid(3). */
export function parsePasswd(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const fields = line.split(':', 4);
    const [name, , uidText] = fields;
    if (name === undefined || name === '' || name.startsWith('#') || !/^\d{1,10}$/.test(uidText ?? ''))
      continue;
    const uid = Number(uidText);
    if (!names.has(uid) && names.size < MAX_USERS) names.set(uid, name);
  }
  return names;
}

function readText(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(Math.min(fstatSync(fd).size, MAX_FILE_BYTES));
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(fd);
  }
}

export class UserTable {
  #names = new Map<number, string>();
  #version = '';
  #nextCheckMs = 0;
  readonly #path: string;
  readonly #recheckMs: number;

  constructor(path = '/etc/passwd', recheckMs = 5_000) {
    this.#path = path;
    this.#recheckMs = recheckMs;
  }

  /** Name of `uid`; undefined when the file has none or cannot be read. */
  nameOf(uid: number): string | undefined {
    const nowMs = performance.now();
    if (nowMs >= this.#nextCheckMs) {
      this.#nextCheckMs = nowMs + this.#recheckMs;
      this.#refresh();
    }
    return this.#names.get(uid);
  }

  #refresh(): void {
    try {
      const { ino, mtimeMs, ctimeMs, size } = statSync(this.#path);
      const version = `${ino} ${mtimeMs} ${ctimeMs} ${size}`;
      if (version === this.#version) return;
      this.#names = parsePasswd(readText(this.#path));
      this.#version = version;
    } catch {
      // Being replaced, or absent on this system: what is known stays; the next check tries again.
    }
  }
}
