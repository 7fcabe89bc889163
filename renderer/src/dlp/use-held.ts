/** Nothing moves under the cursor: what arrives waits while the pointer or the focus is where it would be shown. */
import { useState } from 'react';

interface Held<T> {
  shown: T;
  /** Something newer waits. */
  waits: boolean;
  release: () => void;
  /** For the element that is not to move. */
  hold: {
    onPointerEnter: () => void;
    onPointerLeave: () => void;
    onFocus: () => void;
    onBlur: (event: React.FocusEvent) => void;
  };
}

/** `stamp` names what `latest` shows: another one is something newer. `reset` is shown at once when it changes. */
export function useHeld<T>(latest: T, stamp: string, reset: string): Held<T> {
  const [pointer, setPointer] = useState(false);
  const [focus, setFocus] = useState(false);
  const [kept, keep] = useState({ value: latest, stamp, reset });
  const isHeld = (pointer || focus) && kept.reset === reset && kept.stamp !== stamp;
  // What is shown follows what arrives, in the same render.
  if (!isHeld && (kept.value !== latest || kept.stamp !== stamp || kept.reset !== reset))
    keep({ value: latest, stamp, reset });
  return {
    shown: isHeld ? kept.value : latest,
    waits: isHeld,
    release: () => keep({ value: latest, stamp, reset }),
    hold: {
      onPointerEnter: () => setPointer(true),
      onPointerLeave: () => setPointer(false),
      onFocus: () => setFocus(true),
      onBlur: ({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget)) setFocus(false);
      },
    },
  };
}
