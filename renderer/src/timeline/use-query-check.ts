/** Asks the agent about the text being typed, once it pauses; answers that come late are dropped. */
import { useEffect, useState } from 'react';
import type { QueryCheck } from '../../../agent/api/contract.ts';
import { agent, useApp } from '../store.ts';

const PAUSE_MS = 60;

export function useQueryCheck(
  text: string,
  caret: number | undefined,
): { checked: string; check: QueryCheck | undefined } {
  const session = useApp((state) => state.session);
  const [answer, setAnswer] = useState<{ checked: string; check: QueryCheck | undefined }>({
    checked: '',
    check: undefined,
  });
  useEffect(() => {
    if (session === 0 || (text === '' && caret === undefined)) return undefined;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      agent()
        .call('query.check', { text, caret }, abort.signal)
        .then((check) => setAnswer({ checked: text, check }))
        .catch(() => undefined);
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text, caret, session]);
  return answer;
}
