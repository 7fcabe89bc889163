/**
 * Files that policies guard against being opened, by fanotify. The native side answers alone; here sets become rules
 * and what was done becomes events.
 *
 * Only the directories of guarded files are marked, so nobody else pays. What is not judged within the deadline is
 * answered as its policy fails. When the agent is killed the kernel lets everybody pass, those who wait included: no
 * policy can make that fail closed. While it is frozen, whoever opens something there waits with it.
 */
import { closeSync } from 'node:fs';
import type { CoreAddon, GuardedAct, GuardedAsk, NativeFileGuard } from '../../native-addon/index.ts';
import type { SentinelEvent } from '../event.ts';
import type { KernelOpen, OpenContent } from '../policy/types.ts';

/** Whoever opens a guarded file waits no longer than this for an answer. */
const DEADLINE_MS = 1000;

/** Everything opens files there all the time, and the guard itself reads some of them. */
const NEVER = ['/', '/proc/', '/sys/', '/dev/'];

/** What was found in a file: one for each kind. */
export interface ContentFinding {
  index: string;
  rule: string;
  count: number;
  /** 0 to 1. */
  confidence: number;
}

/** Looks into an open file; undefined when it cannot be looked at. The descriptor stays the caller's. */
export type ContentLook = (fd: number, path: string) => Promise<readonly ContentFinding[] | undefined>;

/** Hears that who opened a protected file was cut off from the network, or why not. */
export type CutHeard = (act: GuardedAct) => void;

function isForbidden(content: OpenContent, found: readonly ContentFinding[]): boolean {
  if (found.length === 0) return false;
  const { indexes, rules, confidence, count } = content;
  return (
    indexes.every((name) => found.some(({ index }) => index === name)) &&
    rules.every((name) => found.some(({ rule }) => rule === name)) &&
    100 * Math.max(...found.map((each) => each.confidence)) >= confidence &&
    found.reduce((sum, each) => sum + each.count, 0) >= count
  );
}

export class OpenGuard {
  readonly #native: NativeFileGuard;
  readonly #nowNs: () => bigint;
  readonly #onAct: (event: SentinelEvent) => void;
  #look: ContentLook | undefined;
  #onCut: CutHeard | undefined;
  #cutting = new Set<number>();
  #contents: { handle: number; content: OpenContent }[] = [];
  /** Refused and not told, because too many were at once. */
  dropped = 0;
  /** Opens of guarded files that were answered at the deadline. */
  late = 0;

  /**
   * `onAct` gets the event of each refusal, on the main thread.
   * @throws Error when the kernel does not allow fanotify permission events.
   */
  constructor(
    core: Pick<CoreAddon, 'NativeFileGuard'>,
    scopeCgroup: string,
    nowNs: () => bigint,
    onAct: (event: SentinelEvent) => void,
    deadlineMs = DEADLINE_MS,
  ) {
    this.#native = new core.NativeFileGuard(() => this.catchUp(), scopeCgroup, deadlineMs);
    this.#nowNs = nowNs;
    this.#onAct = onAct;
  }

  /** Hears now what the native side did until now, which it tells a moment later by itself. */
  catchUp(): void {
    const { acts, asks, dropped, late } = this.#native.take();
    for (const ask of asks) void this.#lookInto(ask);
    this.dropped += dropped;
    this.late = late;
    for (const act of acts) {
      const { pid, startNs, handle, outcome, path, executable } = act;
      if (this.#cutting.has(handle)) {
        this.#onCut?.(act);
        continue;
      }
      this.#onAct({
        eventId: 0,
        type: 'file',
        action: 'deny_open',
        lane: 'security',
        tsNs: this.#nowNs(),
        severity: 'info',
        process: { pid, startNs, name: executable.slice(executable.lastIndexOf('/') + 1) },
        file: { path, op: 'deny_open' },
        details: { policyHandle: String(handle), mechanism: 'fanotify_deny', outcome },
      });
    }
  }

  /** Who looks into files for protected data; without anybody such a file is let pass. */
  useLook(look: ContentLook): void {
    this.#look = look;
  }

  /** By which map of the kernel processes are cut off, and who hears of it. */
  useCut(map: number, onCut: CutHeard): void {
    this.#native.useCutMap(map);
    this.#onCut = onCut;
  }

  /** What is looked for has changed: everything is looked into again. */
  forget(): void {
    this.#native.forget();
  }

  async #lookInto({ id, fd, path, identity }: GuardedAsk): Promise<void> {
    try {
      const found = await this.#look?.(fd, path);
      const handles = this.#contents.filter(({ content }) => found && isForbidden(content, found));
      // What could not be looked at is not remembered.
      this.#native.answer(
        id,
        found === undefined ? '' : identity,
        handles.map(({ handle }) => handle),
      );
    } catch {
      this.#native.answer(id, '', []);
    } finally {
      closeSync(fd);
    }
  }

  /** Guards these and nothing else. */
  apply(
    opens: readonly KernelOpen[],
    cutMs: ReadonlyMap<number, number> = new Map(),
  ): { handle: number; reason: string }[] {
    const refused: { handle: number; reason: string }[] = [];
    const guarded = opens.filter(({ policy, value }) => {
      const below = value.endsWith('/') ? value : value.slice(0, value.lastIndexOf('/') + 1);
      if (!NEVER.some((never) => below === never || (never !== '/' && below.startsWith(never)))) return true;
      refused.push({ handle: policy.handle, reason: `${below} holds what every program opens all the time` });
      return false;
    });
    // Whose open is refused need not be cut off as well.
    guarded.sort((a, b) => Number(a.cuts ?? false) - Number(b.cuts ?? false));
    this.#cutting = new Set(guarded.flatMap(({ cuts, policy }) => (cuts === true ? policy.handle : [])));
    const rules = guarded.map(({ policy, by, value, exceptExecutables, content, cuts }) => ({
      path: by === 'directory' && !value.endsWith('/') ? `${value}/` : value,
      directory: by === 'directory',
      handle: policy.handle,
      closed: policy.failMode === 'closed',
      content: content !== undefined,
      except: [...exceptExecutables],
      ...(cuts === true && { cutMs: cutMs.get(policy.handle) ?? 0 }),
    }));
    this.#contents = guarded.flatMap(({ policy, content }) =>
      content === undefined ? [] : [{ handle: policy.handle, content }],
    );
    return [...refused, ...this.#native.set(rules)];
  }

  /** Guards directories that came since; to be called every few seconds while something is guarded. */
  refresh(): void {
    this.#native.refresh();
  }

  close(): void {
    this.#native.close();
  }
}
