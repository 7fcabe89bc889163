/** The quarantine in a running agent: what policies take away and people put back is on record. */
import type { CoreAddon } from '../native-addon/index.ts';
import { Quarantine, type QuarantineEntry } from './dlp/quarantine.ts';
import { dlpRuleName } from './dlp-summary.ts';
import { describeError } from './errors.ts';
import type { SentinelEvent } from './event.ts';
import { createVerifier, type Identity } from './identity/identity.ts';
import type { Decision, Effect } from './policy/types.ts';

interface Parts {
  dataDir: string;
  identity: Identity;
  core: Pick<CoreAddon, 'copyAttributes'> | undefined;
  submit: (event: SentinelEvent) => number;
  nowNs: () => bigint;
}

/** What the machine runs by; no policy moves it. */
const SYSTEM = /^\/(bin|boot|dev|etc|lib|lib32|lib64|libx32|proc|run|sbin|sys|usr)\//;
const MAX_RECENT = 256;

export class DlpQuarantine {
  readonly #parts: Parts;
  readonly #store: Quarantine;
  /** By event: two policies that ask for the same file to be moved move it once. */
  readonly #recent = new Map<number, Promise<Effect>>();

  constructor(parts: Parts) {
    this.#parts = parts;
    const { dataDir, identity, core, nowNs } = parts;
    const verify = createVerifier([identity.publicKeyPem]);
    this.#store = new Quarantine({
      dataDir,
      copyAttributes: core && ((from, to) => core.copyAttributes(from, to)),
      sign: (bytes) => identity.sign(bytes),
      verify: (bytes, signature) => verify(identity.keyId, bytes, signature),
      nowNs,
    });
  }

  /** Moves the file of an event away. Never rejects. */
  take(decision: Decision, event: SentinelEvent): Promise<Effect> {
    const known = event.eventId === 0 ? undefined : this.#recent.get(event.eventId);
    if (known !== undefined) return known;
    const effect = this.#take(decision, event).catch((error: unknown) => outcome(describeError(error)));
    this.#recent.set(event.eventId, effect);
    if (this.#recent.size > MAX_RECENT) this.#recent.delete(this.#recent.keys().next().value as number);
    return effect;
  }

  list(): Promise<QuarantineEntry[]> {
    return this.#store.list();
  }

  /** @throws SentinelError */
  async restore(
    id: string,
    to: string | undefined,
    by: string,
  ): Promise<Awaited<ReturnType<Quarantine['restore']>>> {
    const restored = await this.#store.restore(id, to);
    this.#tell(
      restored,
      'restore',
      `${restored.restoredTo} was put back from the quarantine by ${by}`,
      'medium',
    );
    return restored;
  }

  /** @throws SentinelError */
  async remove(id: string, by: string): Promise<QuarantineEntry> {
    const entry = await this.#store.remove(id);
    this.#tell(entry, 'remove', `${entry.path} was removed from the quarantine by ${by}`, 'medium');
    return entry;
  }

  async #take(decision: Decision, event: SentinelEvent): Promise<Effect> {
    const { file, dlp } = event;
    if (file === undefined) return outcome('the event names no file');
    if (SYSTEM.test(file.path)) return outcome(`protected: ${file.path} belongs to the system`);
    if (file.path.startsWith(`${this.#parts.dataDir}/`)) return outcome('protected: it is Sentinel’s own');
    const entry = await this.#store.take({
      path: file.path,
      inode: file.inode,
      policy: decision.policyId,
      eventId: String(event.eventId),
      rules: [...new Set((dlp?.matches ?? []).map(dlpRuleName))],
      destination: dlp?.destination ?? 'local',
    });
    this.#tell(
      entry,
      'quarantine',
      `${entry.path} was moved to the quarantine by ${decision.policyId}`,
      'high',
      event,
    );
    return outcome('');
  }

  #tell(
    entry: QuarantineEntry,
    action: string,
    message: string,
    severity: SentinelEvent['severity'],
    cause?: SentinelEvent,
  ): void {
    const { id, path, policy, eventId, by, lost, size } = entry;
    const event: SentinelEvent = {
      eventId: 0,
      type: 'dlp',
      action,
      lane: 'security',
      tsNs: this.#parts.nowNs(),
      severity,
      message,
      file: { path, op: action, bytes: size },
      details: { quarantineId: id, policy, by, ...(lost === '' ? {} : { notKept: lost }) },
      dlp: {
        verdict: 'match',
        trigger: cause?.dlp?.trigger ?? action,
        destination: entry.destination,
        bytes: size,
        tookMs: 0,
        ofEventId: Number(eventId),
        matches: cause?.dlp?.matches ?? [],
        matchesTotal: cause?.dlp?.matchesTotal ?? 0,
        quarantineId: id,
      },
    };
    if (cause?.dlp?.mount !== undefined && event.dlp !== undefined) event.dlp.mount = cause.dlp.mount;
    if (cause?.process) event.process = cause.process;
    if (cause?.parent) event.parent = cause.parent;
    if (cause?.ancestry) event.ancestry = cause.ancestry;
    this.#parts.submit(event);
  }
}

function outcome(error: string): Effect {
  const common = { mechanism: 'quarantine_move', guarantee: 'moved away after it was written' } as const;
  if (error === '') return { state: 'applied', ...common };
  return { state: error.startsWith('protected') ? 'none' : 'failed', ...common, error };
}
