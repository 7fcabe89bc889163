/**
 * How full the observability lane is, as a state with hysteresis, so that it does not flicker at a threshold:
 *
 *   NORMAL -(70 %)-> SHED_DEBUG -(85 %)-> SHED_INFO -(95 %)-> PASSTHROUGH
 *   NORMAL <-(55 %)- SHED_DEBUG <-(70 %)- SHED_INFO <-(80 %)- PASSTHROUGH
 *
 * Up in one step as far as the level demands, down likewise. The level is held plus not yet durable bytes over
 * `maxBufferBytes`.
 */

export const OVERLOAD_STATES = ['NORMAL', 'SHED_DEBUG', 'SHED_INFO', 'PASSTHROUGH'] as const;
export type OverloadState = (typeof OVERLOAD_STATES)[number];

export const NORMAL = 0;
export const SHED_DEBUG = 1;
export const PASSTHROUGH = 3;

const ENTER = [0, 0.7, 0.85, 0.95] as const;
const LEAVE = [0, 0.55, 0.7, 0.8] as const;

export class Overload {
  readonly maxBytes: number;
  state = NORMAL;
  /** How often each state was entered. */
  readonly entered = [0, 0, 0, 0];
  /** Below this many bytes the state is NORMAL whatever it was. */
  readonly calmBytes: number;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
    this.calmBytes = LEAVE[SHED_DEBUG] * maxBytes;
  }

  /** The state once `bytes` are held; call with the record at the door included. */
  update(bytes: number): number {
    const level = bytes / this.maxBytes;
    const before = this.state;
    let state = before;
    while (state < PASSTHROUGH && level >= (ENTER[state + 1] ?? 1)) state += 1;
    while (state > NORMAL && level < (LEAVE[state] ?? 0)) state -= 1;
    if (state !== before) {
      this.state = state;
      this.entered[state] = (this.entered[state] ?? 0) + 1;
    }
    return state;
  }
}
