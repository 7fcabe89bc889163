/**
 * What policies did lately, for notices: the same thing done again by the same policy is one entry with a count, and when
 * many different things happen at once only the first few get an entry; the others are counted. Everything is on record
 * in any case; this is for telling a person without shouting.
 */
import type { PolicyActJson, PolicyActsJson } from './api/contract.ts';
import type { SentinelEvent } from './event.ts';
import type { Decision } from './policy/types.ts';
import { printable } from './printable.ts';

/** Same policy, program and outcome within this time of the first: one entry. */
const GROUP_MS = 60_000;
/** New entries in any such time. */
const MAX_NEW = 6;
const NEW_MS = 30_000;
const MAX_KEPT = 12;
const MAX_TEXT = 300;

export class PolicyActs {
  readonly #nowMs: () => number;
  readonly #run: string;
  /** Newest last. */
  readonly #acts: { key: string; act: PolicyActJson }[] = [];
  #made = 0;
  #total = 0;
  #untold = 0;
  #begunMs: number[] = [];

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
    this.#run = nowMs().toString(36);
  }

  /** A decision that was carried out, or could not be. Others are no news. */
  note(decision: Decision, event: SentinelEvent): void {
    const { effect, wouldBe, action } = decision;
    if (wouldBe || action === 'alert' || effect.state === 'none') return;
    this.#total += 1;
    const nowMs = this.#nowMs();
    const what = objectOf(event);
    const key = `${decision.policyHash} ${effect.state} ${event.process?.executable ?? ''} ${what}`;
    const known = this.#acts.find((each) => each.key === key);
    if (known && nowMs - known.act.firstMs < GROUP_MS) {
      known.act.count += 1;
      known.act.lastMs = nowMs;
      known.act.eventId = String(decision.eventId);
      return;
    }
    this.#begunMs = this.#begunMs.filter((begunMs) => nowMs - begunMs < NEW_MS);
    if (this.#begunMs.length >= MAX_NEW) {
      this.#untold += 1;
      return;
    }
    this.#begunMs.push(nowMs);
    this.#made += 1;
    const { policyId, policyTitle, severity, guardian } = decision;
    const act: PolicyActJson = {
      id: `${this.#run}-${this.#made}`,
      policyId,
      policyTitle: printable(policyTitle).slice(0, MAX_TEXT),
      severity,
      action,
      state: effect.state,
      guarantee: effect.guarantee,
      guardian,
      program: printable(event.process?.executable ?? event.process?.name ?? '').slice(0, MAX_TEXT),
      what: printable(what).slice(0, MAX_TEXT),
      eventId: String(decision.eventId),
      count: 1,
      firstMs: nowMs,
      lastMs: nowMs,
    };
    if (effect.error !== undefined) act.error = printable(effect.error).slice(0, MAX_TEXT);
    this.#acts.push({ key, act });
    if (this.#acts.length > MAX_KEPT) this.#acts.shift();
  }

  latest(): PolicyActsJson {
    return {
      acts: this.#acts.map(({ act }) => ({ ...act })),
      total: this.#total,
      untold: this.#untold,
    };
  }
}

/** What the process did it to: a file, an address; for a program itself, its arguments. */
function objectOf({ file, network, process }: SentinelEvent): string {
  if (file) return file.path;
  if (network) return `${network.dstIp ?? ''}:${network.dstPort ?? ''}`;
  return process?.argv?.slice(1).join(' ') ?? '';
}
