/** Files that are known to hold protected data, and which of them a copy came from. */
import { statSync } from 'node:fs';
import { protectedFile } from './dlp-events.ts';
import { type ProtectedFile, ProtectedFiles, rulesOf } from './dlp-protected.ts';
import { argumentFiles } from './dlp/argument-files.ts';
import { deviceName } from './dlp/block-devices.ts';
import type { LookOptions, Looked } from './dlp/looker.ts';
import { ProtectedReads } from './dlp/reads.ts';
import type { FileVerdict } from './dlp/types.ts';
import { entityId, type DlpSource, type SentinelEvent } from './event.ts';

/** For the files that a copy may have come from, so that the event is not late for them. */
const SOURCE_DEADLINE_MS = 200;
const SOURCE_MAX_BYTES = 64 * 1024 * 1024;

export class ProtectedSources {
  readonly reads = new ProtectedReads();
  readonly #look: (path: string, options: LookOptions) => Promise<Looked | undefined>;
  readonly #onFirst: () => void;
  /** By `device:inode`, in the kernel's numbers. */
  readonly #files = new ProtectedFiles();
  /** Those in guarded folders, by path. */
  readonly #guarded = new ProtectedFiles();

  /** `onFirst`: now there is one, whose opens are of interest. */
  constructor(
    look: (path: string, options: LookOptions) => Promise<Looked | undefined>,
    onFirst: () => void,
  ) {
    this.#look = look;
    this.#onFirst = onFirst;
  }

  get size(): number {
    return this.#files.size;
  }

  clear(): void {
    this.#files.clear();
    this.#guarded.clear();
  }

  /** The kernel's records name a file by its superblock's device and its inode. */
  remember({ verdict, inode }: Looked): void {
    const stat =
      inode === undefined ? undefined : statSync(verdict.path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined || stat.ino.toString() !== inode) return;
    this.#files.set(`${deviceName(stat.dev)}:${inode}`, protectedFile(verdict.path, verdict));
    if (this.#files.size === 1) this.#onFirst();
  }

  /** What somebody waits to open in a guarded folder. */
  guard(path: string, verdict: FileVerdict): void {
    if (verdict.matches.length > 0) this.#guarded.set(path, protectedFile(path, verdict));
  }

  /** A file was opened; returns what is in it when this process opens it for the first time. */
  opened(event: SentinelEvent): ProtectedFile | undefined {
    const { file } = event;
    const found = this.#files.get(`${file?.device ?? ''}:${file?.inode ?? ''}`);
    if (found === undefined || file === undefined) return undefined;
    return this.reads.add(event, file.path, rulesOf(found.matches)) ? found : undefined;
  }

  /** As `opened`, told by the guard. */
  openedGuarded(event: SentinelEvent, path: string): ProtectedFile {
    const found = this.#guarded.get(path) ?? { path, matches: [], total: 0 };
    this.reads.add(event, path, rulesOf(found.matches));
    return found;
  }

  /** Protected files that were opened before; where no open was recorded, those that the arguments name. */
  async of(event: SentinelEvent, written: string, verdict: FileVerdict): Promise<DlpSource[]> {
    const known = this.reads.near(event);
    if (known.length > 0 || event.process === undefined) return known;
    const candidates = new Set(argumentFiles(event, written));
    if (event.file?.oldPath !== undefined) candidates.add(event.file.oldPath);
    // A plain file was not copied from inside a container, as a rule; looking there takes a process of its own.
    const extract = verdict.members !== undefined;
    const options = { maxBytes: SOURCE_MAX_BYTES, deadlineMs: SOURCE_DEADLINE_MS, extract };
    const found: DlpSource[] = [];
    for (const path of candidates) {
      const looked = await this.#look(path, options);
      if (looked?.verdict.verdict !== 'match') continue;
      this.remember(looked);
      const { process, tsNs } = event;
      const rules = rulesOf(looked.verdict.matches);
      found.push({ path, rules, entityId: entityId(process), name: process.name, tsNs });
    }
    return found;
  }
}
