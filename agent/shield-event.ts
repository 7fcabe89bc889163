/** Looks at the texts of an event that somebody else chose, and makes the event that says what was found. */
import type { SentinelEvent } from './event.ts';
import { classify, classifyCommand } from './shield/classify.ts';
import { neutralise } from './neutralise.ts';
import type { Classified, ShieldVerdict } from './shield/verdict.ts';

export interface Shielded {
  /** As in the event's JSON form. */
  field: string;
  verdict: ShieldVerdict;
  classified: Classified;
  text: string;
}

const RANK = { benign: 0, suspicious: 1, malicious: 2 } as const;

function worst(
  found: Shielded | undefined,
  field: string,
  text: string,
  classified: Classified,
): Shielded | undefined {
  if (classified.verdict === 'benign') return found;
  if (found && RANK[found.verdict] >= RANK[classified.verdict]) return found;
  return { field, verdict: classified.verdict, classified, text };
}

/** The worst text of a program start, a DNS question or a file event; undefined when all are benign. */
export function shieldEvent(event: SentinelEvent): Shielded | undefined {
  const { process, file, dns } = event;
  let found: Shielded | undefined;
  if (event.type === 'process') {
    if (event.action !== 'exec' || process === undefined) return undefined;
    const { argv, executable, cwd } = process;
    if (argv !== undefined) {
      const classified = classifyCommand(argv);
      if (classified.verdict !== 'benign') found = worst(found, 'process.argv', argv.join(' '), classified);
    }
    if (executable !== undefined)
      found = worst(found, 'process.executable', executable, classify(executable, 'path'));
    if (cwd !== undefined) found = worst(found, 'process.cwd', cwd, classify(cwd, 'path'));
  } else if (dns !== undefined) found = worst(found, 'dns.query', dns.query, classify(dns.query, 'dns'));
  else if (file !== undefined) {
    found = worst(found, 'file.path', file.path, classify(file.path, 'path'));
    if (file.oldPath !== undefined)
      found = worst(found, 'file.oldPath', file.oldPath, classify(file.oldPath, 'path'));
  }
  return found;
}

/** The label of an event whose texts are not all benign, as the API gives it. */
export function shieldLabel(event: SentinelEvent): Record<string, unknown> | undefined {
  const found = shieldEvent(event);
  if (found === undefined) return undefined;
  const { field, verdict, classified, text } = found;
  return {
    field,
    verdict,
    reasons: classified.reasons,
    neutral: neutralise(text.slice(0, MAX_TEXT), classified),
  };
}

const MAX_TEXT = 2048;

/** The event of the security lane that states a malicious text in `event`, whose id is known. */
export function shieldRecord(
  event: SentinelEvent,
  { field, verdict, classified, text }: Shielded,
): SentinelEvent {
  const { process, parent, ancestry } = event;
  const made: SentinelEvent = {
    eventId: 0,
    type: 'shield',
    action: 'classified',
    lane: 'security',
    tsNs: event.tsNs,
    severity: verdict === 'malicious' ? 'medium' : 'low',
    message: `${field} of event ${event.eventId}: ${classified.reasons.map(({ detail }) => detail).join('; ')}`,
    details: {
      shield_of: String(event.eventId),
      field,
      verdict,
      kinds: [...new Set(classified.reasons.map(({ kind }) => kind))].join(','),
      neutral: neutralise(text.slice(0, MAX_TEXT), classified),
    },
  };
  if (process) made.process = process;
  if (parent) made.parent = parent;
  if (ancestry) made.ancestry = ancestry;
  return made;
}
