/**
 * What was attempted, from the record of a refusal: the event that a policy's condition is about. The kernel decides by
 * sets; the record of its decision shows the clauses on these values.
 */
import type { Hashes, SentinelEvent } from '../event.ts';

/** `hashes`: of the executable that was refused, when a policy names it by content. */
export function attempted(event: SentinelEvent, hashes: Hashes | undefined): SentinelEvent {
  const { action, file, network, process, details } = event;
  if (action === 'deny_open') return { ...event, action: 'open' };
  if (action === 'deny_connect') {
    const isDatagram = network?.protocol === 'udp';
    return { ...event, action: isDatagram ? 'send' : 'connect' };
  }
  if (action !== 'deny_exec' || process === undefined) return event;
  const refused = { ...process };
  const executable = file?.path ?? process.executable;
  if (executable !== undefined) {
    refused.executable = executable;
    refused.name = executable.slice(executable.lastIndexOf('/') + 1);
  }
  if (hashes !== undefined) refused.hashes = hashes;
  // A refused call leaves the process what it was: the arguments of the new program are not known.
  if (details?.['mechanism'] === 'lsm_deny') delete refused.argv;
  return { ...event, action: 'exec', process: refused };
}
