/**
 * Files that policies guard against being opened, by fanotify. The native side answers alone; here sets become rules
 * and what was done becomes events.
 *
 * Only the directories of guarded files are marked, so nobody else pays. What is not judged within the deadline is
 * answered as its policy fails. When the agent is killed the kernel lets everybody pass, those who wait included: no
 * policy can make that fail closed. While it is frozen, whoever opens something there waits with it.
 */
import type { CoreAddon, NativeFileGuard } from '../../native-addon/index.ts';
import type { SentinelEvent } from '../event.ts';
import type { KernelOpen } from '../policy/types.ts';

/** Whoever opens a guarded file waits no longer than this for an answer. */
const DEADLINE_MS = 1000;

/** Everything opens files there all the time, and the guard itself reads some of them. */
const NEVER = ['/', '/proc/', '/sys/', '/dev/'];

export class OpenGuard {
  readonly #native: NativeFileGuard;
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
    const native = new core.NativeFileGuard(
      () => {
        const { acts, dropped, late } = native.take();
        this.dropped += dropped;
        this.late = late;
        for (const { pid, startNs, handle, outcome, path, executable } of acts) {
          onAct({
            eventId: 0,
            type: 'file',
            action: 'deny_open',
            lane: 'security',
            tsNs: nowNs(),
            severity: 'info',
            process: { pid, startNs, name: executable.slice(executable.lastIndexOf('/') + 1) },
            file: { path, op: 'deny_open' },
            details: { policyHandle: String(handle), mechanism: 'fanotify_deny', outcome },
          });
        }
      },
      scopeCgroup,
      deadlineMs,
    );
    this.#native = native;
  }

  /** Guards these and nothing else. */
  apply(opens: readonly KernelOpen[]): { handle: number; reason: string }[] {
    const refused: { handle: number; reason: string }[] = [];
    const guarded = opens.filter(({ policy, value }) => {
      const below = value.endsWith('/') ? value : value.slice(0, value.lastIndexOf('/') + 1);
      if (!NEVER.some((never) => below === never || (never !== '/' && below.startsWith(never)))) return true;
      refused.push({ handle: policy.handle, reason: `${below} holds what every program opens all the time` });
      return false;
    });
    const rules = guarded.map(({ policy, by, value, exceptExecutables }) => ({
      path: by === 'directory' && !value.endsWith('/') ? `${value}/` : value,
      directory: by === 'directory',
      handle: policy.handle,
      closed: policy.failMode === 'closed',
      except: [...exceptExecutables],
    }));
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
