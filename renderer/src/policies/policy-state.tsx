/** The state of a policy as a word with a shape: how far along its life it is. */
import type { PolicyVersionJson } from '../../../agent/api/contract.ts';
import { t, tryMessage } from '../i18n/i18n.ts';

type State = PolicyVersionJson['state'];

/** How much of the circle is filled. */
const FILL: Record<State, React.ReactNode> = {
  draft: null,
  simulating: <path d="M6 2a4 4 0 0 1 4 4H6z" fill="currentColor" />,
  canary: <path d="M6 2a4 4 0 0 1 0 8z" fill="currentColor" />,
  active: <circle cx="6" cy="6" r="4" fill="currentColor" />,
  deprecated: <path d="M3.5 3.5l5 5" stroke="currentColor" strokeWidth="1.4" />,
};

export function StateTag({ state }: { state: State }) {
  return (
    <span className="policy-state" data-state={state}>
      <svg viewBox="0 0 12 12" className="glyph" aria-hidden="true">
        <circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" strokeWidth="1.2" />
        {FILL[state]}
      </svg>
      {t(`policies.state.${state}`)}
    </span>
  );
}

/** What a policy may promise here, in the reader's language. */
export function guaranteeText(guarantee: string): string {
  return tryMessage(`policies.guarantee.${guarantee}`) ?? guarantee;
}
