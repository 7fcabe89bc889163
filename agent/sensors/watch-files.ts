/**
 * Changes in a few directories that attackers change to stay: through inotify (node:fs.watch), which needs no rights.
 * inotify does not tell who did it, so these events have no process; it is not recursive, and a change that is undone
 * before the name is looked at shows as what is left of it.
 */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { SentinelEvent } from '../event.ts';

/** Directories watched where they exist and may be read. */
export const WATCHED_DIRECTORIES: readonly string[] = [
  '/etc',
  '/etc/cron.d',
  '/etc/cron.daily',
  '/etc/cron.hourly',
  '/var/spool/cron/crontabs',
  '/etc/init.d',
  '/etc/ld.so.conf.d',
  '/etc/pam.d',
  '/etc/profile.d',
  '/etc/security',
  '/etc/ssh',
  '/etc/sudoers.d',
  '/etc/systemd/system',
  '/etc/udev/rules.d',
  '/etc/xdg/autostart',
  '/root',
  '/root/.ssh',
];

/** Personal directories worth the same, below a home directory. */
export function homeDirectories(home: string): string[] {
  return [
    home,
    join(home, '.ssh'),
    join(home, '.config', 'autostart'),
    join(home, '.config', 'systemd', 'user'),
  ];
}

/** Changes of one name within this time are told once. */
const SETTLE_MS = 100;
const MAX_PENDING = 1_000;

export class FileWatcher {
  readonly #watchers: FSWatcher[] = [];
  readonly #known = new Map<string, boolean>();
  readonly #pending = new Map<string, 'rename' | 'change'>();
  readonly #onEvent: (event: SentinelEvent) => void;
  #timer: NodeJS.Timeout | undefined;
  /** Directories that are watched. */
  readonly directories: string[] = [];
  /** Changes not told because too many came at once. */
  dropped = 0;

  constructor(directories: readonly string[], onEvent: (event: SentinelEvent) => void) {
    this.#onEvent = onEvent;
    for (const directory of new Set(directories)) {
      try {
        const watcher = watch(directory, { persistent: false }, (kind, name) => {
          if (name !== null) this.#note(join(directory, name), kind);
        });
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
        this.directories.push(directory);
      } catch {
        // Absent here, not ours to read, or no inotify watch left.
      }
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#tell();
    for (const watcher of this.#watchers) watcher.close();
  }

  #note(path: string, kind: 'rename' | 'change'): void {
    if (this.#pending.size >= MAX_PENDING && !this.#pending.has(path)) {
      this.dropped += 1;
      return;
    }
    if (this.#pending.get(path) !== 'rename') this.#pending.set(path, kind);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#tell();
    }, SETTLE_MS).unref();
  }

  #tell(): void {
    for (const [path, kind] of this.#pending) {
      const file = statSync(path, { throwIfNoEntry: false, bigint: true });
      const action = file === undefined ? 'unlink' : kind === 'rename' ? 'create' : 'write';
      if (file === undefined && this.#known.get(path) === false) continue;
      if (this.#known.size < MAX_PENDING) this.#known.set(path, file !== undefined);
      this.#onEvent({
        eventId: 0,
        type: 'file',
        action,
        lane: 'security',
        tsNs: 0n,
        severity: 'info',
        file: {
          path,
          op: action,
          inode: file === undefined ? undefined : String(file.ino),
          bytes: file === undefined ? undefined : Number(file.size),
          mode: file === undefined ? undefined : Number(file.mode),
        },
      });
    }
    this.#pending.clear();
  }
}
