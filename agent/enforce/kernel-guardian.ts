/**
 * The kernel guardian, seen from user space: sets in, effects in the kernel. It writes the maps, keeps giving signs of
 * life, and looks whether everything is still as it left it.
 *
 * Hashes become identities as files are seen: the first run of a copy that nobody hashed yet is the agent guardian's.
 * Without entries no map is looked at in the kernel and nothing can act.
 */
import { realpathSync } from 'node:fs';
import type { BpfAddon, BpfHandle, BpfPolicyCheck } from '../../native-addon/index.ts';
import type { FileIdentity, Hashes } from '../event.ts';
import { type KernelPolicyRef, type KernelSets, NO_KERNEL_SETS } from '../policy/types.ts';
import {
  type DeniedVersion,
  destinationEntries,
  type MapEntries,
  pathEntries,
  versionEntries,
} from './map-entries.ts';

/** After this long without a sign of life, policies that fail open no longer act. */
const SILENT_MS = 10_000;
/** Identities kept of denied contents; the oldest goes first. */
const MAX_VERSIONS = 8192;

/** Something about the kernel's side that is not as it should be. */
export interface KernelTrouble {
  kind: 'hook_detached' | 'hook_replaced' | 'hook_silent' | 'map_changed';
  detail: string;
}

export interface AppliedSets {
  refused: { handle: number; reason: string }[];
}

/** Hooks that policies act through. */
const POLICY_HOOKS = new Set([
  'sched_process_exec',
  'connect4',
  'connect6',
  'sendmsg4',
  'sendmsg6',
  'lsm/bprm_check_security',
]);

export class KernelGuardian {
  readonly #addon: BpfAddon;
  readonly #handle: BpfHandle;
  readonly #protectedPaths: ReadonlySet<string>;
  #sets: KernelSets = NO_KERNEL_SETS;
  #policies = new Map<number, KernelPolicyRef>();
  /** Denied contents: hex of SHA-256 or BLAKE3. */
  #denied = new Map<string, KernelPolicyRef>();
  /** By `dev inode`. */
  #versions = new Map<string, DeniedVersion & { hashes: Hashes }>();
  #evicted = 0;
  #acts = 0;
  #heartbeatAgeMs = 0;
  /** Of the agent's own trial. */
  #trialActs = 0;

  constructor(addon: BpfAddon, handle: BpfHandle, protectedPaths: readonly string[]) {
    this.#addon = addon;
    this.#handle = handle;
    this.#protectedPaths = new Set(protectedPaths);
  }

  /** Policy of a handle that the kernel names in its records. */
  policy(handle: number): KernelPolicyRef | undefined {
    return this.#policies.get(handle);
  }

  get armed(): boolean {
    return this.#policies.size > 0;
  }

  get evictedVersions(): number {
    return this.#evicted;
  }

  /** Puts these sets in force; what cannot be is returned with the reason. `verdictsWait`: also for agent policies. */
  apply(sets: KernelSets, verdictsWait: boolean): AppliedSets {
    const refused: { handle: number; reason: string }[] = [];
    const paths = sets.executables.filter(({ by, value, policy }) => {
      if (by !== 'path') return false;
      const reason = this.#whyNotPath(value);
      if (reason !== undefined) refused.push({ handle: policy.handle, reason });
      return reason === undefined;
    });
    this.#denied = new Map(
      sets.executables
        .filter(({ by }) => by === 'sha256' || by === 'blake3')
        .map(({ value, policy }) => [value.toLowerCase(), policy]),
    );
    for (const [key, version] of this.#versions) {
      const still = [...this.#denied.values()].find(({ handle }) => handle === version.policy.handle);
      if (still === undefined) this.#versions.delete(key);
    }
    const cuts = sets.cuts ?? [];
    const all = [...sets.executables, ...sets.destinations, ...sets.opens, ...cuts].map(
      ({ policy }) => policy,
    );
    this.#policies = new Map(all.map((policy) => [policy.handle, policy]));
    this.#sets = sets;
    this.#addon.policyArm(this.#handle, {
      silentNs: SILENT_MS * 1e6,
      hold: all.some(({ failMode }) => failMode === 'closed'),
      verdictsWait: verdictsWait || all.length > 0,
      cuts: cuts.length > 0,
    });
    const path = pathEntries(paths);
    const directory = pathEntries(sets.executables.filter(({ by }) => by === 'directory'));
    const net = destinationEntries(sets.destinations);
    refused.push(...path.refused, ...directory.refused, ...net.refused);
    const failed = [
      this.#write('pol_path', path.entries),
      this.#write('pol_dir', directory.entries),
      this.#write('pol_exe', versionEntries([...this.#versions.values()])),
      this.#write('pol_net', net.entries),
    ].filter((reason) => reason !== undefined);
    for (const reason of failed) for (const { handle } of all) refused.push({ handle, reason });
    return { refused };
  }

  /** The kernel compares the path where a file really lies. */
  #whyNotPath(path: string): string | undefined {
    if (this.#protectedPaths.has(path)) return `protected: ${path} holds the session together`;
    const real = resolved(path);
    return real === path ? undefined : `${path} is a symbolic link: name ${real}`;
  }

  #write(map: 'pol_exe' | 'pol_path' | 'pol_dir' | 'pol_net', entries: MapEntries): string | undefined {
    try {
      this.#addon.policyWrite(this.#handle, map, entries.keys, entries.values);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** A file's content became known. If it is denied, this version of the file no longer runs from now on. */
  learned(identity: FileIdentity, hashes: Hashes): KernelPolicyRef | undefined {
    if (this.#denied.size === 0) return undefined;
    const policy = this.#denied.get(hashes.sha256) ?? this.#denied.get(hashes.blake3);
    if (policy === undefined) return undefined;
    const { dev, inode, size, ctimeNs } = identity;
    const key = `${dev} ${inode}`;
    this.#versions.delete(key);
    this.#versions.set(key, { policy, dev, inode, size, ctimeNs, hashes });
    if (this.#versions.size > MAX_VERSIONS) {
      const [oldest] = this.#versions.keys();
      this.#versions.delete(oldest as string);
      this.#evicted += 1;
    }
    this.#write('pol_exe', versionEntries([...this.#versions.values()]));
    return policy;
  }

  /** Hashes of a denied file by its inode, for the policy that denies it. */
  contentOf(inode: bigint, handle: number): Hashes | undefined {
    for (const version of this.#versions.values())
      if (version.inode === inode && version.policy.handle === handle) {
        const { sha256, blake3 } = version.hashes;
        return { sha256, blake3 };
      }
    return undefined;
  }

  /** Sign of life, to be given every second; now and then with a look at who is protected. */
  beat(protect: boolean): void {
    this.#addon.policyBeat(this.#handle);
    if (protect) this.#addon.policyProtect(this.#handle);
  }

  /** What is not as it was left. Damage to the maps is repaired at once, and reported all the same. */
  check(): KernelTrouble[] {
    const state = this.#addon.policyCheck(this.#handle);
    this.#acts = state.acts;
    this.#heartbeatAgeMs = Math.round(state.heartbeatAgeNs / 1e6);
    const trouble = troubleOf(state);
    if (trouble.some(({ kind }) => kind === 'map_changed')) {
      const failure = this.#addon.policyRestore(this.#handle);
      if (failure !== '')
        trouble.push({ kind: 'map_changed', detail: `it could not be repaired: ${failure}` });
    }
    return trouble;
  }

  /** Age of the agent's last sign of life when the kernel's side was last looked at. */
  get heartbeatAgeMs(): number {
    return this.#heartbeatAgeMs;
  }

  /** Denied versions of files in the kernel. */
  get versions(): number {
    return this.#versions.size;
  }

  /** Matches in the kernel, as of the last check; those of the trial do not count. */
  get acts(): number {
    return this.#acts - this.#trialActs;
  }

  /** The agent's own trial is over. */
  trialEnded(): void {
    this.#acts = this.#trialActs = this.#addon.policyCheck(this.#handle).acts;
  }

  get generation(): number {
    return this.#sets.generation;
  }
}

function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // It may come to be.
  }
}

function troubleOf(state: BpfPolicyCheck): KernelTrouble[] {
  const trouble: KernelTrouble[] = [];
  for (const { hook, state: link } of state.links) {
    if (link === 'attached') continue;
    const part = POLICY_HOOKS.has(hook) ? 'policies act through it' : 'the record depends on it';
    trouble.push({
      kind: link === 'detached' ? 'hook_detached' : 'hook_replaced',
      detail: `${hook} was ${link === 'detached' ? 'taken out of the kernel' : 'replaced by another program'}; ${part}`,
    });
  }
  if (!state.hooksRun)
    trouble.push({
      kind: 'hook_silent',
      detail:
        'the kernel does not run the hooks, though they are in place: a start that was made to see them was not counted',
    });
  for (const { map, missing, changed, foreign } of state.changes)
    trouble.push({
      kind: 'map_changed',
      detail: `${map}: ${missing} entries were removed, ${changed} changed, ${foreign} added by somebody else`,
    });
  return trouble;
}
