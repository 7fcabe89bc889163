/** What the agent says of a text as it is typed: mistakes with their places, what it comes to, completions at the caret. */
import { useEffect, useState } from 'react';
import type { Methods } from '../../../agent/api/contract.ts';
import { agent } from '../store.ts';

const SETTLE_MS = 200;

export type PolicyCheck = Methods['policy.validate']['result'] & { text: string; caret: number | undefined };

/** The latest answer; compare its `text` with what is typed now. */
export function usePolicyCheck(text: string, caret: number | undefined): PolicyCheck | undefined {
  const [checked, setChecked] = useState<PolicyCheck>();
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => {
      agent()
        .call('policy.validate', caret === undefined ? { text } : { text, caret }, abort.signal)
        .then((result) => setChecked({ ...result, text, caret }))
        // The next key asks again; the connection banner says when nobody answers.
        .catch(() => undefined);
    }, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text, caret]);
  return checked;
}
