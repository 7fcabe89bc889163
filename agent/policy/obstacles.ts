/** What keeps a text from beginning to act, whatever its state; a version that acts already is left alone. */
import type { PolicyRefusedError } from './refused.ts';
import type { Policy } from './types.ts';

export class Obstacles {
  readonly #obstacle: (policy: Policy) => PolicyRefusedError | undefined;
  /** Hashes of canaries that would be active but for an obstacle. */
  readonly #held = new Set<string>();
  readonly #untold: { id: string; problem: PolicyRefusedError }[] = [];

  constructor(obstacle: (policy: Policy) => PolicyRefusedError | undefined) {
    this.#obstacle = obstacle;
  }

  /** @throws PolicyRefusedError */
  check(policy: Policy | undefined): void {
    const problem = policy && this.#obstacle(policy);
    if (problem) throw problem;
  }

  /** Whether a canary must not become active by itself now. */
  holds(policy: Policy): boolean {
    const { id, hash } = policy;
    const problem = this.#obstacle(policy);
    if (problem === undefined) {
      this.#held.delete(hash);
      return false;
    }
    if (!this.#held.has(hash)) this.#untold.push({ id, problem });
    this.#held.add(hash);
    return true;
  }

  /** What was held since the last call, each once. */
  takeUntold(): { id: string; problem: PolicyRefusedError }[] {
    return this.#untold.splice(0);
  }
}
