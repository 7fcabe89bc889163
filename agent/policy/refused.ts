/** A step in a policy's life that is not taken, and what to do about it. */
import { SentinelError } from '../errors.ts';

/** Why a step was not taken. */
export class PolicyRefusedError extends SentinelError {
  constructor(message: string, remedy: string) {
    super('policy_refused', message, remedy);
    this.name = 'PolicyRefusedError';
  }
}
