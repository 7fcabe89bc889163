/**
 * Files that policies guard against being opened, by fanotify. The native side answers alone; here sets become rules
 * and what was done becomes events.
 *
 * Only the directories of guarded files are marked, so nobody else pays. When the agent is gone the kernel lets
 * everybody pass: no policy can make this fail closed, and one that asks for it is told so.
 */
import type { CoreAddon, NativeFileGuard } from '../../native-addon/index.ts';
import type { SentinelEvent } from '../event.ts';
import type { KernelOpen } from '../policy/types.ts';

/** Everything opens files there all the time, and the guard itself reads some of them. */
const NEVER = ['/', '/proc/', '/sys/', '/dev/'];

export class OpenGuard {
  readonly #native: NativeFileGuard;
  /** Refused and not told, because too many were at once. */
  dropped = 0;

  /**
   * `onAct` gets the event of each refusal, on the main thread.
   * @throws Error when the kernel does not allow fanotify permission events.
   */
  constructor(
    core: Pick<CoreAddon, 'NativeFileGuard'>,
    scopeCgroup: string,
    nowNs: () => bigint,
    onAct: (event: SentinelEvent) => void,
  ) {
    const native = new core.NativeFileGuard(() => {
      const { acts, dropped } = native.take();
      this.dropped += dropped;
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
    }, scopeCgroup);
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
