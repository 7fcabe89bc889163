/** Where texts are worked on: what to try and to compare, exceptions that are drafted, and saving. */
import type { PolicyDifferenceJson, PolicyExceptionDraft, PolicyVersionJson } from './api/contract.ts';
import type { SentinelEvent } from './event.ts';
import type { ExpressionCompiler } from './policy/expression.ts';
import type { Lifecycle } from './policy/lifecycle.ts';
import type { VersionState } from './policy/lifecycle-state.ts';
import type { LoadedPolicy } from './policy/parse.ts';
import { PolicyRefusedError } from './policy/refused.ts';
import {
  differenceOf,
  exceptionDraft,
  numbered,
  onePolicy,
  placeFor,
  PolicyConflictError,
  writeDraft,
} from './policy-drafts.ts';

export interface PolicyDeskParts {
  dataDir: string;
  compile: ExpressionCompiler;
  life: Lifecycle;
  /** The text that the files hold of a policy now, and any text that is known by its hash. */
  inFiles: (id: string) => LoadedPolicy | undefined;
  byHash: (hash: string) => LoadedPolicy | undefined;
  /** Reads the files again. */
  reload: () => void;
  versionJson: (version: VersionState) => PolicyVersionJson;
  /** Puts a text on record by its hash; false when the log takes no records. */
  recordText: ((hash: string, text: string) => boolean) | undefined;
}

export class PolicyDesk {
  readonly #parts: PolicyDeskParts;

  constructor(parts: PolicyDeskParts) {
    this.#parts = parts;
  }

  /** What to simulate for `id`, the files' text or another, and what to compare it with if that is another. */
  texts(id: string, text?: string): { target: LoadedPolicy; active?: LoadedPolicy } {
    let target: LoadedPolicy | undefined;
    if (text === undefined) target = this.#parts.byHash(this.#parts.life.target(id).hash);
    else {
      target = onePolicy(text, this.#parts.compile);
      if (target.policy.id !== id)
        throw new PolicyRefusedError(`the text is of ${target.policy.id}, not of ${id}`, 'name that one');
    }
    if (!target) throw new PolicyRefusedError(`the text of ${id} is not there`, 'put its file back');
    const version = this.#parts.life.versionsOf(id).find(({ state }) => state === 'active');
    // A text that nobody saved is compared with what there is, in force or not.
    const other = version?.hash ?? (text === undefined ? undefined : this.#current(id)?.policy.hash);
    const active = other === target.policy.hash ? undefined : this.#parts.byHash(other ?? '');
    return active ? { target, active } : { target };
  }

  /** The text of a policy in the files, else in force. */
  #current(id: string): LoadedPolicy | undefined {
    const inFiles = this.#parts.inFiles(id);
    return inFiles ?? this.#parts.byHash(this.#parts.life.inForce(id)?.hash ?? '');
  }

  /** How a text, or the one in the files, differs from the version in force. */
  difference(id: string, text?: string): PolicyDifferenceJson {
    const version = this.#parts.life.inForce(id);
    const loaded = version && this.#parts.byHash(version.hash);
    const inForce = version && loaded ? { version, loaded } : undefined;
    return differenceOf(
      text ?? this.#parts.byHash(this.#parts.life.target(id).hash)?.policy.text ?? '',
      inForce,
      this.#parts.compile,
    );
  }

  /** Drafts an exception of a policy from an event. */
  draftException(
    id: string,
    event: SentinelEvent,
    asked: Parameters<typeof exceptionDraft>[2],
  ): PolicyExceptionDraft {
    const loaded = this.#current(id);
    if (!loaded) throw new PolicyRefusedError(`there is no policy ${id}`, 'see sentinel policy list');
    return exceptionDraft(loaded, event, asked, this.#parts.life.versionsOf(id), this.#parts.compile);
  }

  /**
   * Saves a text as a new draft with the next number; what is in force stays so. `base`: the hash of what it was made
   * from. @throws PolicyConflictError when that is not what the files hold by now
   */
  save(text: string, base: string | undefined): { version: PolicyVersionJson; text: string; file: string } {
    const given = onePolicy(text, this.#parts.compile);
    const { id } = given.policy;
    this.#parts.reload();
    const current = this.#current(id);
    if (current?.policy.hash === given.policy.hash) {
      const { file } = current.policy;
      return {
        version: this.#parts.versionJson(this.#parts.life.target(id)),
        text: current.policy.text,
        file,
      };
    }
    if (current && base === undefined)
      throw new PolicyConflictError(
        `there is a policy ${id} already`,
        'edit that one, or give this another id',
      );
    if (base !== undefined && base !== current?.policy.hash)
      throw new PolicyConflictError(
        current
          ? `${id} was changed meanwhile: the files hold version ${current.policy.version} (${current.policy.hash.slice(0, 12)})`
          : `${id} is not there any more`,
        'nothing was saved; look at the difference and save again',
      );
    const next = numbered(given, this.#parts.life.versionsOf(id), this.#parts.compile);
    const place = placeFor(this.#parts.dataDir, current, next);
    if (this.#parts.recordText?.(next.policy.hash, next.policy.text) === false)
      throw new PolicyRefusedError(
        'the security log takes no records; nothing was saved',
        'see sentinel status',
      );
    writeDraft(place);
    this.#parts.reload();
    return {
      version: this.#parts.versionJson(this.#parts.life.target(id)),
      text: next.policy.text,
      file: place.file,
    };
  }
}
