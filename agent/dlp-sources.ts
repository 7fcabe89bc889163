/** Files that are known to hold protected data, and which of them a copy came from. */
import { statSync } from 'node:fs';
import { dlpRuleName } from './dlp-summary.ts';
import { argumentFiles } from './dlp/argument-files.ts';
import { deviceName } from './dlp/block-devices.ts';
import type { LookOptions, Looked } from './dlp/looker.ts';
import { ProtectedReads } from './dlp/reads.ts';
import type { FileVerdict } from './dlp/types.ts';
import { entityId, type DlpSource, type SentinelEvent } from './event.ts';

const MAX_PROTECTED = 16_384;
/** For the files that a copy may have come from, so that the event is not late for them. */
const SOURCE_DEADLINE_MS = 200;
const SOURCE_MAX_BYTES = 64 * 1024 * 1024;

export class ProtectedSources {
  readonly reads = new ProtectedReads();
  readonly #look: (path: string, options: LookOptions) => Promise<Looked | undefined>;
  readonly #onFirst: () => void;
  /** `device:inode` by the kernel's numbers; oldest leaves. */
  readonly #files = new Map<string, { path: string; rules: string[] }>();

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
  }

  /** The kernel's records name a file by its superblock's device and its inode. */
  remember({ verdict, inode }: Looked): void {
    const stat =
      inode === undefined ? undefined : statSync(verdict.path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined || stat.ino.toString() !== inode) return;
    const key = `${deviceName(stat.dev)}:${inode}`;
    this.#files.delete(key);
    this.#files.set(key, { path: verdict.path, rules: rulesOf(verdict) });
    if (this.#files.size > MAX_PROTECTED) this.#files.delete(this.#files.keys().next().value as string);
    if (this.#files.size === 1) this.#onFirst();
  }

  opened(event: SentinelEvent): void {
    const { file } = event;
    const found = this.#files.get(`${file?.device ?? ''}:${file?.inode ?? ''}`);
    if (found !== undefined && file !== undefined) this.reads.add(event, file.path, found.rules);
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
      const rules = rulesOf(looked.verdict);
      found.push({ path, rules, entityId: entityId(process), name: process.name, tsNs });
    }
    return found;
  }
}

function rulesOf(verdict: FileVerdict): string[] {
  return [...new Set(verdict.matches.map(dlpRuleName))];
}
