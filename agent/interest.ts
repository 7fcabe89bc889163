/**
 * Which record types the detector has rules, or the policies have conditions, for. A record of another type is kept as it came: making an event of it
 * would cost several microseconds and tell nothing.
 */
import type { Detector } from './detect/detector.ts';
import type { EventType } from './event.ts';
import type { PolicyEngine } from './policy/engine.ts';
import { Flag, Header } from './sensors/layout.ts';
import { OPCODES } from './sensors/opcodes.ts';

export class Interest {
  /** By record type: 1 as it is, 2 where the call created the file. */
  readonly #types = new Uint8Array(256);

  /** `policies`: absent while there are none; `listener`: who else looks on. */
  constructor(
    detector: Pick<Detector, 'hasRulesFor'>,
    policies?: Pick<PolicyEngine, 'hasPoliciesFor'>,
    listener?: { wants(type: EventType, action: string): boolean },
  ) {
    const wanted = (type: EventType, action: string): boolean =>
      detector.hasRulesFor(type, action) ||
      (policies?.hasPoliciesFor(type, action) ?? false) ||
      (listener?.wants(type, action) ?? false);
    for (const opcode of OPCODES) {
      if (opcode === undefined) continue;
      const { code, type, action, createdAction } = opcode;
      const plain = wanted(type, action);
      const created = createdAction === undefined ? plain : wanted(type, createdAction);
      this.#types[code] = (plain ? 1 : 0) | (created ? 2 : 0);
    }
  }

  /** Whether some rule could match the record at `offset`, by its type; a type that is not known is of interest. */
  in(bytes: Buffer, offset: number): boolean {
    const type = bytes[offset + Header.type] as number;
    const interest = this.#types[type] as number;
    if (interest === 0) return OPCODES[type] === undefined;
    if (interest === 3) return true;
    const created = ((bytes[offset + Header.flags] as number) & Flag.CREATED) !== 0;
    return (interest & (created ? 2 : 1)) !== 0;
  }
}
