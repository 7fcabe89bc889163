/** Tags that people give processes: kept by the agent, shown wherever the process is, asked for with `tag:NAME`. */
import { create } from 'zustand';
import type { TreeNode } from '../../../agent/api/contract.ts';
import { agent } from '../store.ts';

const KIND = 'tag';
const MAX_TAGS = 8;
/** A word of letters and digits of any language. */
const TAG = /^[\p{L}\p{N}][\p{L}\p{N}_.-]{0,31}$/u;

export interface TagState {
  /** By entity id. */
  byProcess: ReadonlyMap<string, readonly string[]>;
  error: string | undefined;
}

export const useTags = create<TagState>(() => ({ byProcess: new Map(), error: undefined }));

const NONE: readonly string[] = [];

/** The tags of a process; the same list while they do not change. */
export function useTagsOf(entityId: string | undefined): readonly string[] {
  return useTags(({ byProcess }) => (entityId === undefined ? NONE : (byProcess.get(entityId) ?? NONE)));
}

/** Every tag there is, once. */
export function allTags({ byProcess }: TagState = useTags.getState()): string[] {
  return [...new Set([...byProcess.values()].flat())].sort((a, b) => a.localeCompare(b));
}

function tagsIn(value: string): string[] {
  try {
    const { tags } = JSON.parse(value) as { tags?: unknown };
    return Array.isArray(tags)
      ? tags.filter((tag): tag is string => typeof tag === 'string' && TAG.test(tag))
      : [];
  } catch {
    return [];
  }
}

const failed = (error: unknown): void =>
  useTags.setState({ error: error instanceof Error ? error.message : String(error) });

export async function loadTags(): Promise<void> {
  try {
    const { items } = await agent().call('saved.list', { kind: KIND });
    const byProcess = new Map(items.map(({ name, value }) => [name, tagsIn(value)]));
    useTags.setState({ byProcess, error: undefined });
  } catch (error) {
    failed(error);
  }
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Gives a process exactly these tags. Its life is kept with them, since its pid may be used again. */
export async function setTags(node: TreeNode, tags: readonly string[]): Promise<void> {
  const kept = [...new Set(tags)].slice(0, MAX_TAGS);
  try {
    if (kept.length === 0) await agent().call('saved.delete', { kind: KIND, name: node.entityId });
    else {
      const ended = node.endNs === undefined ? {} : { toNs: node.lastNs };
      const value = JSON.stringify({ pid: node.process.pid, tags: kept, fromNs: node.startNs, ...ended });
      await agent().call('saved.put', { kind: KIND, name: node.entityId, value });
    }
    await loadTags();
  } catch (error) {
    failed(error);
  }
}
