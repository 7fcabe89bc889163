/** What the Processes view knows: the tree that was opened, which row the reader is on, how rows are ordered and coloured. */
import { create } from 'zustand';
import { AgentError } from '../agent-client.ts';
import type { ProcessRefJson } from '../../../agent/api/contract.ts';
import { agent, navigate, useApp } from '../store.ts';
import { eventOf } from '../timeline/page-window.ts';
import { useTimeline } from '../timeline/timeline-state.ts';
import { type Sort, type Tree, addChildren, addPath, change, openAlike, openTree } from './tree-model.ts';

const PAGE = 500;

export const COLOURINGS = ['severity', 'user', 'session'] as const;
export type Colouring = (typeof COLOURINGS)[number];

export interface ProcessState {
  tree: Tree | undefined;
  status: 'loading' | 'ready' | 'none' | 'failed';
  error: string | undefined;
  cursor: string | undefined;
  sort: Sort;
  colouring: Colouring;
  /** Alike siblings are one row. */
  runs: boolean;
  search: Search;
}

/** What was looked for below the opened process. */
export interface Search {
  text: string;
  busy: boolean;
  error: string | undefined;
  /** Newest match first; undefined before the first search. */
  found: readonly string[] | undefined;
  complete: boolean;
}

const NO_SEARCH: Search = { text: '', busy: false, error: undefined, found: undefined, complete: true };

export const useProcesses = create<ProcessState>(() => ({
  tree: undefined,
  status: 'loading',
  error: undefined,
  cursor: undefined,
  sort: 'start',
  colouring: 'severity',
  runs: true,
  search: NO_SEARCH,
}));

const get = useProcesses.getState;
const set = useProcesses.setState;
let scope = new AbortController();

/** What names a process in the tree. */
export function entityOf(process: Pick<ProcessRefJson, 'pid' | 'startNs'>): string {
  return `${process.pid}-${process.startNs}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Opens the tree around a process; returns what to do when the view is left. */
export function enterProcesses(entityId: string): () => void {
  scope.abort();
  scope = new AbortController();
  const { signal } = scope;
  const known = get().tree?.branches.get(entityId);
  set(
    known
      ? { cursor: entityId, status: 'ready' }
      : { tree: undefined, status: 'loading', error: undefined, cursor: entityId },
  );
  set({ search: NO_SEARCH });
  void open(entityId, signal);
  return () => scope.abort();
}

async function open(entityId: string, signal: AbortSignal): Promise<void> {
  try {
    const { node, ancestors } = await agent().call('tree.ancestors', { entityId }, signal);
    set({ tree: openTree(node, ancestors), status: 'ready', error: undefined, cursor: node.entityId });
    if (node.children > 0) await loadChildren(node.entityId);
  } catch (error) {
    if (signal.aborted) return;
    const gone = error instanceof AgentError && error.code === 'not_found';
    set({ status: gone ? 'none' : 'failed', tree: undefined, error: messageOf(error) });
  }
}

/** Loads the next page of a process's children. */
export async function loadChildren(id: string): Promise<void> {
  const { tree } = get();
  const branch = tree?.branches.get(id);
  const { signal } = scope;
  if (!tree || !branch || branch.loading || (!branch.unread && branch.more === undefined)) return;
  set({ tree: change(tree, id, { loading: true, failed: undefined, expanded: true }) });
  try {
    const params = { entityId: id, limit: PAGE, ...(branch.unread ? {} : { after: branch.more }) };
    const page = await agent().call('tree.children', params, signal);
    set((state) => ({ tree: state.tree && addChildren(state.tree, id, page) }));
  } catch (error) {
    if (signal.aborted) return;
    const failed = messageOf(error);
    set((state) => ({ tree: state.tree && change(state.tree, id, { loading: false, failed }) }));
  }
}

/** Finds processes below the opened one whose events match a query, opens the way to each and goes to the first. */
export async function searchTree(text: string): Promise<void> {
  const { tree } = get();
  if (!tree) return;
  if (text.trim() === '') {
    set({ search: NO_SEARCH });
    return;
  }
  const { signal } = scope;
  set({ search: { ...NO_SEARCH, text, busy: true } });
  try {
    const { paths, complete } = await agent().call(
      'tree.search',
      { entityId: tree.focus, query: text },
      signal,
    );
    set((state) => {
      if (!state.tree) return {};
      const opened = paths.reduce((into, path) => addPath(into, into.focus, path), state.tree);
      const found = paths.flatMap((path) => path.at(-1)?.entityId ?? []);
      const search: Search = { text, busy: false, error: undefined, found, complete };
      return { tree: opened, search, cursor: found[0] ?? state.cursor };
    });
  } catch (error) {
    if (signal.aborted) return;
    set({ search: { ...NO_SEARCH, text, error: messageOf(error) } });
  }
}

/** Goes to the next (or the one before) of what was found. */
export function nextFound(step: 1 | -1): void {
  const { search, cursor } = get();
  const found = search.found ?? [];
  if (found.length === 0) return;
  const at = found.indexOf(cursor ?? '');
  set({ cursor: found[(at + step + found.length) % found.length] });
}

/** Shows alike siblings one by one, from the first on. */
export function showAlike(first: string): void {
  const { tree } = get();
  if (tree) set({ tree: openAlike(tree, first), cursor: first });
}

export function setExpanded(id: string, expanded: boolean): void {
  const { tree } = get();
  const branch = tree?.branches.get(id);
  if (!tree || !branch) return;
  set({ tree: change(tree, id, { expanded }) });
  if (expanded && branch.unread && branch.children.length === 0) void loadChildren(id);
}

/** Goes to the tree of a process; its row is open and its life is the time axis. */
export function showProcess(entityId: string): void {
  navigate({ view: 'processes', process: entityId, eventId: undefined, tab: undefined, around: undefined });
}

/** Reads the tree again as it is now. */
export function reloadTree(): void {
  const { process } = useApp.getState().route;
  if (process === undefined) return;
  set({ tree: undefined, status: 'loading' });
  enterProcesses(process);
}

/** Goes from an event in the timeline to the tree of the process that did it. */
export function showProcessOf(eventId: string): void {
  const { window } = useTimeline.getState();
  const process = eventOf(window, eventId)?.process;
  if (process) showProcess(entityOf(process));
}
