/** Asks the agent for something a view shows; again on request, after a reconnect, and every so often if wanted. */
import { useEffect, useState } from 'react';
import { AgentError } from './agent-client.ts';
import { useApp } from './store.ts';

export interface Load<T> {
  data: T | undefined;
  error: AgentError | undefined;
  again: () => void;
}

/**
 * `load` is called for each new `key`; what arrived for an earlier key is never shown for a later one. A failed
 * refresh keeps what was there and reports the error beside it.
 */
export function useLoad<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  refreshMs?: number,
  /** Another number: what was loaded is out of date, and stays on screen until it has been loaded again. */
  stale = 0,
): Load<T> {
  const session = useApp((state) => state.session);
  const [attempt, setAttempt] = useState(0);
  const [state, setState] = useState<{ key: string; data?: T; error?: AgentError }>({ key });
  const run = `${session} ${attempt} ${stale} ${key}`;
  useEffect(() => {
    const abort = new AbortController();
    const start = (): void => {
      if (run.startsWith('0 ') || document.hidden) return;
      load(abort.signal).then(
        (data) => !abort.signal.aborted && setState({ key, data }),
        (error: unknown) => {
          if (abort.signal.aborted) return;
          const known =
            error instanceof AgentError
              ? error
              : new AgentError({ code: 'internal', message: String(error) });
          setState((before) => ({ key, data: before.key === key ? before.data : undefined, error: known }));
        },
      );
    };
    start();
    const timer = refreshMs === undefined ? undefined : setInterval(start, refreshMs);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
    // `load` closes over `key` only.
    // oxlint-disable-next-line react/exhaustive-deps, react/exhaustive-effect-dependencies
  }, [run, key, refreshMs]);
  const current = state.key === key ? state : { key };
  return { data: current.data, error: current.error, again: () => setAttempt((count) => count + 1) };
}
